import { QueryError } from '../query-error.ts'
import type { SampleWindow, WindowFunction } from './sample-window.ts'

const line = { slope: 0, intercept: 0 }

/**
 * Least squares line through the window's samples; the intercept is its value at `interceptMs`. Result in `line`. The four sums are
 * compensated as KahanSum does it, written out because that halves the time.
 */
function fitLine({ times, values, from, to }: SampleWindow, interceptMs: number): void {
  const firstY = values[from]!
  let isConstant = true
  let sumX = 0
  let sumY = 0
  let sumXY = 0
  let sumX2 = 0
  let restX = 0
  let restY = 0
  let restXY = 0
  let restX2 = 0
  for (let i = from; i < to; i++) {
    const y = values[i]!
    if (y !== firstY) isConstant = false
    const x = (times[i]! - interceptMs) / 1000
    const xy = x * y
    const x2 = x * x
    let total = sumX + x
    restX += Math.abs(sumX) >= Math.abs(x) ? sumX - total + x : x - total + sumX
    sumX = total
    total = sumY + y
    restY += Math.abs(sumY) >= Math.abs(y) ? sumY - total + y : y - total + sumY
    sumY = total
    total = sumXY + xy
    restXY += Math.abs(sumXY) >= Math.abs(xy) ? sumXY - total + xy : xy - total + sumXY
    sumXY = total
    total = sumX2 + x2
    restX2 += sumX2 >= x2 ? sumX2 - total + x2 : x2 - total + sumX2
    sumX2 = total
  }
  if (isConstant) {
    const isInfinite = firstY === Infinity || firstY === -Infinity
    line.slope = isInfinite ? NaN : 0
    line.intercept = isInfinite ? NaN : firstY
    return
  }
  const n = to - from
  const x = sumX + restX
  const y = sumY + restY
  const covariance = sumXY + restXY - (x * y) / n
  const variance = sumX2 + restX2 - (x * x) / n
  line.slope = covariance / variance
  line.intercept = y / n - (line.slope * x) / n
}

export const derivative: WindowFunction = (window, out, step) => {
  if (window.to - window.from < 2) return false
  // Any nearby time serves as origin; a near one keeps the numbers small.
  fitLine(window, window.times[window.from]!)
  out[step] = line.slope
  return true
}

/** Where the line will be `seconds` after the step. */
export function makePredictLinear(seconds: Float64Array): WindowFunction {
  return (window, out, step) => {
    if (window.to - window.from < 2) return false
    fitLine(window, window.stepTimeMs)
    out[step] = line.slope * seconds[step]! + line.intercept
    return true
  }
}

/** Holt's double exponential smoothing; factors already checked to be in (0, 1). */
export function makeDoubleExponentialSmoothing(smoothing: Float64Array, trend: Float64Array): WindowFunction {
  return ({ values, from, to }, out, step) => {
    if (to === from) return false
    const sf = smoothing[step]!
    const tf = trend[step]!
    checkFactor(sf, 'smoothing', 'sf')
    checkFactor(tf, 'trend', 'tf')
    if (to - from < 2) return false
    let level = values[from]!
    let slope = values[from + 1]! - values[from]!
    let previousLevel = 0
    for (let i = from + 1; i < to; i++) {
      if (i > from + 1) slope = tf * (level - previousLevel) + (1 - tf) * slope
      previousLevel = level
      level = sf * values[i]! + (1 - sf) * (level + slope)
    }
    out[step] = level
    return true
  }
}

/** As in Prometheus, where only a window with samples is looked at, and a factor that is no number passes. */
function checkFactor(factor: number, name: string, symbol: string): void {
  if (!(factor <= 0 || factor >= 1)) return
  const got = Number.isFinite(factor) ? factor.toFixed(6) : factor > 0 ? '+Inf' : '-Inf'
  throw new QueryError('execution', `invalid ${name} factor. Expected: 0 < ${symbol} < 1, got: ${got}`)
}
