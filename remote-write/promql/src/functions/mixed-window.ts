import type { FloatHistogram } from '../histogram/float-histogram.ts'
import type { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import type { SampleWindow, WindowFunction } from './sample-window.ts'

/** The part of a series with native histograms, or with start times, that a range function sees at one step; at least one sample. */
export interface MixedWindow {
  /** Its floats; `from === to` if it has none. */
  readonly floats: SampleWindow
  /** Of the floats; ms, 0 = not known. undefined: of none. */
  readonly floatStartTimes: Float64Array | undefined
  /** ms */
  histogramTimes: Float64Array
  histograms: readonly FloatHistogram[]
  histogramStartTimes: Float64Array | undefined
  /** Histograms `histogramFrom` … `histogramTo - 1` are in the window. */
  histogramFrom: number
  histogramTo: number
}

/** Result at one step; undefined: none. */
export type MixedFunction = (window: MixedWindow, step: number, remarks: HistogramRemarks) => number | FloatHistogram | undefined

export function countFloats({ floats }: MixedWindow): number {
  return floats.to - floats.from
}

export function countHistograms({ histogramFrom, histogramTo }: MixedWindow): number {
  return histogramTo - histogramFrom
}

const result = new Float64Array(1)

/** A function of floats alone, of which histograms are left out: with a remark if the window has both. */
export function ofFloats(evaluate: WindowFunction, perStep: boolean): MixedFunction {
  let out = result
  return (window, step, remarks) => {
    if (countFloats(window) === 0) return undefined
    if (countHistograms(window) > 0) remarks.ignoredInMixedRange()
    const at = perStep ? step : 0
    if (out.length <= at) out = new Float64Array(2 * at)
    return evaluate(window.floats, out, at) ? out[at] : undefined
  }
}

/** Visits all samples of the window in the order of time. */
export function forEachSample(window: MixedWindow, visit: (sample: number | FloatHistogram) => void): void {
  const { floats, histogramTimes, histograms, histogramTo } = window
  let at = window.histogramFrom
  for (let i = floats.from; i < floats.to; i++) {
    while (at < histogramTo && histogramTimes[at]! < floats.times[i]!) visit(histograms[at++]!)
    visit(floats.values[i]!)
  }
  while (at < histogramTo) visit(histograms[at++]!)
}
