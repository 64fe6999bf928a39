import type { IntegerRange, TimeIntervalConfig } from '@narthex/config/time-interval'

interface WallTime {
  readonly minute: number
  readonly weekday: number
  readonly day: number
  readonly month: number
  readonly year: number
}

/** Whether the moment lies in any of the intervals. */
export function containsTime(intervals: readonly TimeIntervalConfig[], timeMs: number): boolean {
  return intervals.some((interval) => matchesInterval(interval, readWallTime(interval.location, timeMs)))
}

function matchesInterval(interval: TimeIntervalConfig, time: WallTime): boolean {
  return (
    (interval.times.length === 0 ||
      interval.times.some(({ startMinute, endMinute }) => time.minute >= startMinute && time.minute < endMinute)) &&
    includes(interval.weekdays, time.weekday) &&
    (interval.daysOfMonth.length === 0 || interval.daysOfMonth.some((range) => includesDay(range, time))) &&
    includes(interval.months, time.month) &&
    includes(interval.years, time.year)
  )
}

function includes(ranges: readonly IntegerRange[], value: number): boolean {
  return ranges.length === 0 || ranges.some(({ begin, end }) => value >= begin && value <= end)
}

// A range is cut to the days that the month has; one that lies wholly outside holds on no day.
function includesDay(range: IntegerRange, time: WallTime): boolean {
  const daysInMonth = new Date(Date.UTC(time.year, time.month, 0)).getUTCDate()
  const begin = resolveDay(range.begin, daysInMonth)
  const end = resolveDay(range.end, daysInMonth)
  if (begin > daysInMonth || end < 1) return false
  return time.day >= Math.max(begin, 1) && time.day <= Math.min(end, daysInMonth)
}

function resolveDay(day: number, daysInMonth: number): number {
  return day < 0 ? daysInMonth + day + 1 : day
}

const formats = new Map<string, Intl.DateTimeFormat>()
const weekdayNames = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

function readWallTime(location: string, timeMs: number): WallTime {
  const parts: Record<string, string> = {}
  for (const part of zoneFormat(location).formatToParts(timeMs)) parts[part.type] = part.value
  return {
    minute: Number(parts['hour']) * 60 + Number(parts['minute']),
    weekday: weekdayNames.indexOf(parts['weekday'] ?? ''),
    day: Number(parts['day']),
    month: Number(parts['month']),
    year: Number(parts['year']),
  }
}

// As many entries as the configuration names locations.
function zoneFormat(location: string): Intl.DateTimeFormat {
  const known = formats.get(location)
  if (known !== undefined) return known
  const format = new Intl.DateTimeFormat('en-US', {
    ...(location === 'Local' ? {} : { timeZone: location === '' ? 'UTC' : location }),
    hourCycle: 'h23',
    weekday: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  })
  formats.set(location, format)
  return format
}
