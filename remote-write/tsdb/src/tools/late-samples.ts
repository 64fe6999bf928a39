const firstCapacity = 1024

/** Out-of-order samples of many series: added in any order, then sorted by series and time. Of two of one time the first one counts. */
export class LateSamples {
  length = 0
  #refs = new Uint32Array(firstCapacity)
  #times = new Float64Array(firstCapacity)
  #words = new Uint32Array(firstCapacity * 2)
  #order = new Uint32Array(0)
  readonly #starts = new Map<number, number>()

  add(ref: number, timeMs: number, low: number, high: number): void {
    const at = this.length
    if (at === this.#refs.length) this.#grow()
    this.#refs[at] = ref
    this.#times[at] = timeMs
    this.#words[2 * at] = low
    this.#words[2 * at + 1] = high
    this.length = at + 1
  }

  /** Must be called before `forEach`. */
  sort(): void {
    const refs = this.#refs
    const times = this.#times
    this.#order = new Uint32Array(this.length)
    for (let i = 0; i < this.length; i++) this.#order[i] = i
    this.#order.sort((a, b) => refs[a]! - refs[b]! || times[a]! - times[b]! || a - b)
    this.#starts.clear()
    for (let i = 0; i < this.length; i++) {
      const ref = refs[this.#order[i]!]!
      if (i === 0 || ref !== refs[this.#order[i - 1]!]!) this.#starts.set(ref, i)
    }
  }

  has(ref: number): boolean {
    return this.#starts.has(ref)
  }

  /** The samples of a series in the order of time. */
  forEach(ref: number, visit: (timeMs: number, low: number, high: number) => void): void {
    let before = NaN
    for (let i = this.#starts.get(ref) ?? this.length; i < this.length; i++) {
      const at = this.#order[i]!
      if (this.#refs[at] !== ref) return
      const timeMs = this.#times[at]!
      if (timeMs !== before) visit(timeMs, this.#words[2 * at]!, this.#words[2 * at + 1]!)
      before = timeMs
    }
  }

  #grow(): void {
    const capacity = this.#refs.length * 2
    const refs = new Uint32Array(capacity)
    const times = new Float64Array(capacity)
    const words = new Uint32Array(capacity * 2)
    refs.set(this.#refs)
    times.set(this.#times)
    words.set(this.#words)
    this.#refs = refs
    this.#times = times
    this.#words = words
  }
}
