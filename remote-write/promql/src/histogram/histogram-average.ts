import type { FloatHistogram } from './float-histogram.ts'
import { HistogramSum } from './histogram-sum.ts'

/** The mean of histograms: sum by count; a running mean from the histogram on with which some number of the sum would overflow. */
export class HistogramAverage {
  #sum: HistogramSum
  #count = 1
  #runs = false

  constructor(first: FloatHistogram) {
    this.#sum = new HistogramSum(first)
  }

  /** False: one has custom buckets, the other exponential ones. */
  add(histogram: FloatHistogram): boolean {
    const count = ++this.#count
    if (!this.#runs) {
      const sum = this.#sum.copy()
      if (!sum.add(histogram)) return false
      if (!sum.hasOverflown) {
        this.#sum = sum
        return true
      }
      this.#runs = true
      this.#sum.divide(count - 1)
    }
    this.#sum.scale((count - 1) / count)
    return this.#sum.add(histogram.dividedBy(count))
  }

  get reconciledBounds(): boolean {
    return this.#sum.reconciledBounds
  }

  get average(): FloatHistogram {
    if (this.#runs) return this.#sum.total
    const sum = this.#sum.copy()
    sum.divide(this.#count)
    return sum.total
  }
}
