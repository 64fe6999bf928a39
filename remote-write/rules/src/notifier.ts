import type { AlertPayload, AlertSender } from './interfaces.ts'
import type { Clock } from '@narthex/service/clock'
import type { Logger } from '@narthex/service/logger'
import type { Counter, Registry, Summary } from '@narthex/service/metrics'
import type { RelabelRule } from '@narthex/relabel/relabel'
import { AlertQueue } from './alert-queue.ts'
import { applyRelabel } from '@narthex/relabel/relabel'
import { Labels } from '@narthex/model/labels'

/** Where alerts go: an alertmanager over HTTP, or the embedded one by a function call. */
export interface AlertDestination {
  /** The URL that metrics and the API show, for example `http://am:9093/api/v2/alerts`. */
  readonly url: string
  /** Relabelling of this alertmanager alone, after the global one. */
  readonly relabelRules: readonly RelabelRule[]
  /** Rejects if the alerts were not taken; they are then counted as errors and not sent again (the next resend covers it). */
  send(alerts: readonly AlertPayload[], signal: AbortSignal): Promise<void>
}

export interface NotifierOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** Alerts waiting per destination (`--alertmanager.notification-queue-capacity`), default 10,000; beyond it the oldest go. */
  readonly queueCapacity?: number
  /** Alerts per request (`--alertmanager.notification-batch-size`), default 256. */
  readonly batchSize?: number
}

/** What a reload brings. */
export interface NotifierConfig {
  readonly externalLabels: Readonly<Record<string, string>>
  readonly relabelRules: readonly RelabelRule[]
  readonly destinations: readonly AlertDestination[]
}

export interface NotifierMetrics {
  readonly latency: Summary
  readonly errors: Counter
  readonly sent: Counter
  readonly dropped: Counter
}

/** Hands alerts to every destination through a bounded queue of its own, so that a slow one delays none but itself. */
export class Notifier implements AlertSender {
  readonly #options: NotifierOptions
  readonly #metrics: NotifierMetrics
  readonly #queues = new Map<string, AlertQueue>()
  #config: NotifierConfig = { externalLabels: {}, relabelRules: [], destinations: [] }

  constructor(options: NotifierOptions) {
    this.#options = options
    this.#metrics = createMetrics(options.registry, this.#queues, options.queueCapacity ?? 10_000)
  }

  /** Replaces labels, relabelling and destinations. Queues of destinations that stay keep what is in them. */
  update(config: NotifierConfig): void {
    this.#config = config
    const wanted = new Set(config.destinations.map((destination) => destination.url))
    for (const [url, queue] of this.#queues) {
      if (wanted.has(url)) continue
      queue.abandon()
      this.#queues.delete(url)
      for (const metric of [this.#metrics.latency, this.#metrics.errors, this.#metrics.sent]) metric.remove(url)
    }
    for (const destination of config.destinations) this.#placeQueue(destination)
  }

  send(alerts: readonly AlertPayload[]): void {
    const { externalLabels, relabelRules } = this.#config
    const relabelled = relabelAlerts(addExternalLabels(alerts, externalLabels), relabelRules)
    if (relabelled.length === 0) return
    for (const queue of this.#queues.values()) queue.push(relabelAlerts(relabelled, queue.destination.relabelRules))
  }

  /** URLs of the alertmanagers in use, for `/api/v1/alertmanagers`. */
  destinationUrls(): string[] {
    return [...this.#queues.keys()]
  }

  /** Sends what is queued, at most until the deadline, then ends. */
  async stop(drainMs: number): Promise<void> {
    const drained = Promise.all([...this.#queues.values()].map((queue) => queue.drain()))
    let cancel = () => {}
    const deadline = new Promise<void>((resolve) => {
      cancel = this.#options.clock.setTimer(resolve, drainMs)
    })
    await Promise.race([drained, deadline])
    cancel()
    for (const queue of this.#queues.values()) queue.abandon()
  }

  #placeQueue(destination: AlertDestination): void {
    const known = this.#queues.get(destination.url)
    if (known !== undefined) {
      known.destination = destination
      return
    }
    const { clock, log, queueCapacity = 10_000, batchSize = 256 } = this.#options
    const queue = new AlertQueue(destination, { clock, log, metrics: this.#metrics, capacity: queueCapacity, batchSize })
    this.#queues.set(destination.url, queue)
    this.#metrics.errors.labels(destination.url)
    this.#metrics.sent.labels(destination.url)
  }
}

function createMetrics(registry: Registry, queues: ReadonlyMap<string, AlertQueue>, capacity: number): NotifierMetrics {
  const label = ['alertmanager']
  registry.gauge('prometheus_notifications_queue_capacity', 'The capacity of the alert notifications queue.').set(capacity)
  const length = registry.gauge('prometheus_notifications_queue_length', 'Alerts waiting to be sent.')
  const discovered = registry.gauge('prometheus_notifications_alertmanagers_discovered', 'Alertmanagers in use.')
  registry.onCollect(() => {
    let waiting = 0
    for (const queue of queues.values()) waiting += queue.length
    length.set(waiting)
    discovered.set(queues.size)
  })
  return {
    latency: registry.summary(
      'prometheus_notifications_latency_seconds',
      'How long sending one batch of alerts takes.',
      label,
      [0.5, 0.9, 0.99],
    ),
    errors: registry.counter('prometheus_notifications_errors_total', 'Alerts that could not be sent.', label),
    sent: registry.counter('prometheus_notifications_sent_total', 'Alerts sent, successfully or not.', label),
    dropped: registry.counter('prometheus_notifications_dropped_total', 'Alerts dropped: queue full, or sending failed.'),
  }
}

function addExternalLabels(alerts: readonly AlertPayload[], externalLabels: Readonly<Record<string, string>>): readonly AlertPayload[] {
  if (Object.keys(externalLabels).length === 0) return alerts
  return alerts.map((alert) => ({ ...alert, labels: { ...externalLabels, ...alert.labels } }))
}

function relabelAlerts(alerts: readonly AlertPayload[], rules: readonly RelabelRule[]): readonly AlertPayload[] {
  if (rules.length === 0) return alerts
  const kept: AlertPayload[] = []
  for (const alert of alerts) {
    const labels = applyRelabel(rules, Labels.from(alert.labels))
    if (labels !== undefined && labels.size > 0) kept.push({ ...alert, labels: labels.toRecord() })
  }
  return kept
}
