import type { BucketSpan, NativeHistogram } from '@narthex/model/native-histogram'

/**
 * The histogram at `schema` if its own is finer, otherwise itself: each bucket goes into the one of twice its exponent's step
 * that holds it, once for each step of the schema.
 */
export function reduceSchema(histogram: NativeHistogram, schema: number): NativeHistogram {
  const steps = histogram.schema - schema
  if (steps <= 0) return histogram
  const { isFloat } = histogram
  const positive = reduceSide(histogram.positiveSpans, absoluteCounts(histogram.positiveDeltas, histogram.positiveCounts, isFloat), steps)
  const negative = reduceSide(histogram.negativeSpans, absoluteCounts(histogram.negativeDeltas, histogram.negativeCounts, isFloat), steps)
  return {
    ...histogram,
    schema,
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    positiveDeltas: isFloat ? [] : deltasOf(positive.counts),
    negativeDeltas: isFloat ? [] : deltasOf(negative.counts),
    positiveCounts: isFloat ? positive.counts : [],
    negativeCounts: isFloat ? negative.counts : [],
  }
}

function reduceSide(spans: readonly BucketSpan[], counts: readonly number[], steps: number): { spans: BucketSpan[]; counts: number[] } {
  const reduced: { spans: { offset: number; length: number }[]; counts: number[] } = { spans: [], counts: [] }
  let index = 0
  let at = 0
  let lastTarget = -Infinity
  for (const { offset, length } of spans) {
    index += offset
    for (const end = index + length; index < end; index++) {
      const target = Math.floor((index - 1) / 2 ** steps) + 1
      if (target === lastTarget) {
        reduced.counts[reduced.counts.length - 1]! += counts[at++]!
        continue
      }
      const last = reduced.spans.at(-1)
      if (last !== undefined && target === lastTarget + 1) last.length++
      else reduced.spans.push({ offset: last === undefined ? target : target - lastTarget - 1, length: 1 })
      reduced.counts.push(counts[at++]!)
      lastTarget = target
    }
  }
  return reduced
}

function absoluteCounts(deltas: readonly number[], counts: readonly number[], isFloat: boolean): readonly number[] {
  if (isFloat) return counts
  let sum = 0
  return deltas.map((delta) => (sum += delta))
}

function deltasOf(counts: readonly number[]): number[] {
  return counts.map((count, i) => count - (counts[i - 1] ?? 0))
}
