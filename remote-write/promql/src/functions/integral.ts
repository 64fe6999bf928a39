import { KahanSum, lossOfSum } from './kahan.ts'
import type { WindowFunction } from './sample-window.ts'

/** How the value between two samples is taken: as that of the left one, of the right one, or as their mean. */
const leftPoint = 0
const rightPoint = 1
const trapezoid = 2

export function isIntegralStrategy(value: number): boolean {
  return value === leftPoint || value === rightPoint || value === trapezoid
}

const area = new KahanSum()

/** The area below the samples in value · seconds; NaN counts as 0. Strategies that are none stand for the mean. */
export function makeIntegral(strategies: Float64Array | undefined): WindowFunction {
  return ({ times, values, from, to }, out, step) => {
    const strategy = strategies?.[step] ?? trapezoid
    area.reset()
    let left = zeroOfNaN(values[from]!)
    for (let i = from + 1; i < to; i++) {
      const right = zeroOfNaN(values[i]!)
      const seconds = (times[i]! - times[i - 1]!) / 1000
      if (strategy === leftPoint) addArea(left, 0, seconds)
      else if (strategy === rightPoint) addArea(right, 0, seconds)
      else addMean(left, right, seconds)
      left = right
    }
    out[step] = area.total
    return true
  }
}

/** What rounding took from the sum of the two is not lost either. */
function addMean(left: number, right: number, seconds: number): void {
  const sum = left + right
  const overflows = !Number.isFinite(sum) && Number.isFinite(left) && Number.isFinite(right)
  if (overflows) addArea(left / 2 + right / 2, lossOfSum(left / 2, right / 2, left / 2 + right / 2), seconds)
  else addArea(sum / 2, lossOfSum(left, right, sum) / 2, seconds)
}

function addArea(value: number, loss: number, seconds: number): void {
  if (value === 0 && loss === 0) return
  area.compensation += loss * seconds
  area.add(value * seconds)
}

function zeroOfNaN(value: number): number {
  return Number.isNaN(value) ? 0 : value
}
