import { parseGoFloat } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import { GoDuration } from './go-duration.ts'
import { formatGeneral } from './go-number-format.ts'
import { GoTime } from './go-time.ts'
import { typeNameOf } from './value.ts'

/** What the humanize functions take: numbers, durations (as seconds) and texts that hold a number. */
export function toFloat(value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof GoDuration) return value.Seconds()
  if (typeof value !== 'string') throw new Error(`can't convert ${typeNameOf(value)} to float`)
  const parsed = parseGoFloat(value)
  if (parsed === undefined) throw new Error(`strconv.ParseFloat: parsing ${quoteText(value)}: invalid syntax`)
  return parsed
}

const largePrefixes = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y']
const smallPrefixes = ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y']
const binaryPrefixes = ['ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi']

/** `1234567` → `1.235M`; four significant digits, prefixes by powers of 1000. */
export function humanize(value: unknown): string {
  const number = toFloat(value)
  if (number === 0 || !Number.isFinite(number)) return fourDigits(number)
  return Math.abs(number) >= 1 ? scaleDown(number, 1000, largePrefixes) : scaleUp(number)
}

/** `1048576` → `1Mi`; prefixes by powers of 1024, none below 1. */
export function humanizeBinary(value: unknown): string {
  const number = toFloat(value)
  return Math.abs(number) <= 1 || !Number.isFinite(number) ? fourDigits(number) : scaleDown(number, 1024, binaryPrefixes)
}

/** A number of seconds: `3661` → `1h 1m 1s`, `0.0015` → `1.5ms`. */
export function humanizeDuration(value: unknown): string {
  const seconds = toFloat(value)
  if (!Number.isFinite(seconds)) return fourDigits(seconds)
  if (seconds === 0) return fourDigits(seconds) + 's'
  if (Math.abs(seconds) < 1) return scaleUp(seconds) + 's'
  const sign = seconds < 0 ? '-' : ''
  const size = Math.abs(seconds)
  // What does not fit Go's int64 becomes its smallest number, and prints as strangely as there.
  const whole = size < 2 ** 63 ? BigInt(Math.trunc(size)) : -(1n << 63n)
  const days = whole / 86_400n
  const hours = (whole / 3600n) % 24n
  const minutes = (whole / 60n) % 60n
  if (days !== 0n) return `${sign}${days}d ${hours}h ${minutes}m ${whole % 60n}s`
  if (hours !== 0n) return `${sign}${hours}h ${minutes}m ${whole % 60n}s`
  if (minutes !== 0n) return `${sign}${minutes}m ${whole % 60n}s`
  return `${sign}${fourDigits(size)}s`
}

/** A share: `0.1234` → `12.34%`. */
export function humanizePercentage(value: unknown): string {
  return fourDigits(toFloat(value) * 100) + '%'
}

/** Seconds since the epoch: `1435065584.128` → `2015-06-23 13:19:44.128 +0000 UTC`. */
export function humanizeTimestamp(value: unknown): string {
  const seconds = toFloat(value)
  return Number.isFinite(seconds) ? timeFromSeconds(seconds).String() : fourDigits(seconds)
}

/** Cut to milliseconds, as Prometheus' times are. Throws when Go's nanoseconds could not hold the time. */
export function timeFromSeconds(seconds: number): GoTime {
  if (!Number.isFinite(seconds)) throw new Error('value is NaN or Inf')
  const nanoseconds = seconds * 1e9
  if (nanoseconds > 2 ** 63 || nanoseconds < -(2 ** 63)) {
    throw new Error(`${formatGeneral(seconds, 17)} cannot be represented as a nanoseconds timestamp since it overflows int64`)
  }
  return GoTime.fromMs(Number(BigInt(Math.trunc(nanoseconds)) / 1_000_000n))
}

function scaleDown(number: number, step: number, prefixes: readonly string[]): string {
  let scaled = number
  let prefix = ''
  for (const next of prefixes) {
    if (Math.abs(scaled) < step) break
    prefix = next
    scaled /= step
  }
  return fourDigits(scaled) + prefix
}

function scaleUp(number: number): string {
  let scaled = number
  let prefix = ''
  for (const next of smallPrefixes) {
    if (Math.abs(scaled) >= 1) break
    prefix = next
    scaled *= 1000
  }
  return fourDigits(scaled) + prefix
}

/** Go's `%.4g`. */
function fourDigits(number: number): string {
  return formatGeneral(number, 4)
}
