import { FailureMemory } from '@narthex/exporter-kit/failure-memory'
import type { Logger } from '@narthex/service/logger'

/** Logs a failure when it begins or its reason changes, and when it is over: a server that is down for a day is one line. */
export class FailureLog {
  readonly #log: Logger
  readonly #failures = new FailureMemory()

  constructor(log: Logger) {
    this.#log = log
  }

  /** `error`: why this scrape failed; empty if it did not. */
  note(server: string, error: string): void {
    if (error === '') {
      if (this.#failures.isOver(server)) this.#log.info('redis answers again', { target: server })
    } else if (this.#failures.isNews(server, error)) this.#log.error('cannot scrape redis', { target: server, err: error })
  }
}
