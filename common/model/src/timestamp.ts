import { parseGoFloat } from './number.ts'

// Go's RFC3339Nano; the month's days are checked besides.
const date = /^\d{4}-\d\d-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)$/

/** Seconds since 1970 as a number, or an RFC 3339 date, as promtool reads them; gives seconds, undefined for what is neither. */
export function parseTimestampSeconds(text: string): number | undefined {
  const number = parseGoFloat(text)
  if (number !== undefined) return Number.isFinite(number) ? number : undefined
  const ms = parseRfc3339Ms(text)
  return ms === undefined ? undefined : ms / 1000
}

/** Milliseconds since 1970 of an RFC 3339 date as Go reads it; undefined for what is none. */
export function parseRfc3339Ms(text: string): number | undefined {
  const match = date.exec(text)
  if (match === null) return undefined
  const ms = Date.parse(text.replace(',', '.'))
  // A month's day 30 or 31 that is not there is the next month's first otherwise.
  const day = new Date(Date.parse(`${text.slice(0, 10)}T00:00:00Z`)).getUTCDate()
  return Number.isNaN(ms) || day !== Number(match[1]) ? undefined : ms
}
