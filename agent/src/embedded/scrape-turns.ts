/** Scrapes of one exporter that may wait for the one under way; more are refused at once. */
export const waitingMax = 4

interface RunningScrape {
  readonly startedMs: number
  readonly done: Promise<void>
  /** Set when its deadline is told, not read from the clock: a timer may fire a fraction of a millisecond before its time. */
  hanging: boolean
}

/** Lets the scrapes of one exporter run one after another, each under its own deadline: exporters reuse one buffer for their answers. */
export class ScrapeTurns {
  #running: RunningScrape | undefined
  #waiting = 0

  /**
   * Runs `work` when its turn comes and gives its answer; the caller has the current turn of the event loop to read it. Rejects at the
   * deadline, and at once while an earlier one is past its own deadline and still has not ended.
   */
  async run<Answer>(timeoutMs: number, work: (remainingMs: () => number) => Promise<Answer>): Promise<Answer> {
    const deadlineMs = performance.now() + timeoutMs
    // Whole milliseconds: what timers of every kind take.
    const remainingMs = (): number => Math.max(1, Math.floor(deadlineMs - performance.now()))
    // The last look and the claim stand in one step, so that two who waited do not both go.
    while (this.#running !== undefined) await this.#await(this.#running, remainingMs)
    const ended = Promise.withResolvers<void>()
    const running: RunningScrape = { startedMs: performance.now(), done: ended.promise, hanging: false }
    this.#running = running
    const answer = work(remainingMs)
    const release = (): void => {
      // Not before the caller has read the answer.
      setImmediate(() => {
        if (this.#running === running) this.#running = undefined
        ended.resolve()
      })
    }
    answer.then(release, release)
    return withDeadline(answer, remainingMs(), () => {
      running.hanging = true
      return `the exporter did not answer within ${timeoutMs / 1000} s`
    })
  }

  async #await(running: RunningScrape, remainingMs: () => number): Promise<void> {
    const seconds = (): number => Math.round((performance.now() - running.startedMs) / 1000)
    if (running.hanging) throw new Error(`an earlier scrape of this exporter has been hanging for ${seconds()} s`)
    if (this.#waiting >= waitingMax) throw new Error(`${waitingMax} scrapes wait for this exporter already`)
    this.#waiting++
    try {
      await withDeadline(running.done, remainingMs(), () => `an earlier scrape of this exporter has been running for ${seconds()} s`)
    } finally {
      this.#waiting--
    }
  }
}

async function withDeadline<Answer>(work: Promise<Answer>, ms: number, describe: () => string): Promise<Answer> {
  const over = Promise.withResolvers<never>()
  const timer = setTimeout(() => over.reject(new Error(describe())), ms)
  try {
    return await Promise.race([work, over.promise])
  } finally {
    clearTimeout(timer)
  }
}
