import { parseDuration } from '@narthex/model/duration'
import { parseRfc3339Ms } from '@narthex/model/timestamp'
import { ApiError } from './envelope.ts'

/** Query-string and form parameters of one request: both are merged, as Go's `Request.Form` does. */
export class Parameters {
  readonly #values: URLSearchParams

  constructor(values: URLSearchParams) {
    this.#values = values
  }

  get(name: string): string {
    return this.#values.get(name) ?? ''
  }

  all(name: string): string[] {
    return this.#values.getAll(name)
  }

  /** Milliseconds since 1970, or the default when the parameter is absent. */
  timeMs(name: string, defaultMs: number): number {
    const text = this.get(name)
    if (text === '') return defaultMs
    const time = parseTime(text)
    if (time === undefined) throw invalidParameter(name, `invalid time value for '${name}': ${badTime(text)}`)
    return time
  }

  requiredTimeMs(name: string): number {
    const text = this.get(name)
    const time = parseTime(text)
    if (time === undefined) throw invalidParameter(name, badTime(text))
    return time
  }

  /** Milliseconds; undefined when absent. */
  durationMs(name: string): number | undefined {
    const text = this.get(name)
    return text === '' ? undefined : parseStep(name, text)
  }

  requiredDurationMs(name: string): number {
    return parseStep(name, this.get(name))
  }

  /** A count of things to return at most; 0 = no limit. */
  limit(name = 'limit'): number {
    const text = this.get(name)
    if (text === '') return 0
    const value = readInteger(text)
    if (typeof value === 'string') throw invalidParameter(name, `strconv.Atoi: parsing ${JSON.stringify(text)}: ${value}`)
    if (value < 0) throw invalidParameter(name, 'limit must be non-negative')
    return value
  }

  /** A whole number; the default when absent, undefined when it is none. */
  integer(name: string, preset: number): number | undefined {
    const text = this.get(name)
    if (text === '') return preset
    const value = readInteger(text)
    return typeof value === 'number' ? value : undefined
  }
}

/** As Go's `strconv.Atoi`; a text says what is wrong. */
export function readInteger(text: string): number | string {
  if (!/^[+-]?\d+$/.test(text)) return 'invalid syntax'
  const value = BigInt(text.replace('+', ''))
  return BigInt.asIntN(64, value) === value ? Number(value) : 'value out of range'
}

// Go's strconv.ParseBool.
const trueTexts = ['1', 't', 'T', 'TRUE', 'true', 'True']
const falseTexts = ['', '0', 'f', 'F', 'FALSE', 'false', 'False']

/** As Go's `strconv.ParseBool`, absent = false; undefined for what is neither. */
export function parseFlag(text: string): boolean | undefined {
  if (trueTexts.includes(text)) return true
  return falseTexts.includes(text) ? false : undefined
}

export function invalidParameter(name: string, reason: string): ApiError {
  return new ApiError('bad_data', `invalid parameter ${JSON.stringify(name)}: ${reason}`)
}

// Go's minimum and maximum times as Prometheus accepts them in place of an RFC 3339 date.
const minTimeText = '-292273086-05-16T16:47:06Z'
const maxTimeText = '292277025-08-18T07:12:54.999999999Z'
/** The time range that stands for "everything", in milliseconds. */
export const earliestMs = -8.64e15
export const latestMs = 8.64e15

const floatPattern = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

function parseTime(text: string): number | undefined {
  if (floatPattern.test(text)) {
    const seconds = Number(text)
    // Beyond what a float holds is no number for Go, either.
    return Number.isFinite(seconds) ? Math.min(latestMs, Math.max(earliestMs, Math.round(seconds * 1000))) : undefined
  }
  const date = parseRfc3339Ms(text)
  if (date !== undefined) return date
  if (text === minTimeText) return earliestMs
  if (text === maxTimeText) return latestMs
  return undefined
}

function badTime(text: string): string {
  return `cannot parse ${JSON.stringify(text)} to a valid timestamp`
}

function parseStep(name: string, text: string): number {
  const span = parseSpan(text)
  if (typeof span === 'string') throw invalidParameter(name, span)
  return span
}

/** Milliseconds of `1.5` (seconds) or `1m30s`; a text says why it is neither. */
export function parseSpan(text: string): number | string {
  if (floatPattern.test(text)) {
    // Whole nanoseconds, of which the engine takes the whole milliseconds: 1.9999 are 1999, and so are, in floats, 1.001 no more than 1000.
    const nanoseconds = Math.trunc(Number(text) * 1e9)
    if (Math.abs(nanoseconds) > 2 ** 63) return `cannot parse ${JSON.stringify(text)} to a valid duration. It overflows int64`
    return Math.trunc(nanoseconds / 1e6)
  }
  try {
    return parseDuration(text)
  } catch {
    return `cannot parse ${JSON.stringify(text)} to a valid duration`
  }
}
