import fc from 'fast-check'
import { expect, it } from 'vitest'
import createXxhash from 'xxhash-wasm'
import { xxhash64, xxhash64Fraction } from './xxhash64.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

it.each([
  ['', 0xef46db3751d8e999n],
  ['a', 0xd24ec4f1a98c6e5bn],
  ['abc', 0x44bc2cf5ad770999n],
])('hashes %j to the published sum', (text, hash) => {
  expect(xxhash64(bytesOf(text))).toBe(hash)
})

it('agrees with the reference implementation', async () => {
  const { h64Raw } = await createXxhash()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(8), (bytes, start) => {
      const from = Math.min(start, bytes.length)
      const hash = h64Raw(bytes.slice(from))
      expect(xxhash64(bytes, from)).toBe(hash)
      expect(xxhash64Fraction(bytes, from)).toBeCloseTo(Number(hash) / 2 ** 64, 15)
    }),
    { numRuns: 500 },
  )
})
