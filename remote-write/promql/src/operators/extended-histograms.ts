import { counterReset, noReset } from '@narthex/model/reset-hint'
import { areEqual } from '../histogram/equal-histograms.ts'
import { isReset } from '../histogram/detect-reset.ts'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { differenceOfHistograms, interpolateHistograms } from '../histogram/histogram-rate.ts'
import type { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import type { HistogramSeries } from './operator.ts'

export interface EdgedHistograms {
  readonly leftMs: number
  readonly endMs: number
  readonly lookbackMs: number
  readonly isCounter: boolean
}

/**
 * The histograms of a window that begins with the one at or before its left edge. `atLeft`, `atRight`: how many lie at or before either edge.
 * undefined: none lies inside.
 */
export function anchorHistograms(
  { times, values }: HistogramSeries,
  atLeft: number,
  atRight: number,
  { leftMs, lookbackMs }: EdgedHistograms,
): readonly FloatHistogram[] | undefined {
  if (atRight === atLeft) return undefined
  const hasAnchor = atLeft > 0 && times[atLeft - 1]! > leftMs - lookbackMs
  return values.slice(hasAnchor ? atLeft - 1 : atLeft, atRight)
}

/** The histograms of a window, those at its edges interpolated between the ones around them. undefined: nothing is known of the window. */
export function smoothHistograms(
  { times, values }: HistogramSeries,
  atLeft: number,
  atRight: number,
  { leftMs, endMs, lookbackMs, isCounter }: EdgedHistograms,
  remarks: HistogramRemarks,
): readonly FloatHistogram[] | undefined {
  const hasBefore = atLeft > 0 && times[atLeft - 1]! > leftMs - lookbackMs
  const hasBehind = atRight < times.length && times[atRight]! <= endMs + lookbackMs
  if (atRight === atLeft && !(hasBefore && hasBehind)) return undefined
  const inside = values.slice(atLeft, atRight)
  const between = (at: number, timeMs: number) => {
    if (times[at] === timeMs || at + 1 >= times.length) return values[at]
    const fraction = (timeMs - times[at]!) / (times[at + 1]! - times[at]!)
    return interpolateHistograms(values[at]!, values[at + 1]!, fraction, isCounter, remarks)
  }
  if (hasBefore) {
    const left = between(atLeft - 1, leftMs)
    if (left === undefined) return undefined
    // A reset on the way to the first histogram inside lies before the left edge now.
    if (times[atLeft - 1] !== leftMs && inside[0]?.isGauge === false) inside[0] = inside[0].withHint(noReset)
    inside.unshift(left)
  }
  if (hasBehind && times[atRight - 1] !== endMs) {
    const right = between(atRight - 1, endMs)
    if (right === undefined) return undefined
    const isNew = atRight > atLeft && isReset(values[atRight]!, values[atRight - 1]!)
    inside.push(right.isGauge ? right : right.withHint(isNew ? counterReset : noReset))
  }
  return inside
}

/** The value of an anchored or smoothed window. */
export function computeEdgedHistograms(
  name: string,
  histograms: readonly FloatHistogram[],
  rangeMs: number,
  remarks: HistogramRemarks,
): number | FloatHistogram | undefined {
  if (name === 'changes' || name === 'resets') {
    let count = 0
    for (let i = 1; i < histograms.length; i++) {
      if (name === 'resets' ? isReset(histograms[i]!, histograms[i - 1]!) : !areEqual(histograms[i]!, histograms[i - 1]!)) count++
    }
    return count
  }
  // Here a counter that began anew makes no difference.
  if (histograms.some(({ usesCustomBuckets }) => usesCustomBuckets !== histograms[0]!.usesCustomBuckets)) {
    remarks.mixedSchemas()
    return undefined
  }
  const difference = differenceOfHistograms(histograms, name !== 'delta', remarks)
  return name === 'rate' ? difference?.dividedBy(rangeMs / 1000) : difference
}
