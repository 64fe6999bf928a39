import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { buildCrc32c } from '../build/build-crc32c.ts'
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

it('sums long ranges as it sums their pieces', () => {
  const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 2_654_435_761) >>> 13)
  const byPieces = (start: number, end: number): number => {
    let sum = 0
    for (let at = start; at < end; at += 100) sum = crc32c(bytes, at, Math.min(end, at + 100), sum)
    return sum
  }
  // The room of the module is 48 KiB, and it folds sixteen bytes at a time.
  for (const length of [127, 128, 129, 143, 144, 1000, 49_151, 49_152, 49_153, 98_304, 150_000]) {
    for (const start of [0, 1, 15, 4_095]) expect(crc32c(bytes, start, start + length)).toBe(byPieces(start, start + length))
    expect(crc32c(bytes.slice(0, length))).toBe(byPieces(0, length))
    expect(crc32c(bytes, 7, length, 0x9abc_def0)).toBe(crc32c(bytes, 100, length, crc32c(bytes, 7, 100, 0x9abc_def0)))
  }
})

it('is the module that its text says', async () => {
  expect(readFileSync(join(import.meta.dirname, 'crc32c-bytes.ts'), 'utf8')).toBe(await buildCrc32c())
})
