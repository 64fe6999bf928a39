/** Collects the lines of one histogram or gauge histogram at one time and says what is wrong with them. */
export class HistogramRules {
  readonly #isGauge: boolean
  #lastBound: number | undefined
  #lastCount = 0
  #count: number | undefined
  #sum: number | undefined
  #hasNegativeBounds = false

  constructor(isGauge: boolean) {
    this.#isGauge = isGauge
  }

  /** A `_bucket` line; buckets come in ascending order and count all below them, too. */
  bucket(bound: number, count: number): string | undefined {
    const last = this.#lastBound
    const lastCount = this.#lastCount
    if (bound < 0) this.#hasNegativeBounds = true
    this.#lastBound = bound
    this.#lastCount = count
    if (last === undefined) return undefined
    if (bound <= last) return 'buckets are not in ascending order of le'
    return count < lastCount ? 'bucket counts less than the bucket before it' : undefined
  }

  /** The `_count` or `_gcount` line. */
  count(value: number): void {
    this.#count = value
  }

  /** The `_sum` or `_gsum` line. */
  sum(value: number): void {
    this.#sum = value
  }

  /** What the lines lack, once they are all there. */
  end(): string[] {
    const problems: string[] = []
    const prefix = this.#isGauge ? '_g' : '_'
    if (this.#lastBound !== Infinity) problems.push('no bucket of +Inf')
    else if (this.#count !== undefined && this.#count !== this.#lastCount) {
      problems.push(`${prefix}count is not the count of the bucket of +Inf`)
    }
    if (this.#sum !== undefined && this.#count === undefined) problems.push(`${prefix}sum without ${prefix}count`)
    if (this.#sum === undefined && this.#count !== undefined) problems.push(`${prefix}count without ${prefix}sum`)
    if (this.#sum !== undefined) {
      if (this.#hasNegativeBounds && !this.#isGauge) problems.push('_sum beside buckets of negative le, where it may fall')
      if (!this.#hasNegativeBounds && this.#sum < 0) problems.push(`${prefix}sum is negative without buckets of negative le`)
    }
    return problems
  }
}
