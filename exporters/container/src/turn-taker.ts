import { setImmediate } from 'node:timers/promises'

/** Longest work in one turn of the event loop: others share the thread, and a machine may have thousands of containers. */
const turnMsMax = 15

/** Says when work has had the thread for long enough. */
export class TurnTaker {
  #startMs = performance.now()

  isDue(): boolean {
    return performance.now() - this.#startMs > turnMsMax
  }

  /** Lets others run. */
  async yield(): Promise<void> {
    await setImmediate()
    this.#startMs = performance.now()
  }
}
