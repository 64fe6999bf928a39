import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TextParser } from '@narthex/exposition/text-parser'
import { LineWindows } from './line-windows.ts'
import type { WindowReader } from './line-windows.ts'

/** Reads all of a window but `left` bytes of it at most, and keeps what it read. */
class Reader implements WindowReader {
  text = ''
  longest = 0
  calls = 0
  isFinished = false
  readonly #left: () => number

  constructor(left: () => number = () => 0) {
    this.#left = left
  }

  readWindow(bytes: Uint8Array, end: number, isLast: boolean): number {
    const window = Buffer.from(bytes.subarray(0, end)).toString()
    if (!isLast && !window.endsWith('\n')) throw new Error(`want whole lines, got ${JSON.stringify(window)}`)
    this.calls++
    this.longest = Math.max(this.longest, end)
    const read = isLast ? end : Math.max(0, end - this.#left())
    this.text += window.slice(0, read)
    return read
  }

  finish(): void {
    this.isFinished = true
  }
}

const parser = new TextParser()
const lines = fc.array(fc.string({ maxLength: 30, unit: fc.constantFrom('a', 'b', '\n', ' ') }), { maxLength: 30 })

test('every byte is read once and in order, however the body is cut and whatever a window leaves', () => {
  fc.assert(
    fc.property(
      lines,
      fc.infiniteStream(fc.integer({ min: 1, max: 50 })),
      fc.integer({ min: 1, max: 64 }),
      fc.nat(20),
      (parts, cuts, size, left) => {
        const body = Buffer.from(parts.join(''))
        const reader = new Reader(() => left)
        const windows = new LineWindows(reader, parser, size)
        for (let at = 0; at < body.length;) {
          const next = at + cuts.next().value!
          windows.push(body.subarray(at, next))
          at = next
        }
        windows.end()
        expect(reader.text).toBe(body.toString())
        expect(reader.isFinished).toBe(true)
      },
    ),
  )
})

test('a window is not larger than what a line needs, and is small again behind it', () => {
  const reader = new Reader()
  const windows = new LineWindows(reader, parser, 64)
  const short = 'x 1\n'.repeat(1000)
  windows.push(Buffer.from(short))
  expect(reader.longest).toBeLessThanOrEqual(64)
  windows.push(Buffer.from(`${'y'.repeat(10_000)} 1\n`))
  windows.push(Buffer.from(short.repeat(10)))
  expect(reader.longest).toBeLessThan(40_000)
  reader.longest = 0
  windows.push(Buffer.from(short))
  windows.end()
  expect(reader.longest).toBeLessThanOrEqual(64)
})

test('what comes behind a long line without an end is not searched again and again', () => {
  const reader = new Reader()
  const windows = new LineWindows(reader, parser, 64)
  for (let i = 0; i < 20_000; i++) windows.push(Buffer.from('0123456789'))
  expect(reader.calls).toBe(0)
  windows.end()
  expect(reader.text).toHaveLength(200_000)
})
