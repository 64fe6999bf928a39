import { growWords } from '@narthex/bytes/grow'
import type { WindowsFunction } from './sample-window.ts'

/** Places of samples that may still be the extreme of a window, their values in order. */
let candidates = new Uint32Array(256)

/**
 * min_over_time and max_over_time: each sample is taken in and thrown out once, however long the windows are. NaN only if there is nothing else; of equal
 * values the earliest.
 */
export function makeSlidingExtreme(wantsLeast: boolean): WindowsFunction {
  return ({ values, from, to, steps, length }, out, present) => {
    if (candidates.length < length) candidates = growWords(candidates, length)
    const places = candidates
    let first = 0
    let last = 0
    let taken = 0
    for (let i = 0; i < steps; i++) {
      const end = to[i]!
      for (; taken < end; taken++) {
        const value = values[taken]!
        if (Number.isNaN(value)) continue
        if (wantsLeast) while (last > first && value < values[places[last - 1]!]!) last--
        else while (last > first && value > values[places[last - 1]!]!) last--
        places[last++] = taken
      }
      if (present[i] === 0) continue
      const start = from[i]!
      while (first < last && places[first]! < start) first++
      out[i] = first < last ? values[places[first]!]! : NaN
    }
  }
}
