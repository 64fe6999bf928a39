import type { MetricType } from '@narthex/model/metric-type'
import type { NativeHistogram } from '@narthex/model/native-histogram'

/** What `next` found. Plain numbers: an entry is a line, and a body has thousands. */
export const entryEnd = 0
export const entrySample = 1
export const entryType = 2
export const entryHelp = 3
export const entryUnit = 4
export const entryComment = 5

/** An exemplar as exposed. Objects are fine here: exemplars are read of lines that changed only, and only when a job asks for them. */
export interface ScrapedExemplar {
  /** Name, value, name, value, …, as exposed. */
  readonly labels: readonly string[]
  readonly value: number
  /** Milliseconds since 1970; undefined when it has none. */
  readonly timestampMs: number | undefined
}

/**
 * A pull parser over one scrape body. It makes no object and no string for a sample; the fields below are those of the last entry and are
 * overwritten by the next one. Ranges are offsets into the body.
 */
export interface ExpositionParser {
  /** Starts over with the body [start, end). */
  begin(bytes: Uint8Array, start: number, end: number): void

  /** The kind of the next entry, `entryEnd` at the end; throws ExpositionError, after which the parser is of no use until `begin`. */
  next(): number

  /** Where the next entry begins. */
  readonly offset: number

  /** Continues at `offset`, where an entry begins, for a caller that reads known lines on its own; `type` is that of the last TYPE line before. */
  jump(offset: number, type: MetricType): void

  /** entrySample: the raw series text, name and labels as the target wrote them, no space around. The key of the scrape cache. */
  readonly seriesStart: number
  readonly seriesEnd: number

  /** entrySample: where the value's text begins; the bytes between the entry's start and it are the same in the next scrape. */
  readonly valueStart: number

  /** entrySample: every NaN is meant as the normal NaN (0x7ff8000000000001): a target cannot send a stale marker. */
  readonly value: number
  readonly hasTimestamp: boolean
  readonly timestampMs: number
  readonly hasExemplar: boolean

  /** entrySample: the exemplars of the line, in its order; empty when `hasExemplar` is false. Made on each call. */
  exemplars(): readonly ScrapedExemplar[]

  /** entrySample: the line's value is a native histogram; `value` is then NaN. */
  readonly hasHistogram: boolean

  /** entrySample with `hasHistogram`: the histogram, made on each call. Throws ExpositionError when it makes no sense. */
  histogram(): NativeHistogram

  /** entrySample: the start ("created") timestamp that the format gives for this series, milliseconds since 1970; 0 = none. */
  readonly startTimestampMs: number

  /** entrySample: a `_created` line of a counter, summary or histogram in OpenMetrics. */
  readonly isCreated: boolean

  /** entryHelp, entryType, entryUnit: the family's name. */
  name(): string

  /** entryHelp, entryUnit: the text, unescaped. */
  text(): string

  /** The last TYPE seen; it decides whether `le` and `quantile` values are normalised, whatever family they stand in. */
  readonly type: MetricType
}
