import type { Plan } from './plan/plan.ts'
import type { QueryStatistics } from './query-context.ts'

/** What one part of a plan took, the parts below it not counted. */
export interface PartMeasures {
  /** Instants it was evaluated at: one for what is the same at every step. */
  steps: number
  milliseconds: number
  /** Given to what is above it. */
  series: number
  /** Values of these at steps, or samples of a range. */
  samples: number
  /** From the storage. */
  samplesRead: number
  /** Held at one time, at most. */
  peakBytes: number
}

interface Part extends PartMeasures {
  heldBytes: number
}

/** Measures of all parts of a plan. Evaluation is one thread, so whatever happens between two changes of the part belongs to the part entered last. */
export class QueryProfile {
  readonly #now: () => number
  readonly #statistics: QueryStatistics
  readonly #parts = new Map<Plan, Part>()
  readonly #entered: Part[] = []
  #lastMs = 0
  #lastRead = 0

  /** `statistics`: those of the query, which count the samples that are read. */
  constructor(now: () => number, statistics: QueryStatistics) {
    this.#now = now
    this.#statistics = statistics
  }

  /** What happens from here to `leave` belongs to the part. */
  enter(plan: Plan, steps = 0): void {
    this.#account()
    let part = this.#parts.get(plan)
    if (part === undefined) {
      part = { steps: 0, milliseconds: 0, series: 0, samples: 0, samplesRead: 0, peakBytes: 0, heldBytes: 0 }
      this.#parts.set(plan, part)
    }
    if (steps > part.steps) part.steps = steps
    this.#entered.push(part)
  }

  leave(): void {
    this.#account()
    this.#entered.pop()
  }

  /** The part entered last has given one more series. */
  count(samples: number): void {
    const part = this.#entered.at(-1)
    if (part === undefined) return
    part.series++
    part.samples += samples
  }

  /** Negative: they are given back. */
  hold(bytes: number): void {
    const part = this.#entered.at(-1)
    if (part === undefined) return
    // What one part holds may be given back by another.
    part.heldBytes = Math.max(0, part.heldBytes + bytes)
    if (part.heldBytes > part.peakBytes) part.peakBytes = part.heldBytes
  }

  /** undefined: the part was not evaluated. */
  of(plan: Plan): PartMeasures | undefined {
    return this.#parts.get(plan)
  }

  #account(): void {
    const nowMs = this.#now()
    const part = this.#entered.at(-1)
    if (part !== undefined) {
      part.milliseconds += nowMs - this.#lastMs
      part.samplesRead += this.#statistics.samplesRead - this.#lastRead
    }
    this.#lastMs = nowMs
    this.#lastRead = this.#statistics.samplesRead
  }
}
