import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findPassword, passwordFileBytesMax, readPasswordFile } from './password-file.ts'
import { parseRedisAddress } from './redis-address.ts'

let directory: string
beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'narthex-password-file-'))))
afterAll(() => rmSync(directory, { recursive: true }))

function write(text: string): string {
  const path = join(directory, 'passwords.json')
  writeFileSync(path, text)
  return path
}

test('passwords are found by address and user, however the address is spelled', () => {
  const path = write('{"redis://a:1": "one", "redis://u@a:1": "two", "redis://:@b": "three", "c": "four", "unix:///run/s": "five"}')
  const find = (address: string, user = ''): string | undefined =>
    findPassword(readPasswordFile(path), parseRedisAddress(address).text, user)
  expect(find('redis://a:1')).toBe('one')
  expect(find('a:1')).toBe('one')
  expect(find('redis://a:1', 'u')).toBe('two')
  expect(find('redis://a:1', 'other')).toBeUndefined()
  expect(find('redis://b:6379')).toBe('three')
  expect(find('c')).toBe('four')
  expect(find('unix:///run/s')).toBe('five')
  expect(find('redis://a:2')).toBeUndefined()
})

test.each([
  ['{"redis://a": "hidden"', 'want a JSON object of addresses and passwords, got other text'],
  ['["hidden"]', 'want a JSON object of addresses and passwords, got another value'],
  ['{"redis://a": 12345}', 'want a text as password of every address, got number'],
  ['{"redis://u:hidden@a:99999": "x"}', 'want a port from 1 to 65535, got 99999'],
])('a file that is none is refused without its content: %s', (text, reason) => {
  const path = write(text)
  expect(() => readPasswordFile(path)).toThrow(`cannot read password file ${path}: `)
  expect(() => readPasswordFile(path)).toThrow(reason)
  expect(() => readPasswordFile(path)).not.toThrow(/hidden|12345/)
})

test('a file that is not there or too large is refused', () => {
  expect(() => readPasswordFile(join(directory, 'none'))).toThrow('ENOENT')
  const fill = (bytes: number): string => write(`{"a": "${'x'.repeat(bytes - 9)}"}`)
  expect(readPasswordFile(fill(passwordFileBytesMax)).size).toBe(1)
  const path = fill(passwordFileBytesMax + 1)
  expect(() => readPasswordFile(path)).toThrow(`want at most ${passwordFileBytesMax} bytes`)
})
