import { growDoubles } from '@narthex/bytes/grow'
import type { MetricWriter } from '@narthex/exporter-kit/collector'
import { formatFloat } from '@narthex/model/number'

/** Prometheus' own default buckets, in seconds. */
export const defaultBuckets: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Classic histograms with the same buckets, numbered from 0 on. */
export class LatencyHistograms {
  readonly #bounds: Float64Array
  readonly #boundTexts: readonly string[]
  /** Of each histogram: the count of each bucket by itself, the last one open, and the sum. */
  #cells = new Float64Array(0)
  readonly #stride: number

  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds)
    this.#boundTexts = [...bounds.map((bound) => formatFloat(bound)), '+Inf']
    this.#stride = bounds.length + 2
  }

  observe(histogram: number, seconds: number): void {
    const room = (histogram + 1) * this.#stride
    if (room > this.#cells.length) this.#cells = growDoubles(this.#cells, Math.max(room, 2 * this.#cells.length))
    const bounds = this.#bounds
    let bucket = 0
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++
    this.#cells[histogram * this.#stride + bucket]!++
    this.#cells[histogram * this.#stride + this.#stride - 1]! += seconds
  }

  /** Writes one as samples of the current family, unless nothing was observed; `labels` come before `le`. */
  write(writer: MetricWriter, histogram: number, labels: readonly string[]): void {
    const start = histogram * this.#stride
    if (start >= this.#cells.length) return
    let count = 0
    for (let bucket = 0; bucket < this.#boundTexts.length; bucket++) count += this.#cells[start + bucket]!
    if (count === 0) return
    let cumulative = 0
    for (let bucket = 0; bucket < this.#boundTexts.length; bucket++) {
      cumulative += this.#cells[start + bucket]!
      writer.sample(cumulative, [...labels, 'le', this.#boundTexts[bucket]!], '_bucket')
    }
    writer.sample(this.#cells[start + this.#stride - 1]!, labels, '_sum')
    writer.sample(count, labels, '_count')
  }
}

/** Reads `0.005,0.01,…`: seconds, rising. Throws one clear line. */
export function parseBuckets(text: string): number[] {
  const bounds = text.split(',').map((item) => (item.trim() === '' ? NaN : Number(item)))
  const isRising = bounds.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > bounds[i - 1]!))
  if (!isRising || bounds.length > 100) {
    throw new Error(
      `cannot use flag --nginx.access-log.buckets: want at most 100 rising numbers of seconds with commas between them, got ${text}`,
    )
  }
  return bounds
}
