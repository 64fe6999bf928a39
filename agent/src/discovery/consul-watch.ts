import type { Timer } from '../clock.ts'
import type { ConsulClient, ConsulQuery } from './consul-client.ts'
import type { DiscoveryContext } from './mechanisms.ts'

export const retryIntervalMs = 15_000

export interface ConsulWatchOptions {
  readonly client: ConsulClient
  readonly query: Omit<ConsulQuery, 'index' | 'signal'>
  /** Least time from one question to the next. */
  readonly intervalMs: number
  /** Takes what changed; a throw counts as a failed question. */
  take(content: unknown, bytes: number): void
  /** Told of each failure, after it was counted. */
  failed(error: unknown): void
}

/**
 * Asks one endpoint again and again with blocking queries: the server answers when its index passes the last one, or after two minutes. An
 * index that goes back (a restored server) and any failure start over with a question that does not wait.
 */
export class ConsulWatch {
  readonly #options: ConsulWatchOptions
  readonly #context: DiscoveryContext
  readonly #abort = new AbortController()
  #index = 0
  #timer: Timer | undefined

  constructor(options: ConsulWatchOptions, context: DiscoveryContext) {
    this.#options = options
    this.#context = context
  }

  start(): void {
    void this.#ask()
  }

  stop(): void {
    this.#abort.abort(new Error('discovery stopped'))
    this.#context.clock.clearTimer(this.#timer)
  }

  async #ask(): Promise<void> {
    const { client, query, intervalMs, take, failed } = this.#options
    const { clock, metrics } = this.#context
    const { signal } = this.#abort
    const started = clock.elapsed()
    let waitMs = intervalMs
    try {
      const { content, index, bytes } = await client.ask({ ...query, index: this.#index, signal })
      if (signal.aborted) return
      // The same index: the wait is over and nothing happened.
      if (index === 0 || index !== this.#index) take.call(this.#options, content, bytes)
      this.#index = index < this.#index ? 0 : index
      waitMs = intervalMs - (clock.elapsed() - started)
    } catch (error) {
      if (signal.aborted) return
      metrics.consulFailures.inc()
      failed.call(this.#options, error)
      this.#index = 0
      waitMs = retryIntervalMs
    }
    if (!signal.aborted) this.#timer = clock.setTimer(() => void this.#ask(), Math.max(0, waitMs))
  }
}
