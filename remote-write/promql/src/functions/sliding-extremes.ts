import type { WindowsFunction } from './sample-window.ts'

/** For each sample before the border the extreme of those from it up to the border. */
let extremes = new Float64Array(256)

/**
 * min_over_time and max_over_time. Each sample is looked at twice, however long the windows are: when it is taken in, for the extreme of those behind the
 * border, and when the begin of a window reaches the border, which then moves to the window's end. NaN only if there is nothing else; of equal values the earliest.
 */
export function makeSlidingExtreme(wantsLeast: boolean): WindowsFunction {
  return ({ values, from, to, steps, length }, out, present) => {
    // In here it is known to be a number; one from outside would make an object of each value that it is exchanged for.
    const nothing = wantsLeast ? Infinity : -Infinity
    if (extremes.length < length) extremes = new Float64Array(length)
    const before = extremes
    let border = 0
    let behind = nothing
    let taken = 0
    for (let i = 0; i < steps; i++) {
      const end = to[i]!
      for (; taken < end; taken++) {
        const value = values[taken]!
        if (wantsLeast ? value < behind : value > behind) behind = value
      }
      if (present[i] === 0) continue
      const start = from[i]!
      if (start >= border) {
        let extreme = nothing
        for (let k = taken - 1; k >= start; k--) {
          const value = values[k]!
          // NaN is neither.
          if (wantsLeast ? value <= extreme : value >= extreme) extreme = value
          before[k] = extreme
        }
        border = taken
        behind = nothing
      }
      const first = start < border ? before[start]! : nothing
      const extreme = (wantsLeast ? behind < first : behind > first) ? behind : first
      out[i] = extreme === nothing ? firstNumber(values, start, end) : extreme
    }
  }
}

/** Of a window in which nothing is less (or greater) than what no sample is. */
function firstNumber(values: Float64Array, start: number, end: number): number {
  for (let k = start; k < end; k++) if (!Number.isNaN(values[k]!)) return values[k]!
  return NaN
}
