import { counterReset, noReset } from '@narthex/model/reset-hint'
import { areEqual } from '../histogram/equal-histograms.ts'
import { isReset } from '../histogram/detect-reset.ts'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { differenceOfHistograms, interpolateHistograms } from '../histogram/histogram-rate.ts'
import type { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import { countUntil } from './count-until.ts'
import type { HistogramSeries, SampleSeries } from './operator.ts'

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

/**
 * Changes or resets in an anchored window that has floats and histograms: a sample of the other kind is either. The window begins with the last
 * sample at or before its left edge. undefined: none lies inside.
 */
export function countMixedSteps(
  name: 'changes' | 'resets',
  floats: SampleSeries,
  histograms: HistogramSeries,
  { leftMs, endMs, lookbackMs }: EdgedHistograms,
): number | undefined {
  const floatTimes = floats.times.subarray(0, floats.length)
  let [nextFloat, nextHistogram] = [floatTimes, histograms.times].map((times) => countUntil(times, leftMs)) as [number, number]
  const [floatEnd, histogramEnd] = [countUntil(floatTimes, endMs), countUntil(histograms.times, endMs)]
  if (nextFloat >= floatEnd && nextHistogram >= histogramEnd) return undefined
  const [floatMs, histogramMs] = [floatTimes[nextFloat - 1] ?? -Infinity, histograms.times[nextHistogram - 1] ?? -Infinity]
  if (Math.max(floatMs, histogramMs) > leftMs - lookbackMs) {
    if (floatMs >= histogramMs) nextFloat--
    else nextHistogram--
  }
  let count = 0
  let previous: number | FloatHistogram | undefined
  while (nextFloat < floatEnd || nextHistogram < histogramEnd) {
    const isFloat = nextHistogram >= histogramEnd || (nextFloat < floatEnd && floatTimes[nextFloat]! < histograms.times[nextHistogram]!)
    const sample = isFloat ? floats.values[nextFloat++]! : histograms.values[nextHistogram++]!
    if (previous !== undefined && isStep(name, previous, sample)) count++
    previous = sample
  }
  return count
}

function isStep(name: 'changes' | 'resets', previous: number | FloatHistogram, sample: number | FloatHistogram): boolean {
  if (typeof previous === 'number' && typeof sample === 'number') {
    return name === 'resets' ? sample < previous : sample !== previous && !(Number.isNaN(sample) && Number.isNaN(previous))
  }
  if (typeof previous === 'number' || typeof sample === 'number') return true
  return name === 'resets' ? isReset(sample, previous) : !areEqual(sample, previous)
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
