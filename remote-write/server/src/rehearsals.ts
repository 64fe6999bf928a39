import type { QueryCosts } from './query-costs.ts'
import type { QueryCall } from './query-protocol.ts'

const answeredMax = 16

/** What is rehearsed, and what ends it before its time. */
export interface Rehearsal {
  readonly call: QueryCall
  readonly ended: SharedArrayBuffer
}

/**
 * Range queries that were answered, until the threads that would have parts of them have evaluated these for nobody: code and data that were met before are
 * many times as quick. 16 queries at most wait for it, of more the newest.
 */
export class Rehearsals {
  readonly #costs: QueryCosts
  readonly #answered: QueryCall[] = []
  /** Those that run, and the newest that did. */
  readonly #begun: Rehearsal[] = []

  constructor(costs: QueryCosts) {
    this.#costs = costs
  }

  noteAnswered(call: QueryCall): void {
    this.#answered.push(call)
    if (this.#answered.length > answeredMax) this.#answered.shift()
  }

  /** The next one that is worth it. */
  begin(): Rehearsal | undefined {
    const answered = this.#answered.splice(0)
    const next = answered.findIndex(({ request }) => this.#costs.beginRehearsal(request))
    if (next < 0) return undefined
    this.#answered.push(...answered.slice(next + 1))
    const rehearsal = { call: answered[next]!, ended: new SharedArrayBuffer(4) }
    this.#begun.push(rehearsal)
    return rehearsal
  }

  /** No thread is at one. */
  noteEnded(): void {
    this.#begun.length = 0
  }

  /** Ends those that run; `again`: they begin anew, later. */
  end(again: boolean): void {
    for (const { call, ended } of this.#begun.splice(0)) {
      Atomics.store(new Int32Array(ended), 0, 1)
      if (!again) continue
      this.#costs.dropRehearsal(call.request)
      this.noteAnswered(call)
    }
  }
}
