import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeUtf8 } from './scan.ts'
import { cachedTextBytesMax, readText } from './text-cache.ts'

const read = (bytes: Uint8Array) => readText(bytes, 0, bytes.length)

test('reads as the decoder does, whatever was read before', () => {
  const piece = fc.constantFrom('a', 'b', 'é', '\0', '\xff', '\xe9', '\xc3')
  const bytes = fc.array(piece, { maxLength: 5 }).map((list) => Buffer.from(list.join(''), 'latin1'))
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 20 }), (bodies) => {
      for (const body of bodies) expect(read(body)).toBe(decodeUtf8(body, 0, body.length))
    }),
    { numRuns: 2000 },
  )
})

test('a byte that is no UTF-8 does not pass for the character with its number', () => {
  expect(read(Buffer.from('é', 'utf8'))).toBe('é')
  expect(read(Buffer.from([0xe9]))).toBe('\ufffd')
  expect(read(Buffer.from('\ufffd', 'utf8'))).toBe('\ufffd')
})

test('reads ranges, and texts around the longest that is kept', () => {
  const text = 'x'.repeat(cachedTextBytesMax - 1)
  for (const whole of [text, `${text}y`, `${text}yz`]) {
    const bytes = Buffer.from(`"${whole}"`)
    for (let i = 0; i < 3; i++) expect(readText(bytes, 1, bytes.length - 1)).toBe(whole)
  }
  expect(readText(Buffer.from('abc'), 1, 1)).toBe('')
})

test('tells apart more texts than it keeps', () => {
  const bytes = Array.from({ length: 20_000 }, (_, i) => Buffer.from(`series_${i}_${'p'.repeat(i % 90)}`))
  for (let round = 0; round < 2; round++) for (const body of bytes) expect(read(body) === body.toString()).toBe(true)
})
