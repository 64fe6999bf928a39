import { counterReset, noReset } from '@narthex/model/reset-hint'
import { areEqual } from '../histogram/equal-histograms.ts'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { HistogramAverage } from '../histogram/histogram-average.ts'
import type { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import { HistogramSum } from '../histogram/histogram-sum.ts'
import type { MixedFunction, MixedWindow } from './mixed-window.ts'
import { countFloats, countHistograms, forEachSample } from './mixed-window.ts'
import { makeMixedExtrapolated, makeMixedInstantaneous, countMixedResets } from './mixed-rate.ts'
import { averageOverTime, sumOverTime } from './over-time.ts'

const out = new Float64Array(1)

/** Range functions that take native histograms; all others leave them out. */
export const mixedFunctions: ReadonlyMap<string, MixedFunction> = new Map<string, MixedFunction>([
  ['rate', makeMixedExtrapolated(true, true)],
  ['increase', makeMixedExtrapolated(true, false)],
  ['delta', makeMixedExtrapolated(false, false)],
  ['irate', makeMixedInstantaneous(true)],
  ['idelta', makeMixedInstantaneous(false)],
  ['resets', countMixedResets],
  ['changes', countMixedChanges],
  ['count_over_time', (window) => countFloats(window) + countHistograms(window)],
  ['present_over_time', () => 1],
  ['first_over_time', (window) => (firstIsFloat(window) ? firstFloat(window) : firstHistogram(window))],
  ['last_over_time', (window) => (lastIsFloat(window) ? lastFloat(window) : lastHistogram(window))],
  ['ts_of_first_over_time', (window) => (firstIsFloat(window) ? firstFloatMs(window) : firstHistogramMs(window)) / 1000],
  ['ts_of_last_over_time', (window) => (lastIsFloat(window) ? lastFloatMs(window) : lastHistogramMs(window)) / 1000],
  ['sum_over_time', (window, _step, remarks) => combine(window, remarks, sumOverTime, sumHistograms)],
  ['avg_over_time', (window, _step, remarks) => combine(window, remarks, averageOverTime, averageHistograms)],
])

const firstFloat = ({ floats }: MixedWindow) => floats.values[floats.from]!
const lastFloat = ({ floats }: MixedWindow) => floats.values[floats.to - 1]!
const firstFloatMs = ({ floats }: MixedWindow) => floats.times[floats.from]!
const lastFloatMs = ({ floats }: MixedWindow) => floats.times[floats.to - 1]!
const firstHistogram = ({ histograms, histogramFrom }: MixedWindow) => histograms[histogramFrom]!
const lastHistogram = ({ histograms, histogramTo }: MixedWindow) => histograms[histogramTo - 1]!
const firstHistogramMs = ({ histogramTimes, histogramFrom }: MixedWindow) => histogramTimes[histogramFrom]!
const lastHistogramMs = ({ histogramTimes, histogramTo }: MixedWindow) => histogramTimes[histogramTo - 1]!

function firstIsFloat(window: MixedWindow): boolean {
  return countHistograms(window) === 0 || (countFloats(window) > 0 && firstFloatMs(window) < firstHistogramMs(window))
}

function lastIsFloat(window: MixedWindow): boolean {
  return countHistograms(window) === 0 || (countFloats(window) > 0 && lastFloatMs(window) > lastHistogramMs(window))
}

/** A NaN after a NaN is no change. */
function countMixedChanges(window: MixedWindow): number {
  let count = 0
  let previous: number | FloatHistogram | undefined
  forEachSample(window, (sample) => {
    if (previous !== undefined && !isSame(previous, sample)) count++
    previous = sample
  })
  return count
}

function isSame(a: number | FloatHistogram, b: number | FloatHistogram): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b || (Number.isNaN(a) && Number.isNaN(b))
  return areEqual(a, b)
}

/** Floats by one function, histograms by another; both together are not combined. */
function combine(
  window: MixedWindow,
  remarks: HistogramRemarks,
  ofFloats: typeof sumOverTime,
  ofHistograms: (histograms: readonly FloatHistogram[], remarks: HistogramRemarks) => FloatHistogram | undefined,
): number | FloatHistogram | undefined {
  if (countHistograms(window) === 0) {
    ofFloats(window.floats, out, 0)
    return out[0]
  }
  if (countFloats(window) > 0) {
    remarks.mixedFloats()
    return undefined
  }
  const histograms = window.histograms.slice(window.histogramFrom, window.histogramTo)
  if (histograms.some(({ hint }) => hint === counterReset) && histograms.some(({ hint }) => hint === noReset))
    remarks.conflictingResets('aggregation')
  return ofHistograms(histograms, remarks)
}

/** With empty buckets, as Prometheus leaves them: a quantile looks whether there are negative ones. */
function sumHistograms(histograms: readonly FloatHistogram[], remarks: HistogramRemarks): FloatHistogram | undefined {
  const sum = new HistogramSum(histograms[0]!)
  return addAll(histograms, sum, remarks) ? sum.total : undefined
}

function averageHistograms(histograms: readonly FloatHistogram[], remarks: HistogramRemarks): FloatHistogram | undefined {
  const average = new HistogramAverage(histograms[0]!)
  return addAll(histograms, average, remarks) ? average.average : undefined
}

function addAll(histograms: readonly FloatHistogram[], into: HistogramSum | HistogramAverage, remarks: HistogramRemarks): boolean {
  for (let i = 1; i < histograms.length; i++) {
    if (into.add(histograms[i]!)) continue
    remarks.mixedSchemas()
    return false
  }
  if (into.reconciledBounds) remarks.reconciledBounds('aggregation')
  return true
}
