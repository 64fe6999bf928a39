import type { BucketSpan } from '@narthex/model/native-histogram'

/** One side of a native histogram, bucket by bucket: ascending indexes and the absolute count of each. */
export interface BucketRuns {
  indexes: number[]
  counts: number[]
}

/** One side as the formats write it. */
export interface PackedBuckets {
  readonly spans: readonly BucketSpan[]
  readonly counts: readonly number[]
}

/** Bucket indexes outside of int32 belong to no schema. */
const indexMax = 2 ** 31 - 1

/** What is wrong with these spans for so many bucket counts, in Prometheus' words; undefined when nothing is. */
export function checkSpans(spans: readonly BucketSpan[], countsLength: number, side: 'positive' | 'negative'): string | undefined {
  let wanted = 0
  let index = 0
  for (let i = 0; i < spans.length; i++) {
    const { offset, length } = spans[i]!
    if (i > 0 && offset < 0) {
      return `${side} side: span number ${i + 1} with offset ${offset}: histogram has a span whose offset is negative`
    }
    index += offset + length
    wanted += length
    if (Math.abs(index) > indexMax) return `${side} side: span number ${i + 1} ends at bucket ${index}, want at most ${indexMax}`
  }
  if (wanted === countsLength) return undefined
  return `${side} side: spans need ${wanted} buckets, have ${countsLength} buckets: histogram spans specify different number of buckets than provided`
}

/** The absolute counts behind deltas. */
export function sumDeltas(deltas: readonly number[]): number[] {
  let count = 0
  return deltas.map((delta) => (count += delta))
}

/** The deltas of absolute counts. */
export function makeDeltas(counts: readonly number[]): number[] {
  return counts.map((count, i) => (i === 0 ? count : count - counts[i - 1]!))
}

/** Spans that `checkSpans` has passed, bucket by bucket. */
export function unpackBuckets(spans: readonly BucketSpan[], counts: readonly number[]): BucketRuns {
  const indexes: number[] = []
  let index = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) indexes.push(index++)
  }
  return { indexes, counts: [...counts] }
}

/** The same observations in 2^steps times wider buckets: index i holds (base^(i-1), base^i], so its last bucket ends where the wide one does. */
export function mergeBuckets({ indexes, counts }: BucketRuns, steps: number): BucketRuns {
  const merged: BucketRuns = { indexes: [], counts: [] }
  const width = 2 ** steps
  for (let i = 0; i < indexes.length; i++) {
    // Adding 0 makes the -0 of a rounded fraction 0.
    const index = Math.ceil(indexes[i]! / width) + 0
    const last = merged.indexes.length - 1
    if (merged.indexes[last] === index) merged.counts[last]! += counts[i]!
    else {
      merged.indexes.push(index)
      merged.counts.push(counts[i]!)
    }
  }
  return merged
}

/** The fewest spans without empty buckets, but that up to `emptyMax` of them in a row stay inside a span, which is shorter than a new one. */
export function packBuckets({ indexes, counts }: BucketRuns, emptyMax: number): PackedBuckets {
  const spans: { offset: number; length: number }[] = []
  const packed: number[] = []
  let next = 0
  for (let i = 0; i < indexes.length; i++) {
    const count = counts[i]!
    if (count === 0) continue
    const index = indexes[i]!
    const last = spans.at(-1)
    const gap = index - next
    if (last !== undefined && gap <= emptyMax) {
      for (let empty = 0; empty < gap; empty++) packed.push(0)
      last.length += gap + 1
    } else {
      spans.push({ offset: gap, length: 1 })
    }
    packed.push(count)
    next = index + 1
  }
  return { spans, counts: packed }
}
