import { isSameBounds } from '@narthex/model/histogram-layout'
import { counterReset, gaugeHistogram, noReset, unknownReset, type ResetHint } from '@narthex/model/reset-hint'
import { addBuckets } from './bucket-list.ts'
import type { FloatHistogram } from './float-histogram.ts'
import { changeLayout, findCommonLayout } from './histogram-layout.ts'

export interface Combination {
  readonly histogram: FloatHistogram
  /** One side was reset where the other was not. */
  readonly conflictingResets: boolean
  /** Custom bounds differed, and those that both have were kept. */
  readonly reconciledBounds: boolean
}

/** Sum of two histograms; empty buckets stay. undefined: one has custom buckets, the other exponential ones. */
export function addHistograms(a: FloatHistogram, b: FloatHistogram): Combination | undefined {
  return combine(a, b, 1)
}

/** `a` minus `b`, which is a gauge. */
export function subtractHistograms(a: FloatHistogram, b: FloatHistogram): Combination | undefined {
  return combine(a, b, -1)
}

function combine(a: FloatHistogram, b: FloatHistogram, factor: 1 | -1): Combination | undefined {
  const layout = findCommonLayout(a, b)
  if (layout === undefined) return undefined
  const left = changeLayout(a, layout)
  const right = changeLayout(b, layout)
  return {
    histogram: left.with({
      zeroCount: left.zeroCount + factor * right.zeroCount,
      count: left.count + factor * right.count,
      sum: left.sum + factor * right.sum,
      positive: addBuckets(left.positive, right.positive, factor),
      negative: addBuckets(left.negative, right.negative, factor),
      hint: factor === 1 ? combineHints(a.hint, b.hint) : gaugeHistogram,
    }),
    conflictingResets: areConflicting(a.hint, b.hint),
    reconciledBounds: a.usesCustomBuckets && !isSameBounds(a.customValues, b.customValues),
  }
}

/** A gauge added to anything is a gauge; of two that contradict each other, or of which one is unknown, nothing is known. */
export function combineHints(a: ResetHint, b: ResetHint): ResetHint {
  if (a === b) return a
  return a === gaugeHistogram || b === gaugeHistogram ? gaugeHistogram : unknownReset
}

export function areConflicting(a: ResetHint, b: ResetHint): boolean {
  return (a === counterReset && b === noReset) || (a === noReset && b === counterReset)
}
