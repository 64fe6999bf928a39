/** Start times beside the samples of `SampleColumns`: milliseconds since 1970 at which counting began; 0 = not known. */
export class StartTimeColumn {
  /** Replaced when the column grows, so take it afresh after a push. */
  times: Float64Array<ArrayBuffer>
  length = 0

  constructor(capacity = 128) {
    this.times = new Float64Array(capacity)
  }

  push(startTimeMs: number): void {
    if (this.length === this.times.length) this.#grow(this.length + 1)
    this.times[this.length++] = startTimeMs
  }

  /** Appends `count` times that are not known. */
  pushUnknown(count: number): void {
    const end = this.length + count
    if (end > this.times.length) this.#grow(end)
    this.times.fill(0, this.length, end)
    this.length = end
  }

  clear(): void {
    this.length = 0
  }

  #grow(needed: number): void {
    const times = new Float64Array(Math.max(needed, this.times.length * 2))
    times.set(this.times)
    this.times = times
  }
}
