import type { AbortFlag } from '@narthex/promql/query-context'

/** Whether a query is not wanted any more: said from another thread, in the first word of shared memory; of one class, as the engine asks for every series. */
export class CancelFlag implements AbortFlag {
  readonly #cancel: Int32Array
  readonly #ended: Int32Array

  /** `ended`: a second place where it may be said. */
  constructor(cancel: SharedArrayBuffer, ended = cancel) {
    this.#cancel = new Int32Array(cancel)
    this.#ended = new Int32Array(ended)
  }

  get aborted(): boolean {
    return Atomics.load(this.#cancel, 0) !== 0 || Atomics.load(this.#ended, 0) !== 0
  }
}
