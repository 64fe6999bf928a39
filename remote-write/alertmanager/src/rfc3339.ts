/** Go's zero time, 0001-01-01T00:00:00Z, in nanoseconds since the epoch: stands for "no time". */
export const zeroTimeNs = -62_135_596_800_000_000_000n

const nsPerMs = 1_000_000n
const shape = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:?\d\d)?$/

/** Nanoseconds since the epoch; undefined if the text is no time. Digits beyond nanoseconds are dropped; no zone is UTC. */
export function parseRfc3339(text: string): bigint | undefined {
  const parts = shape.exec(text)
  if (parts === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = parts
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  date.setUTCHours(Number(hour), Number(minute), Number(second))
  // A field beyond its range carries into the next one: 02-30 is no day.
  const isDay = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
  if (!isDay || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  return BigInt(date.getTime() - readZoneMs(zone)) * nsPerMs + BigInt(fraction.padEnd(9, '0').slice(0, 9))
}

/** As Go's JSON prints a UTC time: up to nine decimals, without trailing zeros. */
export function formatNanoTime(timeNs: bigint): string {
  const { seconds, nanos } = split(timeNs)
  return `${seconds}.${nanos}`.replace(/\.?0*$/, '') + 'Z'
}

/** As the alertmanager's API prints times: always three decimals, cut. */
export function formatApiTime(timeNs: bigint): string {
  const { seconds, nanos } = split(timeNs)
  return `${seconds}.${nanos.slice(0, 3)}Z`
}

export function msToNs(timeMs: number): bigint {
  return BigInt(Math.floor(timeMs)) * nsPerMs
}

/** Milliseconds, rounded down. */
export function nsToMs(timeNs: bigint): number {
  const rest = ((timeNs % nsPerMs) + nsPerMs) % nsPerMs
  return Number((timeNs - rest) / nsPerMs)
}

function split(timeNs: bigint): { seconds: string; nanos: string } {
  const ms = nsToMs(timeNs)
  const text = new Date(ms).toISOString()
  const nanos = text.slice(-4, -1) + (timeNs - BigInt(ms) * nsPerMs).toString().padStart(6, '0')
  return { seconds: text.slice(0, -5), nanos }
}

function readZoneMs(zone: string): number {
  if (zone.toUpperCase() === 'Z') return 0
  const sign = zone.startsWith('-') ? -1 : 1
  const digits = zone.slice(1).replace(':', '')
  return sign * (Number(digits.slice(0, 2)) * 3_600_000 + Number(digits.slice(2)) * 60_000)
}
