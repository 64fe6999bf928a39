/**
 * Deleted times of series of the head, as plain data that all threads share: never changed once it is made. `refs` are ascending, each once;
 * refs[i] has times[starts[i]] … times[starts[i + 1] - 1], that is first, last, first, last, … in milliseconds, both ends included,
 * ascending and apart.
 */
export interface DeletedIntervals {
  readonly refs: Uint32Array
  readonly starts: Uint32Array
  readonly times: Float64Array
}

/** first, last, … of a series; undefined if nothing of it is deleted. */
export function deletedIntervalsOf({ refs, starts, times }: DeletedIntervals, ref: number): Float64Array | undefined {
  let low = 0
  let high = refs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (refs[middle]! < ref) low = middle + 1
    else high = middle
  }
  return refs[low] === ref ? times.subarray(starts[low], starts[low + 1]) : undefined
}
