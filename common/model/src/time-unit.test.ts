import { expect, it } from 'vitest'
import { findTimeUnit, formatTimeIn, parseTimeIn, timeUnits } from './time-unit.ts'

it.each(timeUnits)('a time of whole seconds in %s is read and written', (unit) => {
  for (const ms of [0, -1000, 1_767_571_200_000]) expect(parseTimeIn(unit, formatTimeIn(unit, ms))).toBe(ms)
})

it('fractions of a second are read where a unit has them', () => {
  expect(parseTimeIn('unix_s', '1.5')).toBe(1500)
  expect(parseTimeIn('unix_ns', '1500000999')).toBe(1500)
  expect(parseTimeIn('rfc3339', '1970-01-01T00:00:01.5Z')).toBe(1500)
})

it('what is no time is told from one', () => {
  for (const text of ['', 'x', '1e3', '0x1', ' 1']) expect(parseTimeIn('unix_ms', text)).toBeUndefined()
  expect(parseTimeIn('rfc3339', '2026')).toBeUndefined()
  expect(findTimeUnit('days')).toBeUndefined()
})
