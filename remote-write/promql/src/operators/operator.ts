import type { Labels } from '@narthex/model/labels'
import type { FloatHistogram } from '../histogram/float-histogram.ts'

/**
 * One series of an instant vector over all steps of the grid. The object and its arrays are valid until the next `next()` of the
 * operator that gave them; until then the receiver may change them in place. Whoever keeps them copies them.
 */
export interface StepSeries {
  labels: Labels
  /** Its name is to be dropped from the final result (with delayed name removal only). */
  dropName: boolean
  /** A value per step; what stands at an absent step has no meaning. */
  values: Float64Array<ArrayBuffer>
  /** 1 where the series has a value, float or histogram. A value may be any NaN, so absence cannot be told from it. */
  present: Uint8Array<ArrayBuffer>
  /** The native histogram at each present step that has one instead of a float. undefined, as most often: all are floats. */
  histograms: StepHistograms | undefined
}

export type StepHistograms = (FloatHistogram | undefined)[]

/** Yields series with at least one present step, no label set twice. */
export interface VectorOperator {
  next(): StepSeries | undefined
  /** True if the label sets stay different when the names are taken away: then dropping names needs no check. */
  readonly distinctWithoutName: boolean
}

/** A series in columns, for functions over ranges: stale markers removed, times in ms, strictly increasing. */
export interface SampleSeries {
  labels: Labels
  dropName: boolean
  times: Float64Array<ArrayBuffer>
  values: Float64Array<ArrayBuffer>
  length: number
  /** ms; when counting began for each float, 0 = not known. undefined: nobody asks, or of none. */
  startTimes: Float64Array | undefined
  /** Native histograms among the floats, at times of their own. undefined, as most often: there are none. */
  histograms: HistogramSeries | undefined
}

export interface HistogramSeries {
  /** ms, strictly increasing. */
  readonly times: Float64Array
  /** ms; when counting began, 0 = not known. undefined: nobody asks. */
  readonly startTimes: Float64Array | undefined
  readonly values: readonly FloatHistogram[]
  /** As how many samples they count. */
  readonly samples: number
}

/** Their samples added up. */
export function makeHistogramSeries(times: Float64Array, values: readonly FloatHistogram[], startTimes?: Float64Array): HistogramSeries {
  let samples = 0
  for (const value of values) samples += value.sampleCount
  return { times, startTimes, values, samples }
}

/** Yields the samples that the windows of a range vector are cut from; valid until the next `next()`. */
export interface SampleSource {
  next(): SampleSeries | undefined
  readonly distinctWithoutName: boolean
}

/** Objects, array headers and labels of a StepSeries, measured with labels of four names: with few steps they are most of it. */
const objectBytes = 400

/** Bytes that a StepSeries of so many steps takes. */
export function stepSeriesBytes(steps: number): number {
  return steps * 9 + objectBytes
}

/** Bytes that a histogram takes about in a column, for the byte budget. */
export function histogramBytes(histogram: FloatHistogram): number {
  return 16 * histogram.sampleCount + histogramObjectBytes
}

const histogramObjectBytes = 400

/** How many samples the histograms at present steps count beyond one each; what they hold is shared, so bytes are counted where they are made. */
export function extraSamples({ present, histograms }: Pick<StepSeries, 'present' | 'histograms'>): number {
  if (histograms === undefined) return 0
  let extra = 0
  for (let i = 0; i < present.length; i++) {
    const histogram = present[i] === 0 ? undefined : histograms[i]
    if (histogram !== undefined) extra += histogram.sampleCount - 1
  }
  return extra
}

export function countPresent(present: Uint8Array): number {
  let count = 0
  for (let i = 0; i < present.length; i++) count += present[i]!
  return count
}
