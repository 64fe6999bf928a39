import fc from 'fast-check'
import { expect, it } from 'vitest'
import { crc32c } from './crc32c.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

// The check value of the algorithm, RFC 3720's vectors, and sums of Go's hash/crc32.
it.each([
  [bytesOf(''), 0],
  [bytesOf('a'), 0xc1d04330],
  [bytesOf('123456789'), 0xe3069283],
  [bytesOf('The quick brown fox jumps over the lazy dog'), 0x22620404],
  [new Uint8Array(32), 0x8a9136aa],
  [new Uint8Array(32).fill(0xff), 0x62a8ab43],
  [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
])('agrees with the published sums (%#)', (bytes, sum) => {
  expect(crc32c(bytes)).toBe(sum)
})

it('sums a range, and pieces one after another', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
      const at = Math.min(cut, bytes.length)
      expect(crc32c(bytes, at, bytes.length, crc32c(bytes, 0, at))).toBe(crc32c(bytes))
      expect(crc32c(bytes, at)).toBe(crc32c(bytes.slice(at)))
    }),
  )
})
