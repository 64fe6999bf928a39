import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fnv1a64 } from './fnv.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

// Sums of Go's hash/fnv New64a.
it.each([
  ['', 0xcbf29ce484222325n],
  ['a', 0xaf63dc4c8601ec8cn],
  ['123456789', 0x06d5573923c6cdfcn],
  ['hello, world', 0x17a1a4f267be633dn],
  ['The quick brown fox jumps over the lazy dog', 0xf3f9b7f5e7e47110n],
])('hashes %j', (text, hash) => {
  expect(fnv1a64(bytesOf(text))).toBe(hash)
})

it('agrees with the definition, also in pieces', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (bytes, cut) => {
      let expected = 0xcbf29ce484222325n
      for (const byte of bytes) expected = ((expected ^ BigInt(byte)) * 0x100000001b3n) & 0xffff_ffff_ffff_ffffn
      const at = Math.min(cut, bytes.length)
      expect(fnv1a64(bytes)).toBe(expected)
      expect(fnv1a64(bytes, at, bytes.length, fnv1a64(bytes, 0, at))).toBe(expected)
    }),
  )
})
