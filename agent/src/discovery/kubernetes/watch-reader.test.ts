import { describe, expect, test } from 'vitest'
import { lineBytesMax, WatchReader, type WatchEvent } from './watch-reader.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

function read(text: string, chunkBytes = Infinity): WatchEvent[] {
  const events: WatchEvent[] = []
  const reader = new WatchReader((event) => void events.push(event))
  const all = bytes(text)
  for (let at = 0; at < all.length; at += chunkBytes) reader.write(all.subarray(at, Math.min(all.length, at + chunkBytes)))
  return events
}

describe('WatchReader', () => {
  test.each([1, 5, 64, Infinity])('gives each line as an event, cut every %i bytes', (chunkBytes) => {
    const events = [
      { type: 'ADDED', object: { metadata: { name: 'ä\n' } } },
      { type: 'BOOKMARK', object: { metadata: { resourceVersion: '7' } } },
    ]
    expect(read(events.map((event) => `${JSON.stringify(event)}\n`).join('\n'), chunkBytes)).toEqual(events)
  })

  test('keeps back a line without an end', () => {
    expect(read('{"type":"ADDED","object":{}}')).toEqual([])
  })

  test('throws what an ERROR event says', () => {
    const status = { kind: 'Status', message: 'too old resource version: 1 (5)', reason: 'Expired', code: 410 }
    expect(() => read(`${JSON.stringify({ type: 'ERROR', object: status })}\n`)).toThrow(
      expect.objectContaining({ name: 'ApiStatusError', status: 410, isExpired: true, message: '410 too old resource version: 1 (5)' }),
    )
  })

  test.each([
    ['{"type":"OTHER","object":{}}\n', /want a type of event, got "OTHER"/],
    ['[]\n', /want a type of event, got ""/],
    ['{"type"\n', /cannot read watch/],
  ])('refuses %j', (text, message) => {
    expect(() => read(text)).toThrow(message)
  })

  test('takes a line of the largest size, and refuses one byte more', () => {
    const frame = '{"type":"ADDED","object":""}'
    const line = (size: number) => `${frame.slice(0, -2)}${'x'.repeat(size - frame.length)}"}\n`
    expect(read(line(lineBytesMax), 65_536)).toHaveLength(1)
    expect(() => read(line(lineBytesMax + 1), 65_536)).toThrow(`want events of at most ${lineBytesMax} bytes`)
  })
})
