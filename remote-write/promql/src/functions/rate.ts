import type { SampleWindow, WindowFunction, WindowsFunction } from './sample-window.ts'

/** rate, increase (counters) and delta: last minus first, extrapolated to the ends of the window. */
export function makeExtrapolated(isCounter: boolean, isRate: boolean): WindowFunction {
  return (window, out, step) => {
    const { times, values, from, to, startMs, endMs, rangeMs } = window
    const last = to - 1
    if (last <= from) return false
    const firstValue = values[from]!
    let result = values[last]! - firstValue
    if (isCounter) result += resetCorrection(window)
    const counted = isCounter && result > 0 && firstValue >= 0 ? firstValue / result : Infinity
    const factor = extrapolate(times[from]!, times[last]!, last - from, startMs, endMs, counted)
    out[step] = result * (isRate ? factor / (rangeMs / 1000) : factor)
    return true
  }
}

/**
 * `makeExtrapolated` of all steps in one go, bit by bit the same. From step to step a regular series stands in its window as it did before: the factor is
 * then the same, and its seven divisions are not made again.
 */
export function makeExtrapolatedAll(isCounter: boolean, isRate: boolean): WindowsFunction {
  return ({ times, values, length, from, to, steps, endMs, stepMs, rangeMs }, out, present) => {
    const rangeSeconds = rangeMs / 1000
    let resetCount = 0
    if (isCounter) ({ resets: allResets, count: resetCount } = findResets(values, length, allResets))
    const resets = allResets
    let resetFrom = 0
    let spanMs = NaN
    let intervals = 0
    let beforeMs = NaN
    let afterMs = NaN
    let scale = 0
    let zeroShare = 0
    for (let i = 0; i < steps; i++) {
      if (present[i] === 0) continue
      const first = from[i]!
      const last = to[i]! - 1
      if (last <= first) {
        present[i] = 0
        continue
      }
      const firstValue = values[first]!
      let result = values[last]! - firstValue
      if (isCounter) {
        let lost = 0
        while (resetFrom < resetCount && resets[resetFrom]! <= first) resetFrom++
        for (let r = resetFrom; r < resetCount && resets[r]! <= last; r++) lost += values[resets[r]! - 1]!
        result += lost
      }
      const firstMs = times[first]!
      const lastMs = times[last]!
      const windowEndMs = endMs + i * stepMs
      const windowStartMs = windowEndMs - rangeMs
      if (
        lastMs - firstMs !== spanMs ||
        last - first !== intervals ||
        firstMs - windowStartMs !== beforeMs ||
        windowEndMs - lastMs !== afterMs
      ) {
        spanMs = lastMs - firstMs
        intervals = last - first
        beforeMs = firstMs - windowStartMs
        afterMs = windowEndMs - lastMs
        const factor = extrapolate(firstMs, lastMs, intervals, windowStartMs, windowEndMs, Infinity)
        scale = isRate ? factor / rangeSeconds : factor
        // It goes no further back than this, nor than the counter can have begun: a little more than that share of what it counted is enough to know.
        zeroShare = (beforeMs / spanMs) * (1 + 1e-9)
      }
      const zeroBound = result * zeroShare
      if (isCounter && result > 0 && firstValue >= 0 && !(firstValue >= zeroBound && zeroBound > roundedMax)) {
        const factor = extrapolate(firstMs, lastMs, intervals, windowStartMs, windowEndMs, firstValue / result)
        out[i] = result * (isRate ? factor / rangeSeconds : factor)
      } else out[i] = result * scale
    }
  }
}

/**
 * By how much more than its samples a window covers. `counted`: what a counter had counted before the first sample, as a share of what it counted between
 * the first and the last; Infinity if it may have been anything.
 */
function extrapolate(firstMs: number, lastMs: number, intervals: number, startMs: number, endMs: number, counted: number): number {
  const sampled = (lastMs - firstMs) / 1000
  let toStart = (firstMs - startMs) / 1000
  let toEnd = (endMs - lastMs) / 1000
  const average = sampled / intervals
  // Up to a little more than the usual distance the series is taken to reach the edge; beyond that to have begun or ended half a
  // distance away.
  const threshold = average * 1.1
  if (toStart >= threshold) toStart = average / 2
  // A counter cannot have been negative: go no further back than to where it was zero.
  const toZero = sampled * counted
  if (toZero < toStart) toStart = toZero
  if (toEnd >= threshold) toEnd = average / 2
  return (sampled + toStart + toEnd) / sampled
}

/** A product below is rounded by more than the share of it that is kept aside. */
const roundedMax = 1e-290

let allResets = new Uint32Array(64)

/** What the counter had lost at its resets inside the window. */
function resetCorrection(window: SampleWindow): number {
  const { resets, resetCount, values, from, to } = window
  let lost = 0
  for (let r = window.resetFrom; r < resetCount; r++) {
    const at = resets[r]!
    if (at >= to) break
    if (at > from) lost += values[at - 1]!
  }
  return lost
}

/** irate and idelta: from the last two samples alone. */
export function makeInstantaneous(isRate: boolean): WindowFunction {
  return (window, out, step) => {
    const { times, values, from, to } = window
    if (to - from < 2) return false
    const last = values[to - 1]!
    const previous = values[to - 2]!
    const intervalMs = times[to - 1]! - times[to - 2]!
    if (intervalMs === 0) return false
    const difference = isRate && last < previous ? last : last - previous
    out[step] = isRate ? difference / (intervalMs / 1000) : difference
    return true
  }
}

export const countResets: WindowFunction = (window, out, step) => {
  let count = 0
  for (let r = window.resetFrom; r < window.resetCount; r++) {
    const at = window.resets[r]!
    if (at >= window.to) break
    if (at > window.from) count++
  }
  out[step] = count
  return true
}

/** A NaN after a NaN is no change. */
export const countChanges: WindowFunction = ({ values, from, to }, out, step) => {
  let count = 0
  let previous = values[from]!
  for (let i = from + 1; i < to; i++) {
    const value = values[i]!
    if (value !== previous && !(Number.isNaN(value) && Number.isNaN(previous))) count++
    previous = value
  }
  out[step] = count
  return true
}

/** Fills `into` (grown if needed) with the places where the series falls. */
export function findResets(
  values: Float64Array,
  length: number,
  into: Uint32Array<ArrayBuffer>,
): { resets: Uint32Array<ArrayBuffer>; count: number } {
  let resets = into
  let count = 0
  for (let i = 1; i < length; i++) {
    if (values[i]! < values[i - 1]!) {
      if (count === resets.length) {
        const grown = new Uint32Array(count * 2)
        grown.set(resets)
        resets = grown
      }
      resets[count++] = i
    }
  }
  return { resets, count }
}
