import { goInteger, goType } from './go-type.ts'

const second = 1_000_000_000n
const int64Min = -(1n << 63n)

/** Go's `time.Duration`: an integer of nanoseconds. The capitalized methods are those that templates call. */
export class GoDuration {
  readonly [goType] = 'time.Duration'
  readonly nanoseconds: bigint

  constructor(nanoseconds: bigint) {
    this.nanoseconds = BigInt.asIntN(64, nanoseconds)
  }

  get [goInteger](): bigint {
    return this.nanoseconds
  }

  /** From seconds, cut to whole nanoseconds as Go's conversion does. */
  static fromSeconds(seconds: number): GoDuration {
    const nanoseconds = seconds * 1e9
    // Go's conversion of what does not fit is the smallest integer on amd64.
    return new GoDuration(Math.abs(nanoseconds) < 2 ** 63 ? BigInt(Math.trunc(nanoseconds)) : int64Min)
  }

  static fromMs(ms: number): GoDuration {
    return new GoDuration(BigInt(Math.trunc(ms)) * 1_000_000n)
  }

  Nanoseconds(): bigint {
    return this.nanoseconds
  }

  Microseconds(): bigint {
    return this.nanoseconds / 1000n
  }

  Milliseconds(): bigint {
    return this.nanoseconds / 1_000_000n
  }

  Seconds(): number {
    return this.#inUnits(second)
  }

  Minutes(): number {
    return this.#inUnits(60n * second)
  }

  Hours(): number {
    return this.#inUnits(3600n * second)
  }

  Abs(): GoDuration {
    return this.nanoseconds < 0n ? new GoDuration(-this.nanoseconds) : this
  }

  /** To a multiple of `unit`, towards zero. */
  Truncate(unit: GoDuration | bigint): GoDuration {
    const step = nanosecondsOf(unit)
    return step <= 0n ? this : new GoDuration(this.nanoseconds - (this.nanoseconds % step))
  }

  /** To the nearest multiple of `unit`, halves away from zero. */
  Round(unit: GoDuration | bigint): GoDuration {
    const step = nanosecondsOf(unit)
    if (step <= 0n) return this
    const rest = this.nanoseconds % step
    const distance = rest < 0n ? -rest : rest
    const down = this.nanoseconds - rest
    if (distance * 2n < step) return new GoDuration(down)
    return new GoDuration(this.nanoseconds < 0n ? down - step : down + step)
  }

  /** `1h2m3.5s`, `1.5ms`, `0s`, as Go prints durations. */
  String(): string {
    const { nanoseconds } = this
    if (nanoseconds === 0n) return '0s'
    const sign = nanoseconds < 0n ? '-' : ''
    const size = nanoseconds < 0n ? -nanoseconds : nanoseconds
    if (size < 1000n) return `${sign}${size}ns`
    if (size < 1_000_000n) return `${sign}${formatFraction(size, 1000n)}µs`
    if (size < second) return `${sign}${formatFraction(size, 1_000_000n)}ms`
    const minutes = size / (60n * second)
    const seconds = `${formatFraction(size % (60n * second), second)}s`
    if (minutes === 0n) return sign + seconds
    if (minutes < 60n) return `${sign}${minutes}m${seconds}`
    return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`
  }

  #inUnits(unit: bigint): number {
    return Number(this.nanoseconds / unit) + Number(this.nanoseconds % unit) / Number(unit)
  }
}

function nanosecondsOf(value: GoDuration | bigint): bigint {
  return typeof value === 'bigint' ? value : value.nanoseconds
}

/** size / unit with as many decimals as are needed. */
function formatFraction(size: bigint, unit: bigint): string {
  const digits = String(unit).length - 1
  const fraction = String(size % unit)
    .padStart(digits, '0')
    .replace(/0+$/, '')
  return fraction === '' ? String(size / unit) : `${size / unit}.${fraction}`
}
