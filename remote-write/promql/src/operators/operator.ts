import type { Labels } from '@narthex/model/labels'

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
  /** 1 where the series has a value. A value may be any NaN, so absence cannot be told from it. */
  present: Uint8Array<ArrayBuffer>
}

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

export function countPresent(present: Uint8Array): number {
  let count = 0
  for (let i = 0; i < present.length; i++) count += present[i]!
  return count
}
