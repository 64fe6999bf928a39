import type { BucketSpan } from '@narthex/model/native-histogram'
import { countBuckets } from '@narthex/model/histogram-layout'

/** How two lists of buckets become one. Places are those of counts in the order of the spans. */
export interface SpanUnion {
  /** Buckets of both, runs as long as they can be. */
  readonly spans: readonly BucketSpan[]
  /** For each bucket of the first list its place in the union. */
  readonly firstPlaces: Int32Array
  readonly secondPlaces: Int32Array
  /** Buckets that the first list lacks. */
  readonly newInSecond: number
  /** Buckets that the second list lacks. */
  readonly missingInSecond: number
}

export function uniteSpans(first: readonly BucketSpan[], second: readonly BucketSpan[]): SpanUnion {
  const firstIndexes = listBuckets(first)
  const secondIndexes = listBuckets(second)
  const firstPlaces = new Int32Array(firstIndexes.length)
  const secondPlaces = new Int32Array(secondIndexes.length)
  const union: number[] = []
  let a = 0
  let b = 0
  while (a < firstIndexes.length || b < secondIndexes.length) {
    const nextOfFirst = a < firstIndexes.length ? firstIndexes[a]! : Infinity
    const nextOfSecond = b < secondIndexes.length ? secondIndexes[b]! : Infinity
    if (nextOfFirst <= nextOfSecond) firstPlaces[a++] = union.length
    if (nextOfSecond <= nextOfFirst) secondPlaces[b++] = union.length
    union.push(Math.min(nextOfFirst, nextOfSecond))
  }
  return {
    spans: makeSpans(union),
    firstPlaces,
    secondPlaces,
    newInSecond: union.length - firstIndexes.length,
    missingInSecond: union.length - secondIndexes.length,
  }
}

/** The index of each bucket, ascending. */
function listBuckets(spans: readonly BucketSpan[]): Int32Array {
  const indexes = new Int32Array(countBuckets(spans))
  let at = 0
  let index = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) indexes[at++] = index++
  }
  return indexes
}

function makeSpans(indexes: readonly number[]): BucketSpan[] {
  const spans: BucketSpan[] = []
  let end = 0
  for (let from = 0; from < indexes.length;) {
    let to = from + 1
    while (to < indexes.length && indexes[to] === indexes[to - 1]! + 1) to++
    spans.push({ offset: indexes[from]! - end, length: to - from })
    end = indexes[to - 1]! + 1
    from = to
  }
  return spans
}
