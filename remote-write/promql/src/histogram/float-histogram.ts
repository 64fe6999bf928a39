import { customBucketsSchema } from '@narthex/model/native-histogram'
import { gaugeHistogram, unknownReset, type ResetHint } from '@narthex/model/reset-hint'
import type { BucketList } from './bucket-list.ts'
import { compactBuckets, countSpans, mapCounts, noBuckets } from './bucket-list.ts'

export interface HistogramFields {
  readonly schema: number
  readonly zeroThreshold: number
  readonly zeroCount: number
  readonly count: number
  readonly sum: number
  readonly positive: BucketList
  readonly negative: BucketList
  readonly customValues: readonly number[]
  readonly hint: ResetHint
}

/**
 * A native histogram as queries compute with it: integer ones have become floats, buckets are absolute counts by index. A value: it is never
 * changed, so series and steps may share it.
 */
export class FloatHistogram implements HistogramFields {
  /** -4 to 8, or `customBucketsSchema`. */
  readonly schema: number
  readonly zeroThreshold: number
  readonly zeroCount: number
  readonly count: number
  readonly sum: number
  readonly positive: BucketList
  readonly negative: BucketList
  /** Upper bounds without +Inf, ascending; empty unless the schema is `customBucketsSchema`. */
  readonly customValues: readonly number[]
  /** What is known against the sample before it. */
  readonly hint: ResetHint

  constructor(fields: HistogramFields) {
    this.schema = fields.schema
    this.zeroThreshold = fields.zeroThreshold
    this.zeroCount = fields.zeroCount
    this.count = fields.count
    this.sum = fields.sum
    this.positive = fields.positive
    this.negative = fields.negative
    this.customValues = fields.customValues
    this.hint = fields.hint
  }

  static readonly empty: FloatHistogram = new FloatHistogram({
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positive: noBuckets,
    negative: noBuckets,
    customValues: [],
    hint: unknownReset,
  })

  get usesCustomBuckets(): boolean {
    return this.schema === customBucketsSchema
  }

  get isGauge(): boolean {
    return this.hint === gaugeHistogram
  }

  with(changes: Partial<HistogramFields>): FloatHistogram {
    return new FloatHistogram({
      schema: changes.schema ?? this.schema,
      zeroThreshold: changes.zeroThreshold ?? this.zeroThreshold,
      zeroCount: changes.zeroCount ?? this.zeroCount,
      count: changes.count ?? this.count,
      sum: changes.sum ?? this.sum,
      positive: changes.positive ?? this.positive,
      negative: changes.negative ?? this.negative,
      customValues: changes.customValues ?? this.customValues,
      hint: changes.hint ?? this.hint,
    })
  }

  withHint(hint: ResetHint): FloatHistogram {
    return hint === this.hint ? this : this.with({ hint })
  }

  /** Times a number; a negative one makes a gauge of it. */
  times(factor: number): FloatHistogram {
    return this.#scale((count) => count * factor, factor < 0)
  }

  /** By a number. Divided by zero it has no buckets any more. */
  dividedBy(divisor: number): FloatHistogram {
    const divided = this.#scale((count) => count / divisor, divisor < 0)
    return divisor === 0 ? divided.with({ positive: noBuckets, negative: noBuckets }) : divided
  }

  #scale(compute: (count: number) => number, turnsGauge: boolean): FloatHistogram {
    return this.with({
      zeroCount: compute(this.zeroCount),
      count: compute(this.count),
      sum: compute(this.sum),
      positive: mapCounts(this.positive, compute),
      negative: mapCounts(this.negative, compute),
      hint: turnsGauge ? gaugeHistogram : this.hint,
    })
  }

  /** Without empty buckets. */
  compact(): FloatHistogram {
    const positive = compactBuckets(this.positive)
    const negative = compactBuckets(this.negative)
    return positive === this.positive && negative === this.negative ? this : this.with({ positive, negative })
  }

  /** As how many samples it counts: Prometheus takes its size in memory by that of a float with its time. */
  get sampleCount(): number {
    const spans = countSpans(this.positive) + countSpans(this.negative)
    const buckets = this.positive.counts.length + this.negative.counts.length
    return Math.floor((structBytes + 8 * (spans + buckets + this.customValues.length) + 8) / 16)
  }
}

const structBytes = 168
