import { GoDuration } from './go-duration.ts'
import { dayNames, formatLayout, monthNames } from './go-time-layout.ts'
import type { WallClock } from './go-time-layout.ts'
import { goInteger, goMethods, goType } from './go-type.ts'
import { loadZone, localZone, utc } from './go-zone.ts'
import type { Zone } from './go-zone.ts'
import { intType, stringType } from './value.ts'
import type { ParameterType } from './value.ts'

const nanosecondsPerMs = 1_000_000n
const nanosecondsPerSecond = 1_000_000_000n

/** The instant that an unset Go time is: 0001-01-01T00:00:00Z. */
const zeroInstant = -62_135_596_800n * nanosecondsPerSecond

/** JavaScript's Date ends about 270,000 years from now; instants beyond are shown as its last one. */
const dateMsMax = 8_640_000_000_000_000n

/** Go's `time.Time`: nanoseconds since the epoch and a zone to show them in. The capitalized methods are those that templates call. */
export class GoTime {
  static readonly zero = new GoTime(zeroInstant)

  readonly epochNanoseconds: bigint
  readonly #zone: Zone
  #clock: WallClock | undefined

  constructor(epochNanoseconds: bigint, zone: Zone = utc) {
    this.epochNanoseconds = epochNanoseconds
    this.#zone = zone
  }

  get [goType](): string {
    return 'time.Time'
  }

  get [goMethods](): Readonly<Record<string, readonly ParameterType[]>> {
    return methodTypes
  }

  static fromMs(epochMs: number, zone: Zone = utc): GoTime {
    return new GoTime(BigInt(Math.trunc(epochMs)) * nanosecondsPerMs, zone)
  }

