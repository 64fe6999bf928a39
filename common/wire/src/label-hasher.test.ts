import { randomFillSync } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { LabelHasher } from './label-hasher.ts'
import { bodyBytesMax, compress, useUncompressed } from './snappy.ts'
import { WireCodec } from './wire-codec.ts'

let hasher: LabelHasher

beforeEach(() => {
  hasher = new LabelHasher()
})

function hashOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  hasher.hash(bytes, start, end)
  return hasher.words.join(' ')
}

const randomBytes = (length: number): Uint8Array => randomFillSync(new Uint8Array(length))
const setBits = (word: number): number => {
  let count = 0
  for (let rest = word >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++
  return count
}

describe('the same bytes', () => {
  test('have the same hash wherever they lie, in the memory of uncompressed bytes and elsewhere', () => {
    for (const length of [0, 1, 7, 31, 32, 33, 47, 48, 49, 64, 215, 1000]) {
      const bytes = randomBytes(length)
      const expected = hashOf(bytes)
      for (let offset = 0; offset < 40; offset++) {
        const larger = randomBytes(length + 80)
        larger.set(bytes, offset)
        expect(hashOf(larger, offset, offset + length)).toBe(expected)
        useUncompressed(compress(larger), bodyBytesMax, (view) => {
          expect(hashOf(view, offset, offset + length)).toBe(expected)
        })
      }
    }
  })

  test('have another hash where other keys were drawn', () => {
    const hashes = new Set<string>()
    for (let i = 0; i < 20; i++) {
      const codec = new WireCodec(65_536)
      codec.drawKeys()
      codec.bytes.fill(7, codec.scratchAt, codec.scratchAt + 215)
      codec.hash(codec.scratchAt, codec.scratchAt + 215)
      hashes.add(codec.hashWords.join(' '))
    }
    expect(hashes.size).toBe(20)
  })
})

describe('different bytes', () => {
  test('of equal beginnings and every length differ, zeros too', () => {
    const hashes = new Set<string>()
    for (const bytes of [new Uint8Array(301), randomBytes(301)]) {
      for (let length = bytes[0] === 0 ? 0 : 1; length <= 300; length++) hashes.add(hashOf(bytes, 0, length))
    }
    expect(hashes.size).toBeGreaterThanOrEqual(600)
  })

  test('that differ in one bit anywhere differ in every word, by half of its bits or so', () => {
    let sameWords = 0
    for (const length of [1, 20, 32, 215]) {
      let flips = 0
      let changed = 0
      for (let round = 0; round < (length < 100 ? 40 : 4); round++) {
        const bytes = randomBytes(length)
        hasher.hash(bytes, 0, length)
        const before = Uint32Array.from(hasher.words)
        for (let bit = 0; bit < 8 * length; bit++) {
          bytes[bit >> 3]! ^= 1 << (bit & 7)
          hasher.hash(bytes, 0, length)
          for (let i = 0; i < 3; i++) {
            if (hasher.words[i] === before[i]) sameWords++
            changed += setBits(hasher.words[i]! ^ before[i]!)
          }
          flips += 3
          bytes[bit >> 3]! ^= 1 << (bit & 7)
        }
      }
      // A universal hash keeps strings apart, it does not mix each bit into all: 16 bits of 32 on the average, within a wide margin.
      expect(changed / flips).toBeGreaterThan(10)
      expect(changed / flips).toBeLessThan(20)
    }
    // One word in 2^32 is the same by chance.
    expect(sameWords).toBeLessThan(2)
  })

  test('meet in no word more often than chance has it, and words do not depend on each other', () => {
    // 2^17 texts that differ in few digits: in one word of 32 bits two pairs meet by chance, in two words at once none does.
    const count = 1 << 17
    const text = Buffer.from(`{__name__="http_requests_total",instance="10.0.000.000:9100",pod="service-0000000"}`)
    const words = [0, 1, 2].map(() => new Uint32Array(count))
    for (let i = 0; i < count; i++) {
      text.write(String(i % 1000).padStart(3, '0'), 48)
      text.write(String(i).padStart(7, '0'), text.length - 9)
      hasher.hash(text, 0, text.length)
      for (let word = 0; word < 3; word++) words[word]![i] = hasher.words[word]!
    }
    for (const column of words) {
      expect(count - new Set(column).size).toBeLessThan(25)
      for (let bit = 0; bit < 32; bit++) {
        const ones = column.reduce((sum, word) => sum + ((word >>> bit) & 1), 0)
        expect(Math.abs(ones - count / 2)).toBeLessThan(6 * Math.sqrt(count / 4) + count / 100)
      }
    }
    for (const [left, right] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const) {
      expect(new Set(Float64Array.from(words[left]!, (word, i) => word * 2 ** 21 + (words[right]![i]! >>> 11))).size).toBe(count)
      const equal = words[left]!.reduce((sum, word, i) => sum + 32 - setBits(word ^ words[right]![i]!), 0)
      expect(equal / count).toBeGreaterThan(15.5)
      expect(equal / count).toBeLessThan(16.5)
    }
  })

  test('of swapped or shifted pieces, which cancel in sums, differ', () => {
    const bytes = randomBytes(256)
    const hashes = new Set([hashOf(bytes)])
    for (const piece of [1, 2, 4, 8, 16, 32, 64]) {
      for (let at = 0; at + 2 * piece <= 256; at += piece) {
        const swapped = Uint8Array.from(bytes)
        swapped.set(bytes.subarray(at + piece, at + 2 * piece), at)
        swapped.set(bytes.subarray(at, at + piece), at + piece)
        if (Buffer.compare(swapped, bytes) !== 0) expect(hashes.has(hashOf(swapped)), `${piece} at ${at}`).toBe(false)
        hashes.add(hashOf(swapped))
      }
    }
  })

  test('of the top bits of words, which a sum of products loses first, differ', () => {
    const bytes = new Uint8Array(96)
    const hashes = new Set([hashOf(bytes)])
    for (let i = 3; i < 96; i += 4) {
      for (let k = i; k < 96; k += 4) {
        const other = Uint8Array.from(bytes)
        other[i] = 0x80
        other[k] = 0x80
        hashes.add(hashOf(other))
      }
    }
    expect(hashes.size).toBe(1 + (24 * 25) / 2)
  })

  test('of the greatest length that is hashed differ in their last byte', () => {
    const bytes = randomBytes(hasher.bytesMax)
    const expected = hashOf(bytes)
    expect(hashOf(bytes)).toBe(expected)
    bytes[bytes.length - 1]! ^= 1
    expect(hashOf(bytes)).not.toBe(expected)
    expect(hashOf(bytes, 0, bytes.length - 1)).not.toBe(expected)
  })
})
