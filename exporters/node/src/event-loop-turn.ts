import { setImmediate as nextTurn } from 'node:timers/promises'

/** Milliseconds of reading after which others get their turn. */
const turnMs = 8

/** For collectors that read thousands of kernel files: reading directly is ten times cheaper than in the thread pool, but must not go on for long. */
export class EventLoopTurn {
  #endMs = performance.now() + turnMs

  /** A function to await between two pieces of work: it waits only when the turn is over. */
  static start(): () => Promise<void> | undefined {
    const turn = new EventLoopTurn()
    return () => (turn.isOver() ? turn.next() : undefined)
  }

  /** Whether the turn is over: `if (turn.isOver()) await turn.next()`. */
  isOver(): boolean {
    return performance.now() >= this.#endMs
  }

  async next(): Promise<void> {
    await nextTurn()
    this.#endMs = performance.now() + turnMs
  }
}
