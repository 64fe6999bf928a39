import { SampleColumns } from '@narthex/model/sample-columns'

const merged = new SampleColumns()

/**
 * Merges the samples of `one` with those that stand in `into` from `before` on, both ascending in time: each time once, of two with the same time
 * that of `into` stays.
 */
export function mergeSamples(into: SampleColumns, before: number, one: SampleColumns): void {
  if (one.length === 0) return
  if (into.length === before || one.times[0]! > into.times[into.length - 1]!) {
    appendSamples(one, 0, one.length, into)
    return
  }
  merged.clear()
  let left = before
  let right = 0
  while (left < into.length || right < one.length) {
    const leftMs = left < into.length ? into.times[left]! : Infinity
    const rightMs = right < one.length ? one.times[right]! : Infinity
    if (leftMs <= rightMs) merged.push(leftMs, into.words[2 * left]!, into.words[2 * left + 1]!)
    else merged.push(rightMs, one.words[2 * right]!, one.words[2 * right + 1]!)
    if (leftMs <= rightMs) left++
    if (rightMs <= leftMs) right++
  }
  into.length = before
  appendSamples(merged, 0, merged.length, into)
}

/** Copies samples with their bits. */
export function appendSamples(from: SampleColumns, start: number, end: number, into: SampleColumns): void {
  const at = into.length
  into.reserve(end - start)
  into.times.set(from.times.subarray(start, end), at)
  into.words.set(from.words.subarray(2 * start, 2 * end), 2 * at)
  into.length = at + end - start
}
