import { parseDuration } from '@narthex/model/duration'
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
    return text === '' ? defaultMs : parseTime(name, text)
  }

  requiredTimeMs(name: string): number {
    return parseTime(name, this.get(name))
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
    if (!/^[+-]?\d+$/.test(text)) throw invalidParameter(name, `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`)
    const value = Number(text)
    if (value < 0) throw invalidParameter(name, 'limit must be non-negative')
    return value
  }
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
const rfc3339Pattern = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(\.\d+)?(Z|[+-]\d{2}:\d{2})$/i

function parseTime(name: string, text: string): number {
  if (floatPattern.test(text)) return Math.round(Number(text) * 1000)
  if (rfc3339Pattern.test(text)) {
    const time = Date.parse(text)
    if (!Number.isNaN(time)) return time
  }
  if (text === minTimeText) return earliestMs
  if (text === maxTimeText) return latestMs
  throw invalidParameter(name, `cannot parse ${JSON.stringify(text)} to a valid timestamp`)
}

function parseStep(name: string, text: string): number {
  if (floatPattern.test(text)) {
    const milliseconds = Number(text) * 1000
    if (!Number.isFinite(milliseconds) || Math.abs(milliseconds) > Number.MAX_SAFE_INTEGER) {
      throw invalidParameter(name, `cannot parse ${JSON.stringify(text)} to a valid duration. It overflows int64`)
    }
    return Math.round(milliseconds)
  }
  try {
    return parseDuration(text)
  } catch (cause) {
    const error = new ApiError(
      'bad_data',
      `invalid parameter ${JSON.stringify(name)}: cannot parse ${JSON.stringify(text)} to a valid duration`,
      { cause },
    )
    throw error
  }
}
