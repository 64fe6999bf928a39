import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SampleColumns } from '@narthex/model/sample-columns'
import { buildXorChunk } from '../../build/build-xor-chunk.ts'
import { encodeXorChunk } from './xor-encoder.ts'
import { XorChunkModule } from './xor-chunk-module.ts'
import { XorDecoder } from './xor-decoder.ts'

type Sample = readonly [timeMs: number, low: number, high: number]

const module = new XorChunkModule()

/** What the decoder in TypeScript gives; undefined where it throws or reads behind the end. */
function decodePlain(data: Uint8Array, count: number, minTimeMs: number, maxTimeMs: number): Sample[] | undefined {
  const words = new Uint32Array((data.length + 3) >>> 2)
  for (const [i, byte] of data.entries()) words[i >>> 2]! |= byte << (24 - 8 * (i & 3))
  const decoder = new XorDecoder({ window: (index) => (index === 0 ? words : undefined) }, 0)
  const columns = new SampleColumns()
  try {
    decoder.decode(0, count, minTimeMs, maxTimeMs, columns)
  } catch {
    return undefined
  }
  return decoder.bitsSince(0) > data.length * 8 ? undefined : list(columns)
}

function decodeByModule(data: Uint8Array, count: number, minTimeMs: number, maxTimeMs: number): Sample[] | undefined {
  const columns = new SampleColumns(1)
  columns.push(1, 2, 3)
  const isDone = module.decodeBytes(data, 0, count, minTimeMs, maxTimeMs, columns)
  expect(list(columns)[0]).toEqual([1, 2, 3])
  if (!isDone) expect(columns.length).toBe(1)
  return isDone ? list(columns).slice(1) : undefined
}

function list(columns: SampleColumns): Sample[] {
  return Array.from({ length: columns.length }, (_, i) => [columns.times[i]!, columns.words[2 * i]!, columns.words[2 * i + 1]!])
}

const word = fc.integer({ min: 0, max: 0xffff_ffff })
const steps = fc.array(
  fc.tuple(
    fc.oneof(fc.constant(15_000), fc.integer({ min: 1, max: 9_000 }), fc.integer({ min: 1, max: 2 ** 40 })),
    fc.oneof(
      fc.tuple(word, word),
      fc.tuple(fc.constant(0), fc.integer({ min: 0x40000000, max: 0x40ffffff })),
      fc.constant([0, 0] as const),
    ),
  ),
  { minLength: 1, maxLength: 200 },
)

describe('chunks of floats by WebAssembly', () => {
  it('are what the checked-in module says, which is what its text says', async () => {
    expect(readFileSync(join(import.meta.dirname, 'xor-chunk-bytes.ts'), 'utf8')).toBe(await buildXorChunk())
  })

  it('have every sample with its bits, of the wanted times, up to the wanted number', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
        steps,
        fc.double({ min: -0.2, max: 1.2, noNaN: true }),
        fc.nat(4),
        (startMs, changes, share, less) => {
          const columns = new SampleColumns()
          let timeMs = startMs
          for (const [step, [low, high]] of changes) columns.push((timeMs += step), low, high)
          const data = encodeXorChunk(columns, 0, columns.length).subarray(2)
          const all = list(columns)
          expect(decodeByModule(data, columns.length, -Infinity, Infinity)).toEqual(all)
          const edgeMs = Math.floor(startMs + (timeMs - startMs) * share)
          const count = Math.max(0, columns.length - less)
          const some = all.slice(0, count)
          expect(decodeByModule(data, count, edgeMs, Infinity)).toEqual(some.filter(([time]) => time >= edgeMs))
          expect(decodeByModule(data, count, -Infinity, edgeMs)).toEqual(some.filter(([time]) => time <= edgeMs))
        },
      ),
      { numRuns: 400 },
    )
  })

  it('of strange bytes are those that the decoder in TypeScript reads, and none where that refuses', () => {
    let read = 0
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 150, maxLength: 300 })),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        (bytes, count, isTame) => {
          // Whole numbers that are not too long at the begin: more of them are read.
          const data = isTame ? Uint8Array.from([0x80, 0x01, ...bytes.subarray(0, 8), 0x10, ...bytes.subarray(8)]) : bytes
          const plain = decodePlain(data, count, -Infinity, Infinity)
          // Times that no double has are not compared.
          if (plain?.some(([time]) => Math.abs(time) > 2 ** 52) === true) return
          const own = decodeByModule(data, count, -Infinity, Infinity)
          expect(own).toEqual(plain)
          if (own !== undefined && own.length > 2) read++
        },
      ),
      { numRuns: 5_000 },
    )
    expect(read).toBeGreaterThan(500)
  })

  it('of more than 1,024 samples or 16 KiB are left to the other decoder', () => {
    const columns = new SampleColumns()
    for (let i = 0; i < 1024; i++) columns.push(i * 15_000, 0, 0)
    const data = encodeXorChunk(columns, 0, 1024).subarray(2)
    expect(decodeByModule(data, 1024, -Infinity, Infinity)).toHaveLength(1024)
    expect(decodeByModule(data, 1025, -Infinity, Infinity)).toBeUndefined()
    const long = new Uint8Array(16 * 1024)
    long.set(data)
    expect(decodeByModule(long, 1024, -Infinity, Infinity)).toHaveLength(1024)
    expect(decodeByModule(Uint8Array.from([...long, 0]), 1024, -Infinity, Infinity)).toBeUndefined()
  })
})
