import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { findLineEnd, findWord, skipQuoted, skipQuotedUtf8 } from './scan.ts'

const piece = fc.constantFrom('\n', '"', '\\', 'a', '\x0b', '\x8a', 'é', 'long and plain ', '\0', '\xff')
const bodies = fc.array(piece, { maxLength: 8 }).map((list) => Buffer.concat(list.map((text) => Buffer.from(text, 'latin1'))))

function findSlowly(bytes: Uint8Array, start: number, end: number): number {
  let i = start
  while (i < end && bytes[i] !== 10) i++
  return i
}

test('findLineEnd finds the first newline, and never calls wide bytes plain', () => {
  fc.assert(
    fc.property(bodies, fc.nat(20), fc.nat(20), (bytes, a, b) => {
      const start = Math.min(a, b, bytes.length)
      const end = Math.min(Math.max(a, b), bytes.length)
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      const found = findLineEnd(bytes, view, start, end)
      const lineEnd = found < 0 ? ~found : found
      expect(lineEnd).toBe(findSlowly(bytes, start, end))
      expect(found < 0).toBe(bytes.subarray(start, lineEnd).some((byte) => byte >= 128))
    }),
    { numRuns: 5000 },
  )
})

test.each(Array.from({ length: 20 }, (_, i) => i))('findLineEnd sees a wide byte at place %i of a line', (at) => {
  const bytes = Buffer.from(`${'x'.repeat(20)}\n`)
  bytes[at] = 0x8a
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  expect(findLineEnd(bytes, view, 0, bytes.length)).toBe(~20)
})

test('skipQuotedUtf8 is skipQuoted for strings that are UTF-8', () => {
  fc.assert(
    fc.property(bodies, fc.boolean(), (body, newlines) => {
      const bytes = Buffer.concat([Buffer.from('"'), body])
      for (const end of [bytes.length, bytes.length - 1]) {
        const skipped = skipQuoted(bytes, 0, end, newlines)
        expect(skipQuotedUtf8(bytes, 0, end, newlines)).toBe(skipped >= 0 && isUtf8(bytes.subarray(0, skipped)) ? skipped : -1)
      }
    }),
    { numRuns: 5000 },
  )
})

test('findWord takes a whole word only', () => {
  const words = ['gauge', 'info', 'unit'].map((word) => Buffer.from(word))
  const find = (text: string) => findWord(words, Buffer.from(`<${text}>`), 1, 1 + text.length)
  expect(['gauge', 'info', 'unit', 'gaug', 'gauges', 'Info', ''].map(find)).toEqual([0, 1, 2, -1, -1, -1, -1])
})
