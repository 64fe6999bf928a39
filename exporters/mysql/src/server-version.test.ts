import { expect, test } from 'vitest'
import { isAtLeast, isMariadbAtLeast, isMysqlAtLeast, parseServerVersion } from './server-version.ts'

test.each([
  ['5.7.44-log', false, [5, 7, 44]],
  ['8.0.36-0ubuntu0.22.04.1', false, [8, 0, 36]],
  ['9.1.0', false, [9, 1, 0]],
  ['8.4', false, [8, 4, 0]],
  ['10.11.6-MariaDB-0+deb12u1', true, [10, 11, 6]],
  ['5.5.5-10.4.7-MariaDB', true, [10, 4, 7]],
  ['12.0.2-MariaDB-log', true, [12, 0, 2]],
])('%s', (text, isMariadb, parts) => {
  expect(parseServerVersion(text)).toEqual({ isMariadb, parts })
})

test('anything else is refused', () => {
  expect(() => parseServerVersion('MySQL')).toThrow('cannot read @@version: want a version, got "MySQL"')
})

test('the limit itself is enough, the version before it is not', () => {
  const version = parseServerVersion('8.0.22')
  expect(isAtLeast(version, 8, 0, 22)).toBe(true)
  expect(isAtLeast(version, 8, 0, 23)).toBe(false)
  expect(isAtLeast(version, 5, 7, 99)).toBe(true)
  expect(isMysqlAtLeast(parseServerVersion('10.11.6-MariaDB'), 5, 7)).toBe(false)
  expect(isMariadbAtLeast(version, 5, 5)).toBe(false)
})
