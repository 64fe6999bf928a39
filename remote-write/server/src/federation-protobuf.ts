import { ByteWriter } from '@narthex/bytes/byte-writer'
import { encodeHistogram } from '@narthex/exposition/histogram-message'
import { customBucketsSchema } from '@narthex/model/native-histogram'
import { nativeOfHistogram } from '@narthex/promql/histogram/native-of-histogram'
import type { FloatHistogram } from '@narthex/promql/histogram/float-histogram'
import { classicBuckets, familyType, type FederatedSeries } from './federated-series.ts'

// A body is a sequence of ┌ length varint ┬ io.prometheus.client.MetricFamily ┐:
// MetricFamily {1 name, 3 type, 4 metric} · Metric {1 label, 5 untyped, 6 timestamp_ms, 7 histogram}
// LabelPair {1 name, 2 value} · Untyped {1 value double} · Histogram: exposition/histogram-message.ts
// classic: Histogram {4 sample_count_float, 2 sample_sum, 3 bucket {4 cumulative_count_float, 2 upper_bound}}

/** MetricFamily.type. */
const typeCodes = { untyped: 3, histogram: 4, gaugehistogram: 5 } as const

/** Writes families of samples as delimited protobuf messages. What it holds meanwhile counts for the query. */
export class ProtobufFederationWriter {
  readonly #out: ByteWriter & { hold(bytes: number): void }
  readonly #family = new ByteWriter()
  readonly #metric = new ByteWriter()
  readonly #part = new ByteWriter()

  constructor(out: ByteWriter & { hold(bytes: number): void }) {
    this.#out = out
  }

  beginFamily(name: string, sample: FederatedSeries): void {
    this.endFamily()
    putText(this.#family, 1, name)
    this.#family.uvarint(3 * 8)
    this.#family.uvarint(typeCodes[familyType(sample)])
  }

  /** `pairs` are name, value, …. */
  sample(pairs: readonly string[], { timeMs, value, histogram }: FederatedSeries): void {
    const metric = this.#metric
    metric.reset()
    for (let i = 0; i < pairs.length; i += 2) {
      this.#part.reset()
      putText(this.#part, 1, pairs[i]!)
      putText(this.#part, 2, pairs[i + 1]!)
      putMessage(metric, 1, this.#part)
    }
    this.#part.reset()
    if (histogram === undefined) {
      putDouble(this.#part, 1, value)
      putMessage(metric, 5, this.#part)
    } else {
      if (histogram.schema === customBucketsSchema) putClassicHistogram(this.#part, histogram)
      else encodeHistogram(this.#part, nativeOfHistogram(histogram))
      putMessage(metric, 7, this.#part)
    }
    metric.uvarint(6 * 8)
    metric.uvarint(timeMs)
    this.#out.hold(metric.length)
    putMessage(this.#family, 4, metric)
  }

  endFamily(): void {
    if (this.#family.length === 0) return
    this.#out.uvarint(this.#family.length)
    this.#out.raw(this.#family.view())
    this.#family.reset()
  }
}

/** The message has no place for custom bounds: such a histogram goes as a classic one, its counts as floats and the last bucket left out, as from Prometheus. */
function putClassicHistogram(out: ByteWriter, histogram: FloatHistogram): void {
  putDouble(out, 4, histogram.count)
  putDouble(out, 2, histogram.sum)
  const bucket = new ByteWriter(32)
  for (const { upper, cumulative } of classicBuckets(histogram)) {
    if (upper === Infinity) continue
    bucket.reset()
    putDouble(bucket, 4, cumulative)
    putDouble(bucket, 2, upper)
    putMessage(out, 3, bucket)
  }
}

function putText(out: ByteWriter, field: number, text: string): void {
  out.uvarint(field * 8 + 2)
  out.uvarint(Buffer.byteLength(text))
  out.utf8(text)
}

function putMessage(out: ByteWriter, field: number, message: ByteWriter): void {
  out.uvarint(field * 8 + 2)
  out.uvarint(message.length)
  out.raw(message.view())
}

function putDouble(out: ByteWriter, field: number, value: number): void {
  out.uvarint(field * 8 + 1)
  out.f64le(value)
}
