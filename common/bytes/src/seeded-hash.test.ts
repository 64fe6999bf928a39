import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SeededHash } from './seeded-hash.ts'

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
const hashOf = (hash: SeededHash, bytes: Uint8Array): string => {
  hash.of(viewOf(bytes), 0, bytes.length)
  return `${hash.low},${hash.high}`
}

test('depends on the bytes alone, wherever they stand', () => {
  const hash = new SeededHash()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(9), (bytes, before) => {
      const padded = new Uint8Array(before + bytes.length + 3).fill(7)
      padded.set(bytes, before)
      hash.of(viewOf(padded), before, bytes.length)
      const { low, high } = hash
      expect(`${low},${high}`).toBe(hashOf(hash, bytes))
    }),
  )
})

test('has another result for other bytes, another length and another seed', () => {
  const hash = new SeededHash(Buffer.alloc(8, 1))
  const other = new SeededHash(Buffer.alloc(8, 2))
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, at, change) => {
      const changed = bytes.slice()
      changed[at % bytes.length]! ^= change
      const plain = hashOf(hash, bytes)
      expect(hashOf(hash, changed)).not.toBe(plain)
      expect(hashOf(hash, bytes.subarray(1))).not.toBe(plain)
      expect(hashOf(other, bytes)).not.toBe(plain)
    }),
  )
})

test('each half alone spreads texts that differ in a number evenly', () => {
  const hash = new SeededHash(Buffer.alloc(8, 3))
  const count = 200_000
  const halves = [new Set<number>(), new Set<number>()]
  const buckets = new Uint32Array(1024)
  for (let i = 0; i < count; i++) {
    const bytes = Buffer.from(`http_requests_total{code="200",pod="pod-${i}"} `)
    hash.of(viewOf(bytes), 0, bytes.length)
    halves[0]!.add(hash.low)
    halves[1]!.add(hash.high)
    buckets[hash.low & 1023]!++
  }
  // Of 2e5 random 32-bit numbers about 4.7 pairs are the same.
  for (const half of halves) expect(count - half.size).toBeLessThan(30)
  expect(Math.max(...buckets)).toBeLessThan((count / 1024) * 1.5)
})

test('a hash of hashes depends on their order', () => {
  const hash = new SeededHash()
  const add = (...parts: readonly [number, number][]): string => {
    hash.begin()
    for (const [low, high] of parts) hash.add(low, high)
    return `${hash.low},${hash.high}`
  }
  expect(add([1, 2], [3, 4])).not.toBe(add([3, 4], [1, 2]))
  expect(add([1, 2])).not.toBe(add([1, 2], [0, 0]))
})
