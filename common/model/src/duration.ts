import { quoteText } from './quote.ts'

interface Unit {
  readonly name: string
  readonly ms: number
}

const units: readonly Unit[] = [
  { name: 'y', ms: 365 * 24 * 60 * 60 * 1000 },
  { name: 'w', ms: 7 * 24 * 60 * 60 * 1000 },
  { name: 'd', ms: 24 * 60 * 60 * 1000 },
  { name: 'h', ms: 60 * 60 * 1000 },
  { name: 'm', ms: 60 * 1000 },
  { name: 's', ms: 1000 },
  { name: 'ms', ms: 1 },
]

/** Go keeps durations as nanoseconds in 63 bits: about 292 years. */
export const durationMsMax = 9_223_372_036_854

const digitsOfU64Max = 18_446_744_073_709_551_615n

/**
 * Reads Prometheus' durations (`1h30m`, `0`, `500ms`): each unit at most once, from the largest to the smallest.
 * Gives milliseconds; throws with Prometheus' texts.
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0
  if (text === '') throw new Error('empty duration string')
  const part = /([0-9]+)([^0-9]+)/y
  let totalMs = 0
  let unitBefore = -1
  while (part.lastIndex < text.length) {
    const match = part.exec(text)
    if (match === null || BigInt(match[1]!) > digitsOfU64Max) throw new Error(`not a valid duration string: ${quoteText(text)}`)
    const unit = units.findIndex(({ name }) => name === match[2])
    if (unit < 0) throw new Error(`unknown unit ${quoteText(match[2]!)} in duration ${quoteText(text)}`)
    if (unit <= unitBefore) throw new Error(`not a valid duration string: ${quoteText(text)}`)
    unitBefore = unit
    totalMs += Number(match[1]) * units[unit]!.ms
    if (totalMs > durationMsMax) throw new Error('duration out of range')
  }
  return totalMs
}

/** As `parseDuration`, with an optional leading minus sign. */
export function parseSignedDuration(text: string): number {
  return text.startsWith('-') ? -parseDuration(text.slice(1)) : parseDuration(text)
}

/**
 * Prints whole milliseconds as Prometheus does: years and weeks only when nothing remains (`90d`, not `12w6d`), `0s` for none.
 */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  let rest = Math.trunc(Math.abs(ms))
  let text = ms < 0 ? '-' : ''
  for (const unit of units) {
    const exactOnly = unit.name === 'y' || unit.name === 'w'
    if (exactOnly && rest % unit.ms !== 0) continue
    const count = Math.floor(rest / unit.ms)
    if (count === 0) continue
    text += count + unit.name
    rest -= count * unit.ms
  }
  return text
}
