/** Inclusive bounds, except for `times`, whose end is exclusive. */
export interface Range {
  readonly begin: number
  readonly end: number
}

/** One element of a `time_intervals` list. Fields are ANDed, ranges within a field ORed; an empty field matches always. */
export interface TimeInterval {
  /** Minutes since midnight. */
  readonly times: readonly Range[]
  /** 0 is Sunday. */
  readonly weekdays: readonly Range[]
  /** 1…31, or −31…−1 counted from the end of the month. */
  readonly daysOfMonth: readonly Range[]
  /** 1…12. */
  readonly months: readonly Range[]
  readonly years: readonly Range[]
  /** IANA name, `Local` or `UTC`. */
  readonly location: string
}

interface WallTime {
  readonly minute: number
  readonly weekday: number
  readonly day: number
  readonly month: number
  readonly year: number
}

/** Whether the moment lies in any of the intervals. */
export function containsTime(intervals: readonly TimeInterval[], timeMs: number): boolean {
  return intervals.some((interval) => matchesInterval(interval, readWallTime(interval.location, timeMs)))
}

function matchesInterval(interval: TimeInterval, time: WallTime): boolean {
  return (
    (interval.times.length === 0 || interval.times.some(({ begin, end }) => time.minute >= begin && time.minute < end)) &&
    includes(interval.weekdays, time.weekday) &&
    (interval.daysOfMonth.length === 0 || interval.daysOfMonth.some((range) => includesDay(range, time))) &&
    includes(interval.months, time.month) &&
    includes(interval.years, time.year)
  )
}

function includes(ranges: readonly Range[], value: number): boolean {
  return ranges.length === 0 || ranges.some(({ begin, end }) => value >= begin && value <= end)
}

// Days past the month's end are clamped to it, days before its first to the first; so 31 is the last day of every month… of its range.
function includesDay(range: Range, time: WallTime): boolean {
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
