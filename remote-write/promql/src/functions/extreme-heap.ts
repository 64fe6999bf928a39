/**
 * Chooses the most extreme of some values, and of equal ones those that Prometheus keeps: its heap, with the least extreme on top, works as Go's
 * `container/heap`, and which of several equal values goes follows from that. NaN is the least extreme.
 */
export class ExtremeHeap {
  readonly #wantsLargest: boolean
  readonly #numbers: Int32Array
  readonly #values: Float64Array
  #length = 0

  /** For at most `room` values at a time. */
  constructor(room: number, wantsLargest: boolean) {
    this.#numbers = new Int32Array(room)
    this.#values = new Float64Array(room)
    this.#wantsLargest = wantsLargest
  }

  get length(): number {
    return this.#length
  }

  clear(): void {
    this.#length = 0
  }

  /** Takes a value in if fewer than `count` (at most the room) are kept, or in the place of the top if it is more extreme. */
  offer(number: number, value: number, count: number): void {
    const length = this.#length
    if (length < count) {
      this.#numbers[length] = number
      this.#values[length] = value
      this.#length = length + 1
      this.#up(length)
    } else if (count > 0 && this.#isMoreExtreme(value, this.#values[0]!)) {
      this.#numbers[0] = number
      this.#values[0] = value
      this.#down()
    }
  }

  /** The number of the value at place `at`, 0 … length - 1, in no particular order. */
  number(at: number): number {
    return this.#numbers[at]!
  }

  /** Numbers with the most extreme value first, equal ones in the order of the heap. */
  ordered(): number[] {
    const values = this.#values
    const places = Array.from({ length: this.#length }, (_, at) => at)
    places.sort((a, b) => (this.#isMoreExtreme(values[a]!, values[b]!) ? -1 : this.#isMoreExtreme(values[b]!, values[a]!) ? 1 : 0))
    return places.map((at) => this.#numbers[at]!)
  }

  #isMoreExtreme(value: number, than: number): boolean {
    if (Number.isNaN(than)) return !Number.isNaN(value)
    return this.#wantsLargest ? value > than : value < than
  }

  /** Whether the value at `a` belongs above that at `b`. */
  #isLess(a: number, b: number): boolean {
    const value = this.#values[a]!
    if (Number.isNaN(value)) return true
    return this.#wantsLargest ? value < this.#values[b]! : value > this.#values[b]!
  }

  #up(from: number): void {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >> 1
      if (!this.#isLess(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #down(): void {
    for (let at = 0; ;) {
      const left = 2 * at + 1
      if (left >= this.#length) return
      const right = left + 1
      const child = right < this.#length && this.#isLess(right, left) ? right : left
      if (!this.#isLess(child, at)) return
      this.#swap(at, child)
      at = child
    }
  }

  #swap(a: number, b: number): void {
    const number = this.#numbers[a]!
    const value = this.#values[a]!
    this.#numbers[a] = this.#numbers[b]!
    this.#values[a] = this.#values[b]!
    this.#numbers[b] = number
    this.#values[b] = value
  }
}
