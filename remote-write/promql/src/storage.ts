import type { HistogramColumns } from '@narthex/model/histogram-columns'
import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import type { SampleColumns } from '@narthex/model/sample-columns'

/** What the engine reads from. The server fits the shared head (and later blocks) to it; tests bring a store in memory. */
export interface Queryable {
  /**
   * Series matching all matchers that may have samples in min ≤ t ≤ max (ms, both inclusive), each label set once, in the order of their labels. What
   * `hints` allow is up to the storage.
   */
  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number, hints?: SelectHints): SeriesSet
  labelNames(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[]
  labelValues(name: string, matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[]
}

/** What the query does not need of a selection. */
export interface SelectHints {
  /** The order of the series. */
  readonly anyOrder?: boolean
  /** Labels but these; `labels()` may leave out others, and then give the same for several series. */
  readonly labels?: readonly string[] | undefined
}

/** A forward cursor over series: `next()` first, then `labels()` and `samples()` of the series it stands on. */
export interface SeriesSet {
  next(): boolean
  labels(): Labels
  /** Appends samples min ≤ t ≤ max in strictly increasing time order, bits intact (stale markers included). */
  samples(into: SampleColumns): void
  /**
   * Appends the native histograms of the same time in strictly increasing time order; a series may have both, at different times. A storage without
   * it has none.
   */
  histograms?(into: HistogramColumns): void
  /**
   * Sets `into[i]` to when counting began for the float at `times[i]` (ms since 1970, ascending), where that is known. A storage without it knows it of
   * none.
   */
  startTimes?(times: Float64Array, into: Float64Array): void
  /** After `samples`: whether `histograms` may give any. A storage without it does not know. */
  hasHistograms?(): boolean
}
