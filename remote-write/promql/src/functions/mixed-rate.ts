import { FloatHistogram } from '../histogram/float-histogram.ts'
import { isReset } from '../histogram/detect-reset.ts'
import type { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import { differenceOfHistograms, stepOfHistograms } from '../histogram/histogram-rate.ts'
import type { MixedFunction, MixedWindow } from './mixed-window.ts'
import { countFloats, countHistograms } from './mixed-window.ts'
import { isOverlapping, isResetByStart } from './start-times.ts'

/** Samples of one kind in the window. */
interface Samples {
  readonly times: Float64Array
  readonly startTimes: Float64Array | undefined
  readonly from: number
  readonly to: number
}

function floatsOf({ floats, floatStartTimes }: MixedWindow): Samples {
  return { times: floats.times, startTimes: floatStartTimes, from: floats.from, to: floats.to }
}

function histogramsOf({ histogramTimes, histogramStartTimes, histogramFrom, histogramTo }: MixedWindow): Samples {
  return { times: histogramTimes, startTimes: histogramStartTimes, from: histogramFrom, to: histogramTo }
}

function beganAnew({ times, startTimes }: Samples, i: number): boolean {
  return startTimes !== undefined && isResetByStart(times[i]!, startTimes[i]!, times[i - 1]!, startTimes[i - 1]!)
}

/** rate, increase and delta as `makeExtrapolated`, of floats with start times or of histograms; of both together nothing. */
export function makeMixedExtrapolated(isCounter: boolean, isRate: boolean): MixedFunction {
  return (window, _step, remarks) => {
    const hasHistograms = countHistograms(window) > 0
    if (hasHistograms && countFloats(window) > 0) {
      remarks.mixedFloats()
      return undefined
    }
    const samples = hasHistograms ? histogramsOf(window) : floatsOf(window)
    const startMs = isCounter ? knownStart(samples, window.floats.startMs) : undefined
    if (samples.to - samples.from < (startMs === undefined ? 2 : 1)) return undefined
    if (isCounter && hasOverlap(samples)) remarks.overlappingStart()
    if (hasHistograms) {
      const histograms = window.histograms.slice(samples.from, samples.to)
      const first = histograms[0]!
      const result =
        startMs === undefined
          ? differenceOfHistograms(histograms, isCounter, remarks, (i) => beganAnew(samples, samples.from + i))
          : riseFromZero(histograms, remarks, (i) => beganAnew(samples, samples.from + i))
      return result?.times(factorOf(window, samples, startMs, first.count, result.count, isCounter, isRate))
    }
    const { values } = window.floats
    let result = values[samples.to - 1]! - values[samples.from]!
    for (let i = samples.from + 1; isCounter && i < samples.to; i++) {
      if (values[i]! < values[i - 1]! || beganAnew(samples, i)) result += values[i - 1]!
    }
    if (startMs !== undefined) result += values[samples.from]!
    return result * factorOf(window, samples, startMs, values[samples.from]!, result, isCounter, isRate)
  }
}

/** As if an empty histogram stood in front of the first. */
function riseFromZero(
  histograms: readonly FloatHistogram[],
  remarks: HistogramRemarks,
  resetByStart: (i: number) => boolean,
): FloatHistogram | undefined {
  return differenceOfHistograms([FloatHistogram.empty, ...histograms], true, remarks, (i) => i === 1 || resetByStart(i - 1))
}

/** When counting began for the first sample, if that is known and inside the window: the counter was zero then. */
function knownStart({ times, startTimes, from, to }: Samples, windowStartMs: number): number | undefined {
  if (startTimes === undefined || from === to) return undefined
  const startMs = startTimes[from]!
  return startMs !== 0 && startMs > windowStartMs && startMs < times[from]! ? startMs : undefined
}

function hasOverlap({ times, startTimes, from, to }: Samples): boolean {
  if (startTimes === undefined) return false
  for (let i = from + 1; i < to; i++) if (isOverlapping(startTimes[i]!, times[i - 1]!, startTimes[i - 1]!)) return true
  return false
}

/** By what the rise between the samples is multiplied to be that of the whole window. */
function factorOf(
  window: MixedWindow,
  { times, from, to }: Samples,
  knownStartMs: number | undefined,
  first: number,
  rise: number,
  isCounter: boolean,
  isRate: boolean,
): number {
  const { startMs, endMs, rangeMs } = window.floats
  const firstMs = knownStartMs ?? times[from]!
  const lastMs = times[to - 1]!
  const average = to - from > 1 ? (lastMs - times[from]!) / 1000 / (to - from - 1) : 0
  const threshold = average * 1.1
  const sampled = (lastMs - firstMs) / 1000
  let toStart = knownStartMs === undefined ? (firstMs - startMs) / 1000 : 0
  let toEnd = (endMs - lastMs) / 1000
  if (toStart >= threshold) toStart = average / 2
  if (isCounter && rise > 0 && first >= 0) toStart = Math.min(toStart, sampled * (first / rise))
  if (toEnd >= threshold) toEnd = average / 2
  const factor = (sampled + (knownStartMs === undefined ? toStart : 0) + toEnd) / sampled
  return isRate ? factor / (rangeMs / 1000) : factor
}

/** irate and idelta: from the last two samples alone, if both are of one kind. */
export function makeMixedInstantaneous(isRate: boolean): MixedFunction {
  return (window, _step, remarks) => {
    const { times, values, from, to } = window.floats
    const { histogramTimes, histograms, histogramFrom, histogramTo } = window
    if (to - from + histogramTo - histogramFrom < 2) return undefined
    // How many of the last two are floats.
    let float = to
    let histogram = histogramTo
    for (let i = 0; i < 2; i++) {
      if (histogram === histogramFrom || (float > from && times[float - 1]! > histogramTimes[histogram - 1]!)) float--
      else histogram--
    }
    if (float !== to && histogram !== histogramTo) {
      remarks.mixedFloats()
      return undefined
    }
    if (histogram === histogramTo) {
      const seconds = (times[to - 1]! - times[to - 2]!) / 1000
      const last = values[to - 1]!
      const previous = values[to - 2]!
      const isWhole = isRate && (last < previous || beganAnew(floatsOf(window), to - 1))
      const difference = isWhole ? last : last - previous
      return isRate ? difference / seconds : difference
    }
    const seconds = (histogramTimes[histogramTo - 1]! - histogramTimes[histogramTo - 2]!) / 1000
    const resetByStart = beganAnew(histogramsOf(window), histogramTo - 1)
    const step = stepOfHistograms(histograms[histogramTo - 2]!, histograms[histogramTo - 1]!, isRate, remarks, resetByStart)
    return isRate ? step?.dividedBy(seconds) : step
  }
}

/** A change from floats to histograms, or back, is a reset too. */
export function countMixedResets(window: MixedWindow): number {
  const { floats, histogramTimes, histograms, histogramFrom, histogramTo } = window
  const floatSamples = floatsOf(window)
  const histogramSamples = histogramsOf(window)
  let count = 0
  let float = floats.from
  let histogram = histogramFrom
  let wasFloat: boolean | undefined
  while (float < floats.to || histogram < histogramTo) {
    const isFloat = histogram >= histogramTo || (float < floats.to && floats.times[float]! < histogramTimes[histogram]!)
    if (wasFloat !== undefined) {
      if (isFloat !== wasFloat) count++
      else if (isFloat) {
        if (floats.values[float]! < floats.values[float - 1]! || beganAnew(floatSamples, float)) count++
      } else if (beganAnew(histogramSamples, histogram) || isReset(histograms[histogram]!, histograms[histogram - 1]!)) count++
    }
    wasFloat = isFloat
    if (isFloat) float++
    else histogram++
  }
  return count
}
