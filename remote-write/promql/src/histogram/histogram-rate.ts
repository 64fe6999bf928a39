import { FloatHistogram } from './float-histogram.ts'
import { gaugeHistogram } from '@narthex/model/reset-hint'
import { addHistograms, subtractHistograms, type Combination } from './combine-histograms.ts'
import { isReset } from './detect-reset.ts'
import { changeLayout } from './histogram-layout.ts'
import type { CombiningOperation, HistogramRemarks } from './histogram-remarks.ts'

/**
 * By how much a counter rose from the first of the histograms to the last, or a gauge differs: a gauge without empty buckets. `resetByStart(i)`:
 * histogram `i` began anew by its start time. undefined, with a remark, for histograms that cannot be subtracted.
 */
export function differenceOfHistograms(
  histograms: readonly FloatHistogram[],
  isCounter: boolean,
  remarks: HistogramRemarks,
  resetByStart: (i: number) => boolean = () => false,
): FloatHistogram | undefined {
  let previous = histograms[0]!
  const first = previous
  const last = histograms.at(-1)!
  if (isCounter && histograms.some(({ isGauge }) => isGauge)) remarks.notCounter()
  const beganAnew = (i: number) => resetByStart(i) || isReset(histograms[i]!, previous)
  // Of a first one that was reset at once nothing is needed, so its layout does not matter either.
  if (isCounter && histograms.length > 1 && beganAnew(1)) {
    const { schema, customValues } = histograms[1]!
    previous = FloatHistogram.empty.with({ schema, customValues })
  }
  let schema = Math.min(previous.schema, last.schema)
  if (last.usesCustomBuckets !== previous.usesCustomBuckets) return refuse(remarks)
  if (isCounter) {
    for (let i = 1; i < histograms.length - 1; i++) {
      if (histograms[i]!.usesCustomBuckets !== last.usesCustomBuckets) return refuse(remarks)
      schema = Math.min(schema, histograms[i]!.schema)
    }
  }
  const reduced = changeLayout(last, { schema, zeroThreshold: last.zeroThreshold, customValues: last.customValues })
  // Resets are dealt with below, so their conflicts are no news.
  let result = take(subtractHistograms(reduced, previous), 'subtraction', remarks)
  if (isCounter) {
    for (let i = 1; i < histograms.length && result !== undefined; i++) {
      if (beganAnew(i)) result = take(addHistograms(result, previous), 'addition', remarks)
      previous = histograms[i]!
    }
  } else if (!first.isGauge || !last.isGauge) remarks.notGauge()
  return result?.withHint(gaugeHistogram).compact()
}

/** The last of two histograms against the one before, as `irate` and `idelta` see them. */
export function stepOfHistograms(
  previous: FloatHistogram,
  last: FloatHistogram,
  isRate: boolean,
  remarks: HistogramRemarks,
  resetByStart: boolean,
): FloatHistogram | undefined {
  if (isRate && (last.isGauge || previous.isGauge)) remarks.notCounter()
  if (!isRate && !(last.isGauge && previous.isGauge)) remarks.notGauge()
  const isWhole = isRate && (resetByStart || isReset(last, previous))
  const result = isWhole ? last : take(subtractHistograms(last, previous), 'subtraction', remarks)
  return result?.withHint(gaugeHistogram).compact()
}

function take(combination: Combination | undefined, operation: CombiningOperation, remarks: HistogramRemarks): FloatHistogram | undefined {
  if (combination === undefined) return refuse(remarks)
  if (combination.reconciledBounds) remarks.reconciledBounds(operation)
  return combination.histogram
}

function refuse(remarks: HistogramRemarks): undefined {
  remarks.mixedSchemas()
  return undefined
}

/**
 * Between two histograms, `fraction` of the way; a counter that was reset in between is taken to have risen from zero. undefined, with a remark,
 * where one has custom buckets and the other not.
 */
export function interpolateHistograms(
  before: FloatHistogram,
  behind: FloatHistogram,
  fraction: number,
  isCounter: boolean,
  remarks: HistogramRemarks,
): FloatHistogram | undefined {
  if (before.usesCustomBuckets !== behind.usesCustomBuckets) return refuse(remarks)
  const hint = before.isGauge && behind.isGauge ? gaugeHistogram : 0
  if (isCounter && isReset(behind, before)) return behind.times(fraction).withHint(hint)
  const difference = take(subtractHistograms(behind, before), 'subtraction', remarks)!
  return take(addHistograms(before, difference.times(fraction)), 'addition', remarks)!.withHint(hint)
}
