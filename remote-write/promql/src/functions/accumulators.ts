/** Folds values into one number per step. One accumulator holds all steps of one group. */
export interface Accumulator {
  /** Takes in a value at each step where `present` is 1; `held` is 1 where there was one before, and is then set there. */
  add(values: Float64Array, present: Uint8Array, held: Uint8Array): void
  /** Writes the result of every step that has one into `out`; gives the array back. */
  finish(out: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer>
}

/** Float64Arrays per step that an accumulator holds, for the byte budget. */
export const accumulatorColumns = 3

export type AccumulatorKind = 'sum' | 'avg' | 'min' | 'max' | 'count' | 'group' | 'stddev' | 'stdvar'

export function makeAccumulator(kind: AccumulatorKind, steps: number): Accumulator {
  switch (kind) {
    case 'sum':
      return new SumAccumulator(steps)
    case 'avg':
      return new AverageAccumulator(steps)
    case 'min':
    case 'max':
      return new ExtremeAccumulator(steps, kind === 'min')
    case 'count':
    case 'group':
      return new CountAccumulator(steps, kind === 'group')
    case 'stddev':
    case 'stdvar':
      return new VarianceAccumulator(steps, kind === 'stddev')
  }
}

class SumAccumulator implements Accumulator {
  readonly #sums: Float64Array
  readonly #compensations: Float64Array

  constructor(steps: number) {
    this.#sums = new Float64Array(steps)
    this.#compensations = new Float64Array(steps)
  }

  add(values: Float64Array, present: Uint8Array, held: Uint8Array): void {
    const sums = this.#sums
    const compensations = this.#compensations
    for (let i = 0; i < sums.length; i++) {
      if (present[i] === 0) continue
      held[i] = 1
      const value = values[i]!
      const sum = sums[i]!
      const total = sum + value
      if (total === Infinity || total === -Infinity) compensations[i] = 0
      else if (Math.abs(sum) >= Math.abs(value)) compensations[i]! += sum - total + value
      else compensations[i]! += value - total + sum
      sums[i] = total
    }
  }

  finish(out: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
    for (let i = 0; i < out.length; i++) out[i] = this.#sums[i]! + this.#compensations[i]!
    return out
  }
}

/** Sum by count; a running mean from the step's value on at which the sum overflows. */
class AverageAccumulator implements Accumulator {
  readonly #sums: Float64Array
  readonly #compensations: Float64Array
  readonly #counts: Float64Array
  #runs: Uint8Array | undefined

  constructor(steps: number) {
    this.#sums = new Float64Array(steps)
    this.#compensations = new Float64Array(steps)
    this.#counts = new Float64Array(steps)
  }

  add(values: Float64Array, present: Uint8Array, held: Uint8Array): void {
    for (let i = 0; i < values.length; i++) {
      if (present[i] === 0) continue
      this.#addOne(i, values[i]!, held[i] === 0)
      held[i] = 1
    }
  }

  #addOne(step: number, value: number, isFirst: boolean): void {
    const count = ++this.#counts[step]!
    if (isFirst) {
      this.#sums[step] = value
      return
    }
    let sum = this.#sums[step]!
    let compensation = this.#compensations[step]!
    let increment = value
    if (this.#runs?.[step] !== 1) {
      const total = sum + value
      if (total !== Infinity && total !== -Infinity) {
        this.#compensations[step] = compensation + (Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum)
        this.#sums[step] = total
        return
      }
      this.#runs ??= new Uint8Array(this.#sums.length)
      this.#runs[step] = 1
      sum /= count - 1
      compensation /= count - 1
    }
    const share = (count - 1) / count
    sum *= share
    compensation *= share
    increment /= count
    const mean = sum + increment
    if (mean === Infinity || mean === -Infinity) compensation = 0
    else if (Math.abs(sum) >= Math.abs(increment)) compensation += sum - mean + increment
    else compensation += increment - mean + sum
    this.#sums[step] = mean
    this.#compensations[step] = compensation
  }

  finish(out: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
    for (let i = 0; i < out.length; i++) {
      const count = this.#runs?.[i] === 1 ? 1 : this.#counts[i]!
      out[i] = this.#sums[i]! / count + this.#compensations[i]! / count
    }
    return out
  }
}

/** NaN only if there is nothing else. */
class ExtremeAccumulator implements Accumulator {
  readonly #values: Float64Array
  readonly #wantsLeast: boolean

  constructor(steps: number, wantsLeast: boolean) {
    this.#values = new Float64Array(steps)
    this.#wantsLeast = wantsLeast
  }

  add(values: Float64Array, present: Uint8Array, held: Uint8Array): void {
    const extremes = this.#values
    const wantsLeast = this.#wantsLeast
    for (let i = 0; i < extremes.length; i++) {
      if (present[i] === 0) continue
      const value = values[i]!
      const extreme = extremes[i]!
      if (held[i] === 0 || Number.isNaN(extreme) || (wantsLeast ? value < extreme : value > extreme)) extremes[i] = value
      held[i] = 1
    }
  }

  finish(out: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
    out.set(this.#values)
    return out
  }
}

class CountAccumulator implements Accumulator {
  readonly #counts: Float64Array
  readonly #onlyPresence: boolean

  constructor(steps: number, onlyPresence: boolean) {
    this.#counts = new Float64Array(steps)
    this.#onlyPresence = onlyPresence
  }

  add(_values: Float64Array, present: Uint8Array, held: Uint8Array): void {
    const counts = this.#counts
    for (let i = 0; i < counts.length; i++) {
      if (present[i] === 0) continue
      if (this.#onlyPresence) counts[i] = 1
      else counts[i]!++
      held[i] = 1
    }
  }

  finish(out: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
    out.set(this.#counts)
    return out
  }
}

/** Welford's method. */
class VarianceAccumulator implements Accumulator {
  readonly #means: Float64Array
  readonly #squares: Float64Array
  readonly #counts: Float64Array
  readonly #wantsRoot: boolean

  constructor(steps: number, wantsRoot: boolean) {
    this.#means = new Float64Array(steps)
    this.#squares = new Float64Array(steps)
    this.#counts = new Float64Array(steps)
    this.#wantsRoot = wantsRoot
  }

  add(values: Float64Array, present: Uint8Array, held: Uint8Array): void {
    for (let i = 0; i < values.length; i++) {
      if (present[i] === 0) continue
      this.#addOne(i, values[i]!, held[i] === 0)
      held[i] = 1
    }
  }

  #addOne(step: number, value: number, isFirst: boolean): void {
    const count = ++this.#counts[step]!
    if (isFirst) {
      this.#means[step] = value
      if (!Number.isFinite(value)) this.#squares[step] = NaN
      return
    }
    const delta = value - this.#means[step]!
    const mean = this.#means[step]! + delta / count
    this.#means[step] = mean
    this.#squares[step]! += delta * (value - mean)
  }

  finish(out: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
    for (let i = 0; i < out.length; i++) {
      const variance = this.#squares[i]! / this.#counts[i]!
      out[i] = this.#wantsRoot ? Math.sqrt(variance) : variance
    }
    return out
  }
}
