/** Parts of a time given in seconds since 1970, all in UTC; fractions of a second are cut off towards the past as Go's time.Unix does. */
export const dateFunctions: ReadonlyMap<string, (seconds: number) => number> = new Map([
  ['day_of_month', (seconds: number) => at(seconds).getUTCDate()],
  ['day_of_week', (seconds: number) => at(seconds).getUTCDay()],
  ['day_of_year', (seconds: number) => dayOfYear(at(seconds))],
  ['days_in_month', (seconds: number) => daysInMonth(at(seconds))],
  ['hour', (seconds: number) => at(seconds).getUTCHours()],
  ['minute', (seconds: number) => at(seconds).getUTCMinutes()],
  ['month', (seconds: number) => at(seconds).getUTCMonth() + 1],
  ['year', (seconds: number) => at(seconds).getUTCFullYear()],
])

const dayMs = 24 * 60 * 60 * 1000

function at(seconds: number): Date {
  return new Date(Math.trunc(seconds) * 1000)
}

function dayOfYear(date: Date): number {
  const midnight = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate())
  return (midnight - Date.UTC(date.getUTCFullYear(), 0, 1)) / dayMs + 1
}

function daysInMonth(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
}
