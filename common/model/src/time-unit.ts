export const timeUnits = ['unix_s', 'unix_ms', 'unix_ns', 'rfc3339'] as const

/** How samples in columns of text say their time. */
export type TimeUnit = (typeof timeUnits)[number]

export function findTimeUnit(text: string): TimeUnit | undefined {
  return timeUnits.find((unit) => unit === text)
}

/** Milliseconds since 1970, rounded to whole ones; undefined for what is no such time. */
export function parseTimeIn(unit: TimeUnit, text: string): number | undefined {
  if (unit === 'rfc3339') {
    const time = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : NaN
    return Number.isNaN(time) ? undefined : time
  }
  if (!/^-?\d+(\.\d+)?$/.test(text)) return undefined
  const value = Number(text)
  if (unit === 'unix_s') return Math.round(value * 1000)
  return unit === 'unix_ms' ? Math.round(value) : Math.floor(value / 1e6)
}

/** Whole milliseconds since 1970; seconds are cut to whole ones, times that no date has stay milliseconds. */
export function formatTimeIn(unit: TimeUnit, ms: number): string {
  if (unit === 'unix_s') return String(Math.floor(ms / 1000))
  if (unit === 'unix_ns') return ms === 0 ? '0' : `${ms}000000`
  if (unit === 'rfc3339') return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
  return String(ms)
}
