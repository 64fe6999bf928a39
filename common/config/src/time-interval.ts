import { list, string, text } from './codec.ts'
import { field, object } from './object-codec.ts'
import type { Codec } from './yaml-decode.ts'

/** Both ends belong to it; `begin` ≤ `end`, except that days of a month may be counted from the end (-1 is the last). */
export interface IntegerRange {
  readonly begin: number
  readonly end: number
}

/** All given parts must hold; an empty list holds always. */
export interface TimeIntervalConfig {
  /** Minutes of the day, the end not included. */
  readonly times: readonly { readonly startMinute: number; readonly endMinute: number }[]
  /** 0 is Sunday. */
  readonly weekdays: readonly IntegerRange[]
  readonly daysOfMonth: readonly IntegerRange[]
  /** 1 is January. */
  readonly months: readonly IntegerRange[]
  readonly years: readonly IntegerRange[]
  /** IANA name, `Local` or `UTC`; empty: UTC. */
  readonly location: string
}

const weekdayNames = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
const monthNames = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
]

function parseMinute(given: string): number | undefined {
  const match = /^([01]\d|2[0-4]):([0-5]\d)$/.exec(given)
  if (match === null) return undefined
  const minute = Number(match[1]) * 60 + Number(match[2])
  return minute > 1440 ? undefined : minute
}

const minuteOfDay: Codec<number> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    return parseMinute(given) ?? context.fail(node, `couldn't parse timestamp ${given}, invalid format`)
  },
  encode: (value) => `${String(Math.floor(value / 60)).padStart(2, '0')}:${String(value % 60).padStart(2, '0')}`,
}

const timeRange = object<{ startMinute: number; endMinute: number }>(
  'timeinterval.yamlTimeRange',
  { startMinute: field('start_time', minuteOfDay, -1, { always: true }), endMinute: field('end_time', minuteOfDay, -1, { always: true }) },
  {
    check({ startMinute, endMinute }, { fail }) {
      if (startMinute < 0 || endMinute < 0) fail('both start and end times must be provided')
      if (startMinute >= endMinute) fail('start time cannot be equal or greater than end time')
    },
  },
)

interface RangeRules {
  readonly parse: (given: string) => number | undefined
  readonly print: (value: number) => string
  readonly check: (range: IntegerRange) => string | undefined
}

function rangeCodec({ parse, print, check }: RangeRules): Codec<IntegerRange> {
  return {
    goType: 'string',
    decode(node, context) {
      const given = text.decode(node, context).toLowerCase()
      const [beginText, endText, ...others] = given.split(':').map((part) => part.trim())
      const begin = parse(beginText!)
      const end = endText === undefined ? begin : parse(endText)
      if (begin === undefined || end === undefined || others.length > 0) {
        return context.fail(node, `couldn't parse range ${given}, invalid format`)
      }
      const problem = check({ begin, end })
      return problem === undefined ? { begin, end } : context.fail(node, problem)
    },
    encode: ({ begin, end }) => (begin === end ? print(begin) : `${print(begin)}:${print(end)}`),
  }
}

function parseInteger(given: string): number | undefined {
  return /^-?\d+$/.test(given) ? Number(given) : undefined
}

function parseName(names: readonly string[], first: number) {
  return (given: string): number | undefined => {
    const index = names.indexOf(given)
    return index < 0 ? undefined : index + first
  }
}

const parseMonthName = parseName(monthNames, 1)

const weekdays = rangeCodec({
  parse: parseName(weekdayNames, 0),
  print: (value) => weekdayNames[value]!,
  check: ({ begin, end }) => (begin > end ? 'start day cannot be before end day' : undefined),
})

const daysOfMonth = rangeCodec({
  parse: parseInteger,
  print: String,
  check({ begin, end }) {
    const isDay = (day: number): boolean => day !== 0 && day >= -31 && day <= 31
    if (!isDay(begin)) return `${begin} is not a valid day of the month: out of range`
    if (!isDay(end)) return `${end} is not a valid day of the month: out of range`
    if (begin < 0 && end > 0) return 'end day must be negative if start day is negative'
    // Compared in a month of 31 days, as Alertmanager does.
    const dayOf = (day: number): number => (day < 0 ? 32 + day : day)
    return dayOf(begin) > dayOf(end) ? `end day ${end} is always before start day ${begin}` : undefined
  },
})

const months = rangeCodec({
  parse: (given) => parseMonthName(given) ?? parseInteger(given),
  print: String,
  check({ begin, end }) {
    for (const month of [begin, end]) if (month < 1 || month > 12) return `${month} is not a valid month: out of range`
    return begin > end ? `end month ${end} is before start month ${begin}` : undefined
  },
})

const years = rangeCodec({
  parse: parseInteger,
  print: String,
  check: ({ begin, end }) => (begin > end ? `end year ${end} is before start year ${begin}` : undefined),
})

const location: Codec<string> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    if (given === '' || given === 'Local' || given === 'UTC') return given
    try {
      new Intl.DateTimeFormat('en', { timeZone: given })
      return given
    } catch {
      return context.fail(node, `unknown time zone ${given}`)
    }
  },
  encode: (value) => value,
}

export const timeInterval: Codec<TimeIntervalConfig> = object<TimeIntervalConfig>('timeinterval.TimeInterval', {
  times: field('times', list(timeRange), []),
  weekdays: field('weekdays', list(weekdays), []),
  daysOfMonth: field('days_of_month', list(daysOfMonth), []),
  months: field('months', list(months), []),
  years: field('years', list(years), []),
  location: field('location', location, ''),
})

export interface NamedTimeIntervals {
  readonly name: string
  /** One of them is enough. */
  readonly intervals: readonly TimeIntervalConfig[]
}

export const namedTimeIntervals: Codec<NamedTimeIntervals> = object<NamedTimeIntervals>(
  'config.TimeInterval',
  { name: field('name', string, '', { always: true }), intervals: field('time_intervals', list(timeInterval), [], { always: true }) },
  { check: ({ name }, { fail }) => void (name !== '' || fail('missing name in time interval')) },
)
