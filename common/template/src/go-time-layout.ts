/** The parts of a time, as a clock on the wall in its zone shows them. */
export interface WallClock {
  readonly year: number
  /** 1–12 */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly nanosecond: number
  /** 0 is Sunday. */
  readonly weekday: number
  readonly yearDay: number
  readonly zoneName: string
  readonly zoneOffsetSeconds: number
}

export const monthNames = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

export const dayNames = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']

// The reference time of Go's layouts is Mon Jan 2 15:04:05 MST 2006; each of its spellings stands for one part.
// Longer spellings come first; `Jan` and `Mon` are parts only where no lower-case letter follows, `_2006` is an underscore and a year.
export const layoutParts = new RegExp(
  [
    'January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST',
    '002|01|02|03|04|05|06',
    '2006|15|1|2|3|4|5',
    '__2|_2(?!006)',
    'PM|pm',
    'Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07',
    '[.,]0+(?![0-9])|[.,]9+(?![0-9])',
  ].join('|'),
  'g',
)

/** Go's `Time.Format`. */
export function formatLayout(layout: string, clock: WallClock): string {
  return layout.replace(layoutParts, (part) => formatPart(part, clock))
}

function formatPart(part: string, clock: WallClock): string {
  switch (part) {
    case 'January':
      return monthNames[clock.month - 1]!
    case 'Jan':
      return monthNames[clock.month - 1]!.slice(0, 3)
    case 'Monday':
      return dayNames[clock.weekday]!
    case 'Mon':
      return dayNames[clock.weekday]!.slice(0, 3)
    case 'MST':
      return clock.zoneName
    case '2006':
      return (clock.year < 0 ? '-' : '') + padNumber(Math.abs(clock.year), 4)
    case '06':
      return padNumber(((clock.year % 100) + 100) % 100, 2)
    case '01':
      return padNumber(clock.month, 2)
    case '1':
      return String(clock.month)
    case '02':
      return padNumber(clock.day, 2)
    case '_2':
      return String(clock.day).padStart(2)
    case '2':
      return String(clock.day)
    case '002':
      return padNumber(clock.yearDay, 3)
    case '__2':
      return String(clock.yearDay).padStart(3)
    case '15':
      return padNumber(clock.hour, 2)
    case '03':
      return padNumber(clock.hour % 12 || 12, 2)
    case '3':
      return String(clock.hour % 12 || 12)
    case '04':
      return padNumber(clock.minute, 2)
    case '4':
      return String(clock.minute)
    case '05':
      return padNumber(clock.second, 2)
    case '5':
      return String(clock.second)
    case 'PM':
      return clock.hour >= 12 ? 'PM' : 'AM'
    case 'pm':
      return clock.hour >= 12 ? 'pm' : 'am'
  }
  return part.startsWith('Z') || part.startsWith('-') ? formatOffset(part, clock.zoneOffsetSeconds) : formatFraction(part, clock.nanosecond)
}

/** `Z07:00` writes Z for no offset, `-07:00` writes it out; with or without colons, minutes and seconds as the part has them. */
function formatOffset(part: string, offsetSeconds: number): string {
  if (part.startsWith('Z') && offsetSeconds === 0) return 'Z'
  const size = Math.abs(offsetSeconds)
  const colon = part.includes(':') ? ':' : ''
  const digits = part.replace(/[^0-9]/g, '').length
  let text = (offsetSeconds < 0 ? '-' : '+') + padNumber(Math.floor(size / 3600), 2)
  if (digits >= 4) text += colon + padNumber(Math.floor(size / 60) % 60, 2)
  if (digits >= 6) text += colon + padNumber(size % 60, 2)
  return text
}

/** `.000` cuts to three digits, `.999` also drops zeros at the end, and the point with them. */
function formatFraction(part: string, nanosecond: number): string {
  const digits = padNumber(nanosecond, 9)
    .slice(0, part.length - 1)
    .padEnd(part.length - 1, '0')
  if (part[1] === '0') return part[0]! + digits
  const needed = digits.replace(/0+$/, '')
  return needed === '' ? '' : part[0]! + needed
}

function padNumber(value: number, digits: number): string {
  return String(value).padStart(digits, '0')
}
