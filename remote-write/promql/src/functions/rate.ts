import type { SampleWindow, WindowFunction } from './sample-window.ts'

/** rate, increase (counters) and delta: last minus first, extrapolated to the ends of the window. */
export function makeExtrapolated(isCounter: boolean, isRate: boolean): WindowFunction {
  return (window, out, step) => {
    const { times, values, from, to } = window
    const last = to - 1
    if (last <= from) return false
    const firstValue = values[from]!
    let result = values[last]! - firstValue
    if (isCounter) result += resetCorrection(window)
    const firstTime = times[from]!
    const lastTime = times[last]!
    let toStart = (firstTime - window.startMs) / 1000
    let toEnd = (window.endMs - lastTime) / 1000
    const sampled = (lastTime - firstTime) / 1000
    const average = sampled / (last - from)
    // Up to a little more than the usual distance the series is taken to reach the edge; beyond that to have begun or ended half a
    // distance away.
    const threshold = average * 1.1
    if (toStart >= threshold) toStart = average / 2
    if (isCounter && result > 0 && firstValue >= 0) {
      // A counter cannot have been negative: go no further back than to where it was zero.
      const toZero = sampled * (firstValue / result)
      if (toZero < toStart) toStart = toZero
    }
    if (toEnd >= threshold) toEnd = average / 2
    let factor = (sampled + toStart + toEnd) / sampled
    if (isRate) factor /= window.rangeMs / 1000
    out[step] = result * factor
    return true
  }
}

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
