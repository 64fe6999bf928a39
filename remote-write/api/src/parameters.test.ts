import { describe, expect, it } from 'vitest'
import { ApiError } from './envelope.ts'
import { earliestMs, latestMs, Parameters } from './parameters.ts'

function of(query: string): Parameters {
  return new Parameters(new URLSearchParams(query))
}

function errorOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof ApiError) return `${error.status} ${error.kind}: ${error.message}`
    throw error
  }
  return 'no error'
}

describe('times', () => {
  it('are seconds with fractions or RFC 3339 dates', () => {
    expect(of('t=1.5').timeMs('t', 0)).toBe(1_500)
    expect(of('t=1e3').timeMs('t', 0)).toBe(1_000_000)
    expect(of('t=-1').timeMs('t', 0)).toBe(-1_000)
    expect(of('t=2015-07-01T20:10:51.781Z').timeMs('t', 0)).toBe(1_435_781_451_781)
    expect(of('t=2015-07-01T20:10:51%2B02:00').timeMs('t', 0)).toBe(1_435_774_251_000)
  })

  it("take Go's first and last time, and nothing beyond them", () => {
    expect(of('t=-292273086-05-16T16:47:06Z').timeMs('t', 0)).toBe(earliestMs)
    expect(of('t=292277025-08-18T07:12:54.999999999Z').timeMs('t', 0)).toBe(latestMs)
    expect(of('t=1e300').timeMs('t', 0)).toBe(latestMs)
  })

  it('have a default when absent or empty', () => {
    expect(of('').timeMs('t', 7)).toBe(7)
    expect(of('t=').timeMs('t', 7)).toBe(7)
  })

  it("are refused with Prometheus' two texts", () => {
    expect(errorOf(() => of('time=abc').timeMs('time', 0))).toBe(
      `400 bad_data: invalid parameter "time": invalid time value for 'time': cannot parse "abc" to a valid timestamp`,
    )
    expect(errorOf(() => of('').requiredTimeMs('start'))).toBe(
      '400 bad_data: invalid parameter "start": cannot parse "" to a valid timestamp',
    )
    expect(errorOf(() => of('t=2015-02-31').requiredTimeMs('t'))).toContain('cannot parse "2015-02-31" to a valid timestamp')
  })

  it('are none of a day or an hour that there is not', () => {
    expect(of('t=2024-02-29T23:59:59Z').timeMs('t', 0)).toBe(1_709_251_199_000)
    expect(of('t=2026-12-31T00:00:00Z').timeMs('t', 0)).toBe(1_798_675_200_000)
    for (const text of [
      '2026-02-29T00:00:00Z',
      '2026-04-31T00:00:00Z',
      '2026-11-29T24:00:00Z',
      '2026-11-29t20:00:00z',
      '1e400',
      '-1e400',
    ]) {
      expect(errorOf(() => of(`t=${text}`).requiredTimeMs('t'))).toContain(`cannot parse "${text}" to a valid timestamp`)
    }
  })
})

describe('durations', () => {
  it('are seconds or Prometheus durations', () => {
    expect(of('step=0.5').requiredDurationMs('step')).toBe(500)
    expect(of('step=1m30s').requiredDurationMs('step')).toBe(90_000)
    expect(of('').durationMs('timeout')).toBeUndefined()
  })

  // The steps that Prometheus 2.42 takes; of 1.001 its nanoseconds are 1000999999.
  it('count whole milliseconds, as Go cuts seconds', () => {
    const steps = ['1.0006', '0.0019', '3.4567891', '2.9999', '1.001', '1.002', '15', '-1.9999', '9223372036.854775']
    expect(steps.map((step) => of(`step=${step}`).requiredDurationMs('step'))).toEqual([
      ...[1000, 1, 3456, 2999, 1000, 1002, 15_000, -1999, 9_223_372_036_854],
    ])
  })

  it('are refused when they are none, or when they overflow', () => {
    expect(errorOf(() => of('').requiredDurationMs('step'))).toBe(
      '400 bad_data: invalid parameter "step": cannot parse "" to a valid duration',
    )
    expect(errorOf(() => of('step=1e300').requiredDurationMs('step'))).toBe(
      '400 bad_data: invalid parameter "step": cannot parse "1e300" to a valid duration. It overflows int64',
    )
  })
})

describe('limits', () => {
  it('are whole numbers from 0, absent means all', () => {
    expect([of('').limit(), of('limit=0').limit(), of('limit=5').limit()]).toEqual([0, 0, 5])
    expect(errorOf(() => of('limit=x').limit())).toBe('400 bad_data: invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax')
    expect(errorOf(() => of('limit=9223372036854775808').limit())).toBe(
      '400 bad_data: invalid parameter "limit": strconv.Atoi: parsing "9223372036854775808": value out of range',
    )
    expect(of('limit=9223372036854775807').integer('limit', 0)).toBe(2 ** 63)
    expect(of('limit=9223372036854775808').integer('limit', 0)).toBeUndefined()
    expect(errorOf(() => of('limit=-1').limit())).toBe('400 bad_data: invalid parameter "limit": limit must be non-negative')
  })
})
