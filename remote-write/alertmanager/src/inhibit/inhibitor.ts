import type { Alert } from '../alert.ts'
import type { AlertStore } from '../alert-store.ts'
import type { Clock } from '@narthex/service/clock'
import type { InhibitRuleConfig } from '../config-shape.ts'
import type { Labels } from '@narthex/model/labels'
import { isResolvedAt } from '../alert.ts'
import { matchesAll } from '../matcher-parser.ts'
import { msToNs } from '../rfc3339.ts'

interface InhibitRule {
  readonly config: InhibitRuleConfig
  /** Source alerts by the values of the `equal` labels; several may share them, and each alone inhibits. */
  readonly sources: Map<string, Map<string, Alert>>
}

const garbageIntervalMs = 15 * 60_000

/** Knows which alerts make others not worth a message. */
export class Inhibitor {
  readonly #rules: readonly InhibitRule[]
  readonly #clock: Clock
  readonly #unsubscribe: () => void
  #cancelGarbage: () => void = () => {}

  constructor(rules: readonly InhibitRuleConfig[], alerts: AlertStore, clock: Clock) {
    this.#rules = rules.map((config) => ({ config, sources: new Map() }))
    this.#clock = clock
    this.#unsubscribe = alerts.subscribe((alert) => this.#observe(alert))
    this.#armGarbage()
  }

  stop(): void {
    this.#unsubscribe()
    this.#cancelGarbage()
  }

  /** Fingerprints of the firing alerts that inhibit one with these labels, sorted. */
  findInhibitors(labels: Labels): string[] {
    const found = new Set<string>()
    const nowNs = msToNs(this.#clock.now())
    for (const { config, sources } of this.#rules) {
      if (!matchesAll(config.targetMatchers, labels)) continue
      const candidates = sources.get(equalKey(config.equal, labels))
      if (candidates === undefined) continue
      // An alert on both sides of a rule must not be silenced by another such one, or two would silence each other.
      const isSource = matchesAll(config.sourceMatchers, labels)
      for (const source of candidates.values()) {
        if (isResolvedAt(source, nowNs) || (isSource && matchesAll(config.targetMatchers, source.labels))) continue
        found.add(source.fingerprint)
      }
    }
    return [...found].sort()
  }

  #observe(alert: Alert): void {
    for (const { config, sources } of this.#rules) {
      if (!matchesAll(config.sourceMatchers, alert.labels)) continue
      const key = equalKey(config.equal, alert.labels)
      let alerts = sources.get(key)
      if (alerts === undefined) sources.set(key, (alerts = new Map()))
      alerts.set(alert.fingerprint, alert)
    }
  }

  #armGarbage(): void {
    this.#cancelGarbage = this.#clock.setTimer(() => {
      this.#dropResolved()
      this.#armGarbage()
    }, garbageIntervalMs)
  }

  #dropResolved(): void {
    const nowNs = msToNs(this.#clock.now())
    for (const { sources } of this.#rules) {
      for (const [key, alerts] of sources) {
        for (const [fingerprint, alert] of alerts) if (isResolvedAt(alert, nowNs)) alerts.delete(fingerprint)
        if (alerts.size === 0) sources.delete(key)
      }
    }
  }
}

function equalKey(names: readonly string[], labels: Labels): string {
  return JSON.stringify(names.map((name) => labels.get(name)))
}
