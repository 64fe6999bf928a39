import type { Alert } from '../alert.ts'
import type { Clock } from '@narthex/service/clock'
import type { Labels } from '@narthex/model/labels'
import type { Route } from '../routing/route.ts'
import { compareAlerts, isResolvedAt } from '../alert.ts'
import { msToNs, nsToMs, zeroTimeNs } from '../rfc3339.ts'

/** Least time that a flush is given, however short the group interval. */
export const flushTimeoutMsMin = 10_000

/** Delivers one snapshot of a group; true if every integration is content, so that resolved alerts may be forgotten. */
export type FlushGroup = (group: AggregationGroup, alerts: readonly Alert[], signal: AbortSignal) => Promise<boolean>

/**
 * Alerts of one route with the same group labels. Flushed group_wait after the first alert, then every group_interval.
 * A flush that is still running when the next is due delays that one; it is ended when the interval (at least 10 s) is over.
 */
export class AggregationGroup {
  readonly route: Route
  readonly labels: Labels
  /** Identity over restarts, shown in messages: `{}/{team="b"}:{alertname="A"}`. */
  readonly key: string
  readonly #alerts = new Map<string, Alert>()
  readonly #clock: Clock
  readonly #flushGroup: FlushGroup
  #cancelTimer: () => void
  #nextFlushMs: number
  #hasFlushed = false
  /** Ends the running flush; undefined while there is none. */
  #abort: AbortController | undefined
  #isDueAgain = false

  constructor(route: Route, labels: Labels, clock: Clock, flushGroup: FlushGroup) {
    this.route = route
    this.labels = labels
    this.key = `${route.key}:${labels.toString()}`
    this.#clock = clock
    this.#flushGroup = flushGroup
    this.#nextFlushMs = clock.now() + route.groupWaitMs
    this.#cancelTimer = clock.setTimer(() => this.#tick(), route.groupWaitMs)
  }

  get isEmpty(): boolean {
    return this.#alerts.size === 0
  }

  /** When the group looks at its alerts next. */
  get nextFlushMs(): number {
    return this.#nextFlushMs
  }

  alerts(): Alert[] {
    return [...this.#alerts.values()].sort(compareAlerts)
  }

  insert(alert: Alert): void {
    this.#alerts.set(alert.fingerprint, alert)
    // An alert that has been firing for longer than group_wait (we were down) does not wait again.
    if (!this.#hasFlushed && nsToMs(alert.startsAtNs) + this.route.groupWaitMs < this.#clock.now()) this.#arm(0)
  }

  /** Ends timer and running flush. */
  stop(): void {
    this.#cancelTimer()
    this.#isDueAgain = false
    this.#abort?.abort(new Error('context canceled'))
  }

  #arm(delayMs: number): void {
    this.#cancelTimer()
    this.#nextFlushMs = this.#clock.now() + delayMs
    this.#cancelTimer = this.#clock.setTimer(() => this.#tick(), delayMs)
  }

  #tick(): void {
    if (this.#abort !== undefined) this.#isDueAgain = true
    else void this.#flush()
  }

  async #flush(): Promise<void> {
    const abort = new AbortController()
    this.#abort = abort
    this.#arm(this.route.groupIntervalMs)
    this.#hasFlushed = true
    const timeoutMs = Math.max(this.route.groupIntervalMs, flushTimeoutMsMin)
    const cancelTimeout = this.#clock.setTimer(() => abort.abort(new Error('context deadline exceeded')), timeoutMs)
    const snapshot = this.#snapshot()
    try {
      const succeeded = snapshot.length === 0 || (await this.#flushGroup(this, snapshot, abort.signal))
      if (succeeded) this.#forgetResolved(snapshot)
    } finally {
      cancelTimeout()
      this.#abort = undefined
    }
    if (!this.#isDueAgain) return
    this.#isDueAgain = false
    void this.#flush()
  }

  // Whether an alert is over is decided once per flush: firing alerts lose their end, so that it does not pass meanwhile.
  #snapshot(): Alert[] {
    const nowNs = msToNs(this.#clock.now())
    return this.alerts().map((alert) => (isResolvedAt(alert, nowNs) ? alert : { ...alert, endsAtNs: zeroTimeNs }))
  }

  #forgetResolved(snapshot: readonly Alert[]): void {
    for (const alert of snapshot) {
      if (alert.endsAtNs === zeroTimeNs) continue
      if (this.#alerts.get(alert.fingerprint)?.updatedAtNs === alert.updatedAtNs) this.#alerts.delete(alert.fingerprint)
    }
  }
}
