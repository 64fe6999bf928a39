import type { Logger } from '@narthex/service/logger'

/** Servers whose last failure is remembered; the one that failed first goes first. */
const rememberedMax = 10_000

/** Logs a failure when it begins or its reason changes, and when it is over: a server that is down for a day is one line. */
export class FailureLog {
  readonly #log: Logger
  readonly #lastByServer = new Map<string, string>()

  constructor(log: Logger) {
    this.#log = log
  }

  /** `error`: why this scrape failed; empty if it did not. */
  note(server: string, error: string): void {
    const last = this.#lastByServer.get(server)
    if (error === (last ?? '')) return
    this.#lastByServer.delete(server)
    if (error === '') return this.#log.info('redis answers again', { target: server })
    this.#lastByServer.set(server, error)
    if (this.#lastByServer.size > rememberedMax) this.#lastByServer.delete(this.#lastByServer.keys().next().value!)
    this.#log.error('cannot scrape redis', { target: server, err: error })
  }
}
