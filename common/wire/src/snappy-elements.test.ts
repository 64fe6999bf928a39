import fc from 'fast-check'
import oracle from 'snappy'
import { expect, test } from 'vitest'
import { copyBytesMax, copyDistanceMax, literalHeadBytesMax, putCopy, putLiteralHead } from './snappy-elements.ts'
import { uncompress } from './snappy.ts'
import { putUvarint } from './sample-field.ts'

type Element = { readonly literal: Uint8Array } | { readonly distance: number; readonly length: number }

/** A block of the elements, and what it stands for. */
function writeBlock(elements: readonly Element[]): { block: Uint8Array; plain: number[] } {
  const bytes = new Uint8Array(1024 * 1024)
  const plain: number[] = []
  let at = 0
  for (const element of elements) {
    const before = at
    if ('literal' in element) {
      at = putLiteralHead(bytes, at, element.literal.length)
      expect(at - before).toBeLessThanOrEqual(literalHeadBytesMax)
      bytes.set(element.literal, at)
      at += element.literal.length
      for (const byte of element.literal) plain.push(byte)
    } else {
      at = putCopy(bytes, at, element.distance, element.length)
      expect(at - before).toBeLessThanOrEqual(copyBytesMax * Math.ceil(element.length / 64))
      for (let i = 0; i < element.length; i++) plain.push(plain[plain.length - element.distance]!)
    }
  }
  const head = new Uint8Array(5)
  const headBytes = putUvarint(head, 0, plain.length)
  return { block: Buffer.concat([head.subarray(0, headBytes), bytes.subarray(0, at)]), plain }
}

function expectDecoded(elements: readonly Element[]): void {
  const { block, plain } = writeBlock(elements)
  expect(Buffer.from(oracle.uncompressSync(Buffer.from(block)) as Buffer).equals(Buffer.from(plain))).toBe(true)
  expect(Buffer.from(uncompress(block, 1 << 20)).equals(Buffer.from(plain))).toBe(true)
}

test('literals and copies of all sizes are decoded as they were meant', () => {
  const element = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map((literal) => ({ literal })),
    fc.record({ part: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.integer({ min: 1, max: 300 }) }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.array(element, { maxLength: 60 }), (first, drawn) => {
      let size = first.length
      const elements: Element[] = [{ literal: first }]
      for (const one of drawn) {
        if ('literal' in one) elements.push(one)
        else elements.push({ distance: 1 + Math.floor(one.part * (size - 1)), length: one.length })
        size += 'literal' in one ? one.literal.length : one.length
      }
      expectDecoded(elements)
    }),
    { numRuns: 300 },
  )
})

test.each([1, 59, 60, 61, 256, 257, 65536, 65537])('a literal of %i bytes has a head of the right length', (length) => {
  expectDecoded([{ literal: new Uint8Array(length).fill(7) }])
})

test.each([
  [1, 1],
  [4, 2047],
  [11, 2047],
  [12, 2047],
  [11, 2048],
  [64, copyDistanceMax],
  [65, copyDistanceMax],
  [129, copyDistanceMax],
])('a copy of %i bytes from %i back is read from there', (length, distance) => {
  expectDecoded([{ literal: Uint8Array.from({ length: 70_000 }, (_, i) => (i * 31) ^ (i >> 8)) }, { distance, length }])
})
