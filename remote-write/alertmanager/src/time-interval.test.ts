import { containsTime } from './time-interval.ts'
import { describe, expect, test } from 'vitest'
import type { TimeIntervalConfig } from '@narthex/config/time-interval'

const always: TimeIntervalConfig = { times: [], weekdays: [], daysOfMonth: [], months: [], years: [], location: 'UTC' }

function contains(interval: Partial<TimeIntervalConfig>, time: string): boolean {
  return containsTime([{ ...always, ...interval }], Date.parse(time))
}

describe('time intervals', () => {
  test('begin in their first minute and end before their last', () => {
    const times = [{ startMinute: 9 * 60, endMinute: 17 * 60 }]
    expect(contains({ times }, '2026-01-05T08:59:59.999Z')).toBe(false)
    expect(contains({ times }, '2026-01-05T09:00:00Z')).toBe(true)
    expect(contains({ times }, '2026-01-05T16:59:59.999Z')).toBe(true)
    expect(contains({ times }, '2026-01-05T17:00:00Z')).toBe(false)
  })

  test('count weekdays from Sunday', () => {
    const weekdays = [{ begin: 1, end: 5 }]
    expect(contains({ weekdays }, '2026-01-04T12:00:00Z')).toBe(false)
    expect(contains({ weekdays }, '2026-01-05T12:00:00Z')).toBe(true)
    expect(contains({ weekdays }, '2026-01-09T12:00:00Z')).toBe(true)
    expect(contains({ weekdays }, '2026-01-10T12:00:00Z')).toBe(false)
  })

  test('count negative days from the end of the month', () => {
    const daysOfMonth = [{ begin: -1, end: -1 }]
    expect(contains({ daysOfMonth }, '2026-02-28T12:00:00Z')).toBe(true)
    expect(contains({ daysOfMonth }, '2028-02-28T12:00:00Z')).toBe(false)
    expect(contains({ daysOfMonth }, '2028-02-29T12:00:00Z')).toBe(true)
  })

  test('leave out days that the month does not have', () => {
    const daysOfMonth = [{ begin: 31, end: 31 }]
    expect(contains({ daysOfMonth }, '2026-04-30T12:00:00Z')).toBe(false)
    expect(contains({ daysOfMonth: [{ begin: 29, end: 31 }] }, '2026-04-30T12:00:00Z')).toBe(true)
  })

  test('follow the clock of their location', () => {
    const times = [{ startMinute: 0, endMinute: 60 }]
    expect(contains({ times, location: 'Asia/Kolkata' }, '2026-01-04T18:30:00Z')).toBe(true)
    expect(contains({ times, weekdays: [{ begin: 1, end: 1 }], location: 'Asia/Kolkata' }, '2026-01-04T18:30:00Z')).toBe(true)
    expect(contains({ times, location: 'Asia/Kolkata' }, '2026-01-05T00:00:00Z')).toBe(false)
  })

  test('need all their fields', () => {
    const interval = { months: [{ begin: 1, end: 1 }], years: [{ begin: 2026, end: 2027 }] }
    expect(contains(interval, '2026-01-31T23:59:59Z')).toBe(true)
    expect(contains(interval, '2026-02-01T00:00:00Z')).toBe(false)
    expect(contains(interval, '2028-01-01T00:00:00Z')).toBe(false)
  })
})
