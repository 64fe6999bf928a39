import type { Labels } from '@narthex/model/labels'
import type { Remark } from './annotations.ts'
import type { FloatHistogram } from './histogram/float-histogram.ts'
import type { ExplainedPart } from './plan/explain-plan.ts'
import type { QueryStatistics } from './query-context.ts'

/**
 * Series in flat columns: samples `offsets[i]` … `offsets[i + 1] - 1` belong to `labels[i]`. A vector has one sample a series, a scalar
 * is one sample under the empty label set.
 */
export interface ResultSeries {
  readonly labels: readonly Labels[]
  /** labels.length + 1 places in the columns. */
  readonly offsets: Uint32Array
  /** ms */
  readonly times: Float64Array
  readonly values: Float64Array
  /** The native histogram of every sample that is one; its value is 0. undefined, as most often: all are floats. */
  readonly histograms: readonly (FloatHistogram | undefined)[] | undefined
}

/** Columns for the results of one query after the other, for who is done with each before the next begins: large ones are not taken anew each time. */
export class ResultBuffers {
  times: Float64Array<ArrayBuffer> = new Float64Array(256)
  values: Float64Array<ArrayBuffer> = new Float64Array(256)

  /** Keeps at most 2 MiB of each. */
  keep(times: Float64Array<ArrayBuffer>, values: Float64Array<ArrayBuffer>): void {
    if (times.length > keptLengthMax) return
    this.times = times
    this.values = values
  }
}

const keptLengthMax = 256 * 1024

export interface QueryResult {
  readonly type: 'vector' | 'matrix' | 'scalar' | 'string'
  readonly series: ResultSeries
  /** Of a string result. */
  readonly text: string
  /** Time of the string result, ms. */
  readonly timeMs: number
  readonly warnings: readonly string[]
  readonly infos: readonly string[]
  /** All that the warnings and infos are the texts of. */
  readonly remarks: readonly Remark[]
  readonly statistics: QueryStatistics
  /** The plan and what its parts took, if that was asked. */
  readonly explanation?: ExplainedPart
}
