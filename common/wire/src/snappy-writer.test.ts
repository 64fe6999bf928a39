import fc from 'fast-check'
import oracle from 'snappy'
import { expect, test } from 'vitest'
import { maxCompressedBytes, uncompress } from './snappy.ts'
import { SnappyWriter, writerBytesMax } from './snappy-writer.ts'

const writer = new SnappyWriter()

function write(payload: Uint8Array, before = 0): Uint8Array {
  const source = new Uint8Array(before + payload.length + 3)
  source.set(payload, before)
  const into = new Uint8Array(before + maxCompressedBytes(payload.length))
  const end = writer.write(source, before, before + payload.length, into, before)
  expect(end).toBeLessThanOrEqual(into.length)
  return into.subarray(before, end)
}

/** Texts that repeat themselves near and far, runs, and noise. */
const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ minLength: 5_000, maxLength: 20_000 }),
  fc.tuple(fc.nat(255), fc.integer({ min: 0, max: writerBytesMax })).map(([byte, length]) => new Uint8Array(length).fill(byte)),
  fc
    .tuple(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 40 }),
      fc.array(fc.nat(), { maxLength: 1500 }),
    )
    .map(([words, picks]) => Uint8Array.from(Buffer.concat(picks.map((pick) => words[pick % words.length]!)).subarray(0, writerBytesMax))),
)

test('every decoder gives back what was written, wherever it stands in its buffer', () => {
  fc.assert(
    fc.property(payloads, fc.nat(50), (payload, before) => {
      const block = write(payload, before)
      expect(Buffer.from(uncompress(block, writerBytesMax)).equals(payload)).toBe(true)
      expect(Buffer.from(oracle.uncompressSync(Buffer.from(block)) as Buffer).equals(payload)).toBe(true)
    }),
    { numRuns: 400 },
  )
})

test('what repeats takes little room: within a tenth of the original compressor', () => {
  const labels = Array.from({ length: 400 }, (_, i) => `node_cpu_seconds_total cpu ${i >> 3} mode ${i & 7} instance host-${i % 20}.example`)
  const payload = Buffer.from(labels.join('\n'))
  const theirs = (oracle.compressSync(payload) as Buffer).length
  expect(write(payload).length).toBeLessThan(theirs * 1.1)
})

test('takes 64 KiB and not one byte more', () => {
  expect(uncompress(write(new Uint8Array(writerBytesMax)), writerBytesMax)).toHaveLength(writerBytesMax)
  expect(() => write(new Uint8Array(writerBytesMax + 1))).toThrow(RangeError)
})
