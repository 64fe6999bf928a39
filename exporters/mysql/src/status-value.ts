import { parseGoFloat } from '@narthex/model/number'

const words: ReadonlyMap<string, number> = new Map([
  ['yes', 1],
  ['on', 1],
  ['primary', 1],
  ['no', 0],
  ['off', 0],
  ['disabled', 0],
  // A replica that connects does not run yet.
  ['connecting', 0],
  ['non-primary', 0],
  ['disconnected', 0],
])

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
// `Nov 28 02:03:00 2035 GMT`, the day with a leading blank or zero or with neither.
const certificateTime = /^([A-Za-z]{3}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\d{4}) [A-Z]{3,4}$/
const sqlTime = /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?$/

/** The number that a status or system variable stands for; undefined where it is a text and nothing else. Times are Unix seconds, read as UTC. */
export function parseStatusValue(text: string): number | undefined {
  const first = text.charCodeAt(0)
  // Nearly all values begin with a digit; only a time may look like a number and be none.
  if (first >= 48 && first <= 57) return parseGoFloat(text) ?? parseSqlTime(text)
  return words.get(text.toLowerCase()) ?? parseCertificateTime(text) ?? parseGoFloat(text)
}

/** Unix seconds of `2026-08-01 12:00:00`; undefined for anything else and for dates that do not exist (`0000-00-00 00:00:00`). */
export function parseSqlTime(text: string): number | undefined {
  const match = sqlTime.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number]
  return unixSeconds(year, month, day, hour, minute, second)
}

/** As `parseSqlTime`, with the fraction of the second, rounded as Go does on the way over nanoseconds. */
export function parsePreciseSqlTime(text: string): number | undefined {
  const seconds = parseSqlTime(text)
  const fraction = sqlTime.exec(text)?.[7]
  if (seconds === undefined || fraction === undefined) return seconds
  return Number(BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))) / 1e9
}

function parseCertificateTime(text: string): number | undefined {
  const match = certificateTime.exec(text)
  if (match === null) return undefined
  const month = months.indexOf(match[1]!.toLowerCase()) + 1
  return unixSeconds(Number(match[6]), month, Number(match[2]), Number(match[3]), Number(match[4]), Number(match[5]))
}

function unixSeconds(year: number, month: number, day: number, hour: number, minute: number, second: number): number | undefined {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60
  return isReal ? date.getTime() / 1000 : undefined
}

/** A variable's or column's name as part of a metric's name. */
export function toMetricName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_').toLowerCase()
}
