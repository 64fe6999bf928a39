import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AttributeReader, hexadecimalDigit, listSorted, parseInteger } from './attribute-reader.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-attributes-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function write(content: string | Uint8Array): string {
  const path = join(directory, 'attribute')
  writeFileSync(path, content)
  return path
}

test.each([
  ['42\n', 42],
  [' \t-7 \n\0', -7],
  ['+8', 8],
  ['0x1003\n', 0x1003],
  ['0XfF', 255],
  ['18446744073709551615', 2 ** 64],
  ['9007199254740993', 9_007_199_254_740_992],
  ['0xffffffffffffffff', 2 ** 64],
  ['-9223372036854775808', -(2 ** 63)],
])('%j is the integer %d', (text, value) => {
  expect(new AttributeReader().integer(write(text))).toBe(value)
})

test.each(['', '\n', '-', '0x', '0xg', '1 2', '1.5', '12a', 'N/A (no PMA)', 'unknown'])('%j is no integer', (text) => {
  expect(new AttributeReader().integer(write(text))).toBeNaN()
})

test('a text is without blanks around it, and bytes that are no UTF-8 are replaced', () => {
  const reader = new AttributeReader()
  expect(reader.text(write('  step_wise \n'))).toBe('step_wise')
  expect(reader.text(write('\n'))).toBe('')
  expect(reader.text(write(Buffer.from([0x4c, 0xff, 0x47, 10])))).toBe('L\ufffdG')
})

test('a file that is not there or gives an error when read has no value', () => {
  const reader = new AttributeReader()
  mkdirSync(join(directory, 'directory'), { recursive: true })
  for (const name of ['none', 'directory', 'directory/none', 'attribute/none']) {
    expect(reader.text(join(directory, name)), name).toBeUndefined()
    expect(reader.integer(join(directory, name)), name).toBeNaN()
  }
})

test('reading one leaves no file open', () => {
  const reader = new AttributeReader()
  const path = write('1')
  const before = listSorted('/proc/self/fd').length
  for (let round = 0; round < 100; round++) {
    reader.text(path)
    reader.text(join(directory, 'directory'))
  }
  expect(listSorted('/proc/self/fd').length).toBeLessThan(before + 20)
})

test('a part of the bytes is read', () => {
  const bytes = Buffer.from('tx:00FF,12')
  expect(parseInteger(bytes, 8, 10)).toBe(12)
  expect(parseInteger(bytes, 10, 10)).toBeNaN()
  expect([...'09afAFgG/:@`'].map((digit) => hexadecimalDigit(digit.charCodeAt(0)))).toEqual([0, 9, 10, 15, 10, 15, -1, -1, -1, -1, -1, -1])
})

test('a directory that is not there has no names', () => {
  expect(listSorted(join(directory, 'nowhere'))).toEqual([])
})
