import type { AlertDestination, NotifierMetrics } from './notifier.ts'
import type { AlertPayload } from './interfaces.ts'
import type { Clock } from '@narthex/service/clock'
import type { Logger } from '@narthex/service/logger'

export interface AlertQueueOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: NotifierMetrics
  readonly capacity: number
  readonly batchSize: number
}

/** Alerts waiting for one destination. One request at a time; when the queue is full the oldest alerts are dropped and counted. */
export class AlertQueue {
  destination: AlertDestination
  readonly #options: AlertQueueOptions
  readonly #abort = new AbortController()
  #waiting: AlertPayload[] = []
  #sending: Promise<void> | undefined

  constructor(destination: AlertDestination, options: AlertQueueOptions) {
    this.destination = destination
    this.#options = options
  }

  get length(): number {
    return this.#waiting.length
  }

  push(alerts: readonly AlertPayload[]): void {
    if (alerts.length === 0 || this.#abort.signal.aborted) return
    const { capacity, log, metrics } = this.#options
    for (const alert of alerts) this.#waiting.push(alert)
    const excess = this.#waiting.length - capacity
    if (excess > 0) {
      this.#waiting.splice(0, excess)
      metrics.dropped.inc(excess)
      log.warn('Alert notification queue full, dropping alerts', { alertmanager: this.destination.url, num_dropped: excess })
    }
    this.#sending ??= this.#sendAll()
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    await this.#sending
  }

  /** Drops and counts what waits, and ends the running request. */
  abandon(): void {
    this.#options.metrics.dropped.inc(this.#waiting.length)
    this.#waiting = []
    this.#abort.abort()
  }

  async #sendAll(): Promise<void> {
    // Alerts of one tick of several groups travel together.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#sendBatch(this.#waiting.splice(0, this.#options.batchSize))
    this.#sending = undefined
  }

  async #sendBatch(batch: readonly AlertPayload[]): Promise<void> {
    const { clock, log, metrics } = this.#options
    const { url } = this.destination
    const startMs = clock.now()
    try {
      await this.destination.send(batch, this.#abort.signal)
    } catch (error) {
      metrics.errors.inc(batch.length, url)
      metrics.dropped.inc(batch.length)
      if (!this.#abort.signal.aborted) {
        log.error('Error sending alerts', { alertmanager: url, count: batch.length, err: error })
      }
    }
    metrics.latency.observe((clock.now() - startMs) / 1000, url)
    metrics.sent.inc(batch.length, url)
  }
}
