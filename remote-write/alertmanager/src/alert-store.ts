import type { Alert } from './alert.ts'
import type { Clock } from '@narthex/service/clock'
import { isResolvedAt, mergeAlerts } from './alert.ts'
import { msToNs } from './rfc3339.ts'

/** Most alerts known at once; further ones are refused until some end. */
export const alertsMaxDefault = 1_000_000

/** All known alerts by fingerprint. In memory only: senders repeat what fires. */
export class AlertStore {
  readonly #alerts = new Map<string, Alert>()
  readonly #listeners = new Set<(alert: Alert) => void>()
  readonly #clock: Clock
  readonly #alertsMax: number

  constructor(clock: Clock, alertsMax = alertsMaxDefault) {
    this.#clock = clock
    this.#alertsMax = alertsMax
  }

  get size(): number {
    return this.#alerts.size
  }

  get(fingerprint: string): Alert | undefined {
    return this.#alerts.get(fingerprint)
  }

  all(): Iterable<Alert> {
    return this.#alerts.values()
  }

  /**
   * Stores an alert, merged with the known one if their times overlap, and tells the listeners the outcome.
   * Gives the reason if it is refused.
   */
  put(alert: Alert): string | undefined {
    const known = this.#alerts.get(alert.fingerprint)
    if (known === undefined && this.#alerts.size >= this.#alertsMax) {
      return `exceeded maximum number of alerts: want at most ${this.#alertsMax}`
    }
    const merged = known !== undefined && overlap(known, alert) ? mergeAlerts(known, alert, msToNs(this.#clock.now())) : alert
    this.#alerts.set(merged.fingerprint, merged)
    for (const listener of this.#listeners) listener(merged)
    return undefined
  }

  /** Calls the listener with every known alert, then with every new state. The returned function ends that. */
  subscribe(listener: (alert: Alert) => void): () => void {
    for (const alert of this.#alerts.values()) listener(alert)
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Forgets alerts that are over. */
  collectGarbage(): void {
    const nowNs = msToNs(this.#clock.now())
    for (const [fingerprint, alert] of this.#alerts) if (isResolvedAt(alert, nowNs)) this.#alerts.delete(fingerprint)
  }
}

function overlap(known: Alert, fresh: Alert): boolean {
  const endsInside = fresh.endsAtNs > known.startsAtNs && fresh.endsAtNs < known.endsAtNs
  const startsInside = fresh.startsAtNs > known.startsAtNs && fresh.startsAtNs < known.endsAtNs
  return endsInside || startsInside
}
