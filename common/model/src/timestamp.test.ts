import { expect, test } from 'vitest'
import { parseTimestampSeconds } from './timestamp.ts'

test.each([
  ['0', 0],
  ['1767571200', 1767571200],
  ['1.5', 1.5],
  ['-1e3', -1000],
  ['1970-01-01T00:00:00Z', 0],
  ['2026-01-05T00:00:00Z', 1767571200],
  ['2026-01-05T01:00:00.25+01:00', 1767571200.25],
  ['2024-02-29T00:00:00Z', 1709164800],
])('%s is %d', (text, seconds) => {
  expect(parseTimestampSeconds(text)).toBe(seconds)
})

test.each([
  ...['', ' ', 'now', 'NaN', 'Inf', '1s', 'a'],
  ...['2026-01-05', '2026-01-05T00:00', '2026-01-05T00:00:00', '2026-01-05 00:00:00Z', '2026-01-05T00:00:00z', '2026-02-30T00:00:00Z'],
  ...['2026-13-01T00:00:00Z', '2026-01-00T00:00:00Z', '2026-01-01T24:00:00Z', 'Jan 5 2026', '2026-01-05T00:00:00Z '],
])('%j is no timestamp', (text) => {
  expect(parseTimestampSeconds(text)).toBeUndefined()
})