  Format(layout: unknown): string {
    if (typeof layout !== 'string') throw new Error('wrong type for value; expected string')
    return formatLayout(layout, this.#wallClock())
  }

  /** `2024-02-29 13:04:05.678 +0000 UTC` */
  String(): string {
    return formatLayout('2006-01-02 15:04:05.999999999 -0700 MST', this.#wallClock())
  }

  /** RFC 3339 with as many decimals as are needed, as Go marshals times. */
  toJSON(): string {
    return formatLayout('2006-01-02T15:04:05.999999999Z07:00', this.#wallClock())
  }

  UTC(): GoTime {
    return new GoTime(this.epochNanoseconds)
  }

  Local(): GoTime {
    return new GoTime(this.epochNanoseconds, localZone())
  }

  /** The same instant in a zone of the tz database. */
  inZone(name: string): GoTime {
    return new GoTime(this.epochNanoseconds, loadZone(name))
  }

  Unix(): bigint {
    return floorDivide(this.epochNanoseconds, nanosecondsPerSecond)
  }

  UnixMilli(): bigint {
    return floorDivide(this.epochNanoseconds, nanosecondsPerMs)
  }

  UnixMicro(): bigint {
    return floorDivide(this.epochNanoseconds, 1000n)
  }

  UnixNano(): bigint {
    return this.epochNanoseconds
  }

  Year(): bigint {
    return BigInt(this.#wallClock().year)
  }

  Month(): Month {
    return new Month(this.#wallClock().month)
  }

  Day(): bigint {
    return BigInt(this.#wallClock().day)
  }

  YearDay(): bigint {
    return BigInt(this.#wallClock().yearDay)
  }

  Weekday(): Weekday {
    return new Weekday(this.#wallClock().weekday)
  }

  Hour(): bigint {
    return BigInt(this.#wallClock().hour)
  }

  Minute(): bigint {
    return BigInt(this.#wallClock().minute)
  }

  Second(): bigint {
    return BigInt(this.#wallClock().second)
  }

  Nanosecond(): bigint {
    return BigInt(this.#wallClock().nanosecond)
  }

  IsZero(): boolean {
    return this.epochNanoseconds === zeroInstant
  }

  Add(duration: unknown): GoTime {
    return new GoTime(this.epochNanoseconds + readDuration(duration), this.#zone)
  }

  AddDate(years: unknown, months: unknown, days: unknown): GoTime {
    const clock = this.#wallClock()
    const [moreYears, moreMonths, moreDays] = [years, months, days].map(readCount) as [number, number, number]
    const ms = Date.UTC(clock.year + moreYears, clock.month - 1 + moreMonths, clock.day + moreDays, clock.hour, clock.minute, clock.second)
    const wanted = BigInt(ms) - BigInt(clock.zoneOffsetSeconds * 1000)
    return new GoTime(wanted * nanosecondsPerMs + BigInt(clock.nanosecond), this.#zone)
  }

  Sub(other: unknown): GoDuration {
    return new GoDuration(this.epochNanoseconds - readTime(other).epochNanoseconds)
  }

  After(other: unknown): boolean {
    return this.epochNanoseconds > readTime(other).epochNanoseconds
  }

  Before(other: unknown): boolean {
    return this.epochNanoseconds < readTime(other).epochNanoseconds
  }

  Equal(other: unknown): boolean {
    return other instanceof GoTime && this.epochNanoseconds === other.epochNanoseconds
  }

  /** Down to a multiple of the duration since the zero time. */
  Truncate(duration: unknown): GoTime {
    const step = readDuration(duration)
    if (step <= 0n) return this
    return new GoTime(this.epochNanoseconds - ((this.epochNanoseconds - zeroInstant) % step), this.#zone)
  }

  /** To the nearest multiple of the duration since the zero time, halves up. */
  Round(duration: unknown): GoTime {
    const step = readDuration(duration)
    if (step <= 0n) return this
    const rest = (this.epochNanoseconds - zeroInstant) % step
    const down = this.epochNanoseconds - rest
    return new GoTime(rest * 2n < step ? down : down + step, this.#zone)
  }

  #wallClock(): WallClock {
    return (this.#clock ??= this.#readClock())
  }

  #readClock(): WallClock {
    const limited = clamp(floorDivide(this.epochNanoseconds, nanosecondsPerMs), dateMsMax)
    const epochMs = Number(limited)
    const zoneOffsetSeconds = this.#zone.offsetSecondsAt(epochMs)
    const shown = new Date(Number(clamp(limited + BigInt(zoneOffsetSeconds) * 1000n, dateMsMax)))
    const yearStart = new Date(shown)
    yearStart.setUTCMonth(0, 1)
    return {
      year: shown.getUTCFullYear(),
      month: shown.getUTCMonth() + 1,
      day: shown.getUTCDate(),
      hour: shown.getUTCHours(),
      minute: shown.getUTCMinutes(),
      second: shown.getUTCSeconds(),
      nanosecond: Number(this.epochNanoseconds - floorDivide(this.epochNanoseconds, nanosecondsPerSecond) * nanosecondsPerSecond),
      weekday: shown.getUTCDay(),
      yearDay: Math.round((shown.getTime() - yearStart.getTime()) / 86_400_000) + 1,
      zoneName: this.#zone.shortNameAt(epochMs),
      zoneOffsetSeconds,
    }
  }
}

const timeType: ParameterType = { name: 'time.Time', accepts: (value) => value instanceof GoTime }
const durationType: ParameterType = { name: 'time.Duration', accepts: (value) => value instanceof GoDuration || typeof value === 'bigint' }

const methodTypes: Readonly<Record<string, readonly ParameterType[]>> = {
  Format: [stringType],
  Add: [durationType],
  AddDate: [intType, intType, intType],
  Sub: [timeType],
  After: [timeType],
  Before: [timeType],
  Equal: [timeType],
  Truncate: [durationType],
  Round: [durationType],
}

/** Go's `time.Month`: a number that prints as its name. */
export class Month {
  readonly [goType] = 'time.Month'
  readonly [goInteger]: bigint
  readonly #number: number

  constructor(number: number) {
    this.#number = number
    this[goInteger] = BigInt(number)
  }

  String(): string {
    return monthNames[this.#number - 1]!
  }
}

/** Go's `time.Weekday`: a number, 0 for Sunday, that prints as its name. */
export class Weekday {
  readonly [goType] = 'time.Weekday'
  readonly [goInteger]: bigint
  readonly #number: number

  constructor(number: number) {
    this.#number = number
    this[goInteger] = BigInt(number)
  }

  String(): string {
    return dayNames[this.#number]!
  }
}

function readTime(value: unknown): GoTime {
  if (!(value instanceof GoTime)) throw new Error('wrong type for value; expected time.Time')
  return value
}

function readDuration(value: unknown): bigint {
  if (value instanceof GoDuration) return value.nanoseconds
  if (typeof value === 'bigint') return value
  throw new Error('wrong type for value; expected time.Duration')
}

function readCount(value: unknown): number {
  if (typeof value !== 'bigint' || value > 1_000_000n || value < -1_000_000n) throw new Error('wrong type for value; expected int')
  return Number(value)
}

function floorDivide(value: bigint, unit: bigint): bigint {
  const quotient = value / unit
  return value < 0n && quotient * unit !== value ? quotient - 1n : quotient
}

function clamp(value: bigint, size: bigint): bigint {
  if (value > size) return size
  return value < -size ? -size : value
}
