import type { MetricType } from '@narthex/model/metric-type'

/** HELP, TYPE and UNIT of one metric family as scraped; one object per family, never per series. */
export interface FamilyMetadata {
  readonly name: string
  readonly type: MetricType
  readonly help: string
  readonly unit: string
}

/**
 * The constant part of a target's answers: which series it has, in the byte form that remote write 2.0 wants, so that
 * storing and sending copy bytes and never touch label strings. Build it with `LayoutBuilder`.
 *
 * A layout is immutable: after its first `append` none of its arrays may change. A target whose series set changed gets a
 * new layout; for a few newcomers a second, small layout of the same target is cheaper (one batch per layout, the same
 * scrape time), folded into one large layout now and then.
 */
export interface SeriesLayout {
  /** Unique within the process and never used twice (`nextLayoutId`). */
  readonly id: number
  /** The target: batches with the same number are sent in the order of their appending, so a series must stay with one number. */
  readonly target: number
  /** Per symbol: tag 0x22, uvarint length, UTF-8 bytes. The first one has reference 1; reference 0 is "" and is not in here. */
  readonly symbolBytes: Uint8Array
  readonly symbolCount: number
  /** Per series: tag 0x0a, uvarint length, then uvarint references name, value, name, value, … sorted bytewise by label name. */
  readonly seriesRefs: Uint8Array
  /** Series i lies in `seriesRefs` at [offsets[i], offsets[i + 1]); `seriesCount + 1` entries. */
  readonly seriesRefOffsets: Uint32Array
  readonly seriesCount: number
  readonly families: readonly FamilyMetadata[]
  /** Index into `families` per series, or `noFamily`; undefined = no series has metadata. */
  readonly familyOfSeries: Uint32Array | undefined
}

export const noFamily = 0xffffffff

/** Native histograms of a batch. Sample `positions[i]` of the batch is histogram i; its value words say nothing. */
export interface HistogramColumn {
  readonly count: number
  /** Ascending. */
  readonly positions: Uint32Array
  /** Histogram i is `bytes` at [offsets[i], offsets[i + 1]): a remote-write `Histogram` message without its timestamps (fields 15 and 17). */
  readonly offsets: Uint32Array
  readonly bytes: Uint8Array
}

/** Exemplars of a batch. */
export interface ExemplarColumn {
  readonly count: number
  /** The batch's sample that exemplar i belongs to; ascending, several may share one. */
  readonly positions: Uint32Array
  /** Value bits, low and high word. */
  readonly words: Uint32Array
  /** Milliseconds since 1970, never absent. */
  readonly times: Float64Array
  /** The labels of exemplar i are `bytes` at [offsets[i], offsets[i + 1]): per text uvarint length and UTF-8, name, value, name, value, …. */
  readonly offsets: Uint32Array
  readonly bytes: Uint8Array
}

/** One scrape of one layout. The sink copies what it needs: the caller may reuse `indexes`, `times` and `words` at once. */
export interface ScrapeBatch {
  readonly layout: SeriesLayout
  /** The series of the layout that have a sample, one entry per sample; undefined = sample i belongs to series i. */
  readonly indexes: Uint32Array | undefined
  /** Milliseconds since 1970: one for all samples, or one per sample. */
  readonly times: Float64Array | number
  /** Value bits: words[2 * i] low, words[2 * i + 1] high word of sample i. */
  readonly words: Uint32Array
  /** Samples in the batch, at most 2^24. The arrays may be longer. */
  readonly count: number
  /** Start ("created") timestamp per sample, milliseconds since 1970, 0 = none; undefined = none has one. */
  readonly startTimes?: Float64Array
  readonly histograms?: HistogramColumn
  readonly exemplars?: ExemplarColumn
}

/** Takes scraped samples. When `append` returns they are in the kernel (or, with a full disk, in the bounded memory ring). Never throws for a disk error. */
export interface FrameSink {
  append(batch: ScrapeBatch): void
}

let lastLayoutId = 0

export function nextLayoutId(): number {
  return ++lastLayoutId
}
