import { formatHistogram } from '@narthex/model/format-histogram'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { goType } from './go-type.ts'

/** A native histogram where a template has a value: it prints itself, and is no number. What begins with a capital is there for templates. */
export class HistogramValue {
  readonly [goType] = '*histogram.FloatHistogram'
  readonly Schema: bigint
  readonly ZeroThreshold: number
  readonly ZeroCount: number
  readonly Count: number
  readonly Sum: number
  readonly #histogram: NativeHistogram

  constructor(histogram: NativeHistogram) {
    this.Schema = BigInt(histogram.schema)
    this.ZeroThreshold = histogram.zeroThreshold
    this.ZeroCount = histogram.zeroCount
    this.Count = histogram.count
    this.Sum = histogram.sum
    this.#histogram = histogram
  }

  String(): string {
    const columns = new HistogramColumns(1, 64)
    columns.pushHistogram(0, 0, this.#histogram)
    return formatHistogram(columns, 0)
  }
}
