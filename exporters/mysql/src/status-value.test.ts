import { expect, test } from 'vitest'
import { parsePreciseSqlTime, parseSqlTime, parseStatusValue, toMetricName } from './status-value.ts'

test.each([
  ['0', 0],
  ['18446744073709551615', 18_446_744_073_709_552_000],
  ['-1', -1],
  ['0.500000', 0.5],
  ['1e3', 1000],
  ['ON', 1],
  ['yes', 1],
  ['Primary', 1],
  ['OFF', 0],
  ['No', 0],
  ['DISABLED', 0],
  ['Connecting', 0],
  ['non-Primary', 0],
  ['Disconnected', 0],
  ['Nov 28 02:03:00 2035 GMT', 2_079_828_180],
  ['Nov  8 02:03:00 2035 GMT', 2_078_100_180],
  ['2026-08-01 12:00:00', 1_785_585_600],
])('%j is %d', (text, value) => {
  expect(parseStatusValue(text)).toBe(value)
})

test.each([
  '',
  ' ',
  'mysql-bin.000012',
  '10.11.6-MariaDB',
  '0000-00-00 00:00:00',
  'Feb 30 00:00:00 2026 GMT',
  '0x10',
  'DEFAULT',
  'NO_LOCK',
])('%j is no number', (text) => {
  expect(parseStatusValue(text)).toBeUndefined()
})

test('fractions of seconds are cut off times', () => {
  expect(parseSqlTime('2026-08-01 12:00:00.999999')).toBe(1_785_585_600)
})

test.each([
  ['2026-11-29 15:02:21.157587', 1_795_964_541.157587],
  ['2026-11-29 15:02:21.5', 1_795_964_541.5],
  ['2026-11-29 15:02:21', 1_795_964_541],
  ['0000-00-00 00:00:00.000000', undefined],
  ['2026-11-29 15:02:21.1234567891', undefined],
])('the precise time of %s is %d', (text, expected) => {
  expect(parsePreciseSqlTime(text)).toBe(expected)
})

test('names are lower case, other characters become underscores', () => {
  expect(toMetricName('Innodb_x.y-Z')).toBe('innodb_x_y_z')
})
