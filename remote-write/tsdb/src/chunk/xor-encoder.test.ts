import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SampleColumns } from '@narthex/model/sample-columns'
import { SharedArena } from '../head/shared-arena.ts'
import { OpenChunkWriter, readChunkBytes } from './open-chunk.ts'
import { floatBits } from './testdata/bit-text.ts'
import { writeXor } from './testdata/chunk-writer.ts'
import { copyChunk, decodeXorChunk } from './xor-chunk.ts'
import { encodeXorChunk } from './xor-encoder.ts'

const anyStep = fc.oneof(
  fc.integer({ min: 0, max: 20_000 }),
  fc.constantFrom(0, 8191, 8192, 8193, 65_535, 65_536, 65_537, 524_287, 524_288, 524_289),
  fc.integer({ min: 0, max: 2 ** 45 }),
)
const anyBits = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.integer({ min: -1000, max: 1000 }).map(floatBits),
  fc.double().map(floatBits),
  fc.constantFrom(0x7ff0_0000_0000_0002n, 0x7ff8_0000_0000_0001n, 0xfff8_0000_dead_beefn, 0n, 0x8000_0000_0000_0000n),
)
const anySamples = fc
  .tuple(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), fc.array(fc.tuple(anyStep, anyBits), { maxLength: 130 }))
  .map(([start, steps]) => {
    const columns = new SampleColumns(4)
    let timeMs = start
    for (const [step, bits] of steps) columns.push((timeMs += step), Number(bits & 0xffff_ffffn), Number(bits >> 32n))
    return columns
  })

function list(columns: SampleColumns, from = 0, to = columns.length): [number, number, number][] {
  const samples: [number, number, number][] = []
  for (let i = from; i < to; i++) samples.push([columns.times[i]!, columns.words[2 * i]!, columns.words[2 * i + 1]!])
  return samples
}

describe('encodeXorChunk', () => {
  it('gives what is decoded to the same bits, as the format describes it', () => {
    fc.assert(
      fc.property(anySamples, fc.nat(3), (columns, cut) => {
        const from = Math.min(cut, columns.length)
        const bytes = encodeXorChunk(columns, from, columns.length)
        const decoded = new SampleColumns()
        decodeXorChunk(bytes, decoded)
        expect(list(decoded)).toEqual(list(columns, from))
        const naive = writeXor(
          list(columns, from).map(([time, low, high]) => ({
            time: BigInt(time),
            start: 0n,
            bits: (BigInt(high) << 32n) | BigInt(low),
          })),
        )
        expect(bytes.subarray(0, naive.length)).toEqual(naive)
        expect(bytes.length - naive.length).toBeLessThanOrEqual(1)
      }),
      { numRuns: 150 },
    )
  })

  it('gives the bytes of the head, which are those of Prometheus', () => {
    // The head keeps a time's step as a word: longer ones never stand in one of its chunks.
    const columns = anySamples.filter(({ times, length }) => length > 0 && times[length - 1]! - times[0]! < 2 ** 31)
    fc.assert(
      fc.property(columns, (samples) => {
        const arena = SharedArena.reserve(8 * 2 ** 20)
        const writer = new OpenChunkWriter(arena)
        const state = new Uint32Array(4)
        const rows = list(samples)
        const chunk = writer.start(state, 0, 0, 0, ...rows[0]!)
        for (let i = 1; i < rows.length; i++) writer.append(state, 0, ...rows[i]!, ...rows[i - 1]!)
        expect(encodeXorChunk(samples, 0, samples.length)).toEqual(copyChunk(arena, chunk, samples.length, readChunkBytes(state, 0)))
      }),
      { numRuns: 100 },
    )
  })

  it('takes 65,535 samples and refuses one more', () => {
    const columns = new SampleColumns(65_536)
    for (let i = 0; i < 65_536; i++) columns.push(i, 0, 0)
    const decoded = new SampleColumns()
    decodeXorChunk(encodeXorChunk(columns, 1, 65_536), decoded)
    expect(decoded.length).toBe(65_535)
    expect(() => encodeXorChunk(columns, 0, 65_536)).toThrow('at most 65535 samples, got 65536')
  })

  it('refuses times that fall, takes equal ones', () => {
    const columns = new SampleColumns()
    for (const timeMs of [5, 5, 4]) columns.push(timeMs, 0, 0)
    expect(encodeXorChunk(columns, 0, 2)).toHaveLength(13)
    expect(() => encodeXorChunk(columns, 0, 3)).toThrow('want rising times, got 4 after 5')
    expect(encodeXorChunk(columns, 1, 1)).toEqual(Uint8Array.of(0, 0))
  })

  it('takes times up to 2^53 - 1 on both sides of 1970 and refuses one more', () => {
    const columns = new SampleColumns()
    for (const timeMs of [-(2 ** 53) + 1, 0, 2 ** 53 - 1, 2 ** 53]) columns.push(timeMs, 0, 0)
    const decoded = new SampleColumns()
    decodeXorChunk(encodeXorChunk(columns, 0, 3), decoded)
    expect([...decoded.times.subarray(0, 3)]).toEqual([-(2 ** 53) + 1, 0, 2 ** 53 - 1])
    expect(() => encodeXorChunk(columns, 0, 4)).toThrow('want times in whole ms')
  })
})
