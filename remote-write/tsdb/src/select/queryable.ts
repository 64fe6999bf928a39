import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import type { SampleColumns } from '@narthex/model/sample-columns'
import type { HistogramColumns } from '@narthex/model/histogram-columns'
import type { SeriesChunk } from './series-chunks.ts'

/** What a query engine asks of a storage; times are milliseconds, both ends included. */
export interface Queryable {
  /** Series in the order of their labels. */
  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number, hints?: SelectHints): SeriesSet
  /** False: no series has anything in the time. */
  overlaps?(minTimeMs: number, maxTimeMs: number): boolean
  /** Sorted bytewise. */
  labelNames(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[]
  /** Sorted bytewise. */
  labelValues(name: string, matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[]
}

/** What is not needed of a selection; a storage makes of it what it can. */
export interface SelectHints {
  /** The order of the series. */
  readonly anyOrder?: boolean
  /** Labels but these; `labels()` may leave out others, and then give the same for several series. */
  readonly labels?: readonly string[] | undefined
}

/** Series, one after the other. */
export interface SeriesSet {
  /** Moves to the next series; call it before the first. */
  next(): boolean
  labels(): Labels
  /** Appends the samples of the selected time in time order, bits intact. */
  samples(into: SampleColumns): void
  /** Appends the native histograms of the selected time in time order; a series may have both. A storage without it has none. */
  histograms?(into: HistogramColumns): void
  /** After `samples`: whether `histograms` may give any. */
  hasHistograms?(): boolean
  /** Sets `into[i]` to when counting began for the float at `times[i]` (ascending), where a chunk says so. */
  startTimes?(times: Float64Array, into: Float64Array): void
  /**
   * The same as chunks in time order, none of which overlap. For those that lie in the selected time as a whole no
   * sample is encoded anew. Undefined if samples of several sources have to be merged: `samples` does it.
   */
  chunks?(): readonly SeriesChunk[] | undefined
}
