import { compileRegex } from '@narthex/model/regex'
import { expect, test } from 'vitest'
import { labelValueBytesMax, LabelValues, otherId } from './label-values.ts'

function find(values: LabelValues, text: string | Uint8Array): string {
  const bytes = Buffer.from(text)
  return values.text(values.find(bytes, 0, bytes.length))
}

test('the first values are themselves, later ones are other, and that is counted', () => {
  const values = new LabelValues(2)
  expect(['a', 'b', 'c', 'a', 'c', ''].map((text) => find(values, text))).toEqual(['a', 'b', 'other', 'a', 'other', 'other'])
  expect(values.others).toBe(3)
  expect(values.isFull).toBe(true)
})

test('a value keeps its bytes when the buffer that it came in is used again', () => {
  const values = new LabelValues(5)
  const buffer = Buffer.from('one')
  const id = values.find(buffer, 0, 3)
  buffer.write('two')
  expect(values.find(Buffer.from('one'), 0, 3)).toBe(id)
  expect(values.find(buffer, 0, 3)).not.toBe(id)
})

test('only allowed values are themselves, and the others take no room', () => {
  const values = new LabelValues(1, compileRegex('.*\\.test'))
  expect(['evil', 'a.test', 'evil', 'b.test'].map((text) => find(values, text))).toEqual(['other', 'a.test', 'other', 'other'])
})

test('the longest value that counts, and the first one that does not', () => {
  const values = new LabelValues(5)
  expect(find(values, 'x'.repeat(labelValueBytesMax))).toHaveLength(labelValueBytesMax)
  expect(find(values, 'x'.repeat(labelValueBytesMax + 1))).toBe('other')
})

test('escapes are undone, and bytes that are no UTF-8 are replaced', () => {
  const values = new LabelValues(9)
  expect(find(values, 'a\\x22\\xC3\\xA9')).toBe('a"é')
  expect(find(values, 'a\\u0022\\"\\\\')).toBe('a""\\')
  expect(find(values, Uint8Array.of(0x61, 0xff))).toBe('a\ufffd')
  // Another spelling of the same text is the same value.
  expect(find(values, 'a\\ufffd')).toBe('a\ufffd')
  expect(values.size).toBe(4)
})

test('a hundred thousand made up values cost no more than the first ones', () => {
  const values = new LabelValues(10)
  for (let i = 0; i < 100_000; i++) {
    const bytes = Buffer.from(`host-${i}`)
    const id = values.find(bytes, 0, bytes.length)
    expect(id === otherId).toBe(i >= 10)
  }
  expect(values.size).toBe(11)
  expect(values.others).toBe(99_990)
})
