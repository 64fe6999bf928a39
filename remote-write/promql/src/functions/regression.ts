import { KahanSum } from './kahan.ts'
import type { SampleWindow, WindowFunction } from './sample-window.ts'

const sumX = new KahanSum()
const sumY = new KahanSum()
const sumXY = new KahanSum()
const sumX2 = new KahanSum()
const line = { slope: 0, intercept: 0 }

/** Least squares line through the window's samples; the intercept is its value at `interceptMs`. Result in `line`. */
function fitLine({ times, values, from, to }: SampleWindow, interceptMs: number): void {
  sumX.reset()
  sumY.reset()
  sumXY.reset()
  sumX2.reset()
  const firstY = values[from]!
  let isConstant = true
  for (let i = from; i < to; i++) {
    const y = values[i]!
    if (isConstant && y !== firstY) isConstant = false
    const x = (times[i]! - interceptMs) / 1000
    sumX.add(x)
    sumY.add(y)
    sumXY.add(x * y)
    sumX2.add(x * x)
  }
  if (isConstant) {
    const isInfinite = firstY === Infinity || firstY === -Infinity
    line.slope = isInfinite ? NaN : 0
    line.intercept = isInfinite ? NaN : firstY
    return
  }
  const n = to - from
  const x = sumX.sum + sumX.compensation
  const y = sumY.sum + sumY.compensation
  const covariance = sumXY.sum + sumXY.compensation - (x * y) / n
  const variance = sumX2.sum + sumX2.compensation - (x * x) / n
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
    if (to - from < 2) return false
    const sf = smoothing[step]!
    const tf = trend[step]!
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
