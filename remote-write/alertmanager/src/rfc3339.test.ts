import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { formatApiTime, formatNanoTime, msToNs, nsToMs, parseRfc3339, zeroTimeNs } from './rfc3339.ts'

describe('times', () => {
  test.each([
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'],
    ['2026-01-02T03:04:05.120Z', '2026-01-02T03:04:05.12Z'],
    ['2026-01-02T03:04:05.123456789Z', '2026-01-02T03:04:05.123456789Z'],
    ['2026-01-02T03:04:05.1234567891Z', '2026-01-02T03:04:05.123456789Z'],
    ['2026-01-02T03:04:05+02:00', '2026-01-02T01:04:05Z'],
    ['2026-01-02T03:04:05.5-0130', '2026-01-02T04:34:05.5Z'],
    ['2026-01-02 03:04:05', '2026-01-02T03:04:05Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
  ])('%s reads as %s', (text, expected) => {
    expect(formatNanoTime(parseRfc3339(text)!)).toBe(expected)
  })

  test.each(['', 'yesterday', '2026-02-30T00:00:00Z', '2026-01-02', '2026-01-02T24:00:00Z', '2026-01-02T03:04:60Z'])(
    '%s is no time',
    (text) => {
      expect(parseRfc3339(text)).toBeUndefined()
    },
  )

  test('the zero time is Go’s', () => {
    expect(parseRfc3339('0001-01-01T00:00:00Z')).toBe(zeroTimeNs)
  })

  test('the API shows three decimals, cut', () => {
    expect(formatApiTime(parseRfc3339('2026-01-02T03:04:05.1239Z')!)).toBe('2026-01-02T03:04:05.123Z')
    expect(formatApiTime(parseRfc3339('2026-01-02T03:04:05Z')!)).toBe('2026-01-02T03:04:05.000Z')
  })

  test('nanoseconds survive the text', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: zeroTimeNs, max: 4_000_000_000_000_000_000n }), (timeNs) => {
        expect(parseRfc3339(formatNanoTime(timeNs))).toBe(timeNs)
        expect(msToNs(nsToMs(timeNs)) <= timeNs).toBe(true)
      }),
    )
  })
})
