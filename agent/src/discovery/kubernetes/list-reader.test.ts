import { describe, expect, test } from 'vitest'
import { itemBytesMax, listHeadBytesMax, ListReader } from './list-reader.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

function read(text: string, chunkBytes = Infinity): { items: unknown[]; head: ReturnType<ListReader['end']> } {
  const items: unknown[] = []
  const reader = new ListReader((item) => void items.push(item))
  const all = bytes(text)
  for (let at = 0; at < all.length; at += chunkBytes) reader.write(all.subarray(at, Math.min(all.length, at + chunkBytes)))
  return { items, head: reader.end() }
}

const tricky = [
  { metadata: { name: 'a', annotations: { json: '{"items":[{"x":"]}\\""}]}', slash: '\\', quote: '"' } }, items: [[1], { b: [] }] },
  { metadata: { name: 'ä€😀' } },
  {},
]

describe('ListReader', () => {
  test.each([1, 2, 3, 7, 64, Infinity])('gives the same items whatever the cut: %i bytes', (chunkBytes) => {
    const list = { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '42', continue: 'next' }, items: tricky }
    for (const text of [
      JSON.stringify(list),
      JSON.stringify(list, null, 2),
      ` ${JSON.stringify({ items: list.items, metadata: list.metadata })}\n`,
    ]) {
      expect(read(text, chunkBytes)).toEqual({ items: tricky, head: { resourceVersion: '42', continueToken: 'next' } })
    }
  })

  test('takes null and absent items as none', () => {
    const none = { items: [], head: { resourceVersion: '1', continueToken: '' } }
    expect(read('{"metadata":{"resourceVersion":"1"},"items":null}')).toEqual(none)
    expect(read('{"metadata":{"resourceVersion":"1"}}')).toEqual(none)
    expect(read('{"metadata":{"resourceVersion":"1"},"others":[1,{"a":2}],"items":[]}')).toEqual(none)
  })

  test.each([
    ['', /unexpected end/],
    ['{"items":[{"a":1}', /unexpected end/],
    ['{"items":["a"]}', /want objects as items/],
    ['{"items":[null]}', /want objects as items/],
    ['{"items":[[{}]]}', /want objects as items/],
    ['{"items":[{"a":1]]}', /cannot read list/],
    ['{"items":[{a:1}]}', /cannot read list/],
    ['{"metadata":}', /cannot read list/],
    ['[{}]', /want an object/],
    ['{}}', /more brackets/],
    ['{"items":[]} x', /cannot read list/],
  ])('refuses %s', (text, message) => {
    expect(() => read(text)).toThrow(message)
  })

  test('takes an object of the largest size, and refuses one byte more', () => {
    const item = (size: number) => `{"a":"${'x'.repeat(size - 8)}"}`
    expect(read(`{"items":[${item(itemBytesMax)}]}`, 65_536).items).toHaveLength(1)
    expect(() => read(`{"items":[${item(itemBytesMax + 1)}]}`, 65_536)).toThrow(`want objects of at most ${itemBytesMax} bytes`)
  })

  test('takes the largest head, and refuses one byte more', () => {
    const list = (size: number) => `{"a":"${'x'.repeat(size - 8)}"}`
    expect(read(list(listHeadBytesMax), 65_536).items).toEqual([])
    expect(() => read(list(listHeadBytesMax + 1), 65_536)).toThrow(`want at most ${listHeadBytesMax} bytes beside items`)
  })
})
