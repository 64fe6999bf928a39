import type { Alert } from '../alert.ts'
import type { AlertStore } from '../alert-store.ts'
import type { Clock } from '@narthex/service/clock'
import type { FlushGroup } from './aggregation-group.ts'
import type { Route } from '../routing/route.ts'
import type { Summary } from '@narthex/service/metrics'
import { AggregationGroup } from './aggregation-group.ts'
import { compareBytewise } from '@narthex/model/compare'
import { compareLabelSets } from '../alert.ts'
import { matchRoutes, pickGroupLabels } from '../routing/route.ts'

const maintenanceIntervalMs = 30_000

export interface DispatcherOptions {
  readonly route: Route
  readonly alerts: AlertStore
  readonly clock: Clock
  readonly flushGroup: FlushGroup
  readonly processingDuration: Summary
}

/** Sorts alerts into groups, as they come and (after a reload) as they are known. */
export class Dispatcher {
  readonly route: Route
  readonly #options: DispatcherOptions
  readonly #groups = new Map<Route, Map<string, AggregationGroup>>()
  readonly #unsubscribe: () => void
  #cancelMaintenance: () => void = () => {}

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.route = options.route
    this.#unsubscribe = options.alerts.subscribe((alert) => this.#dispatch(alert))
    this.#armMaintenance()
  }

  /** All groups, by labels and then receiver. */
  groups(): AggregationGroup[] {
    const groups = [...this.#groups.values()].flatMap((byLabels) => [...byLabels.values()])
    return groups.sort((a, b) => compareLabelSets(a.labels, b.labels) || compareBytewise(a.route.receiver, b.route.receiver))
  }

  get groupCount(): number {
    let count = 0
    for (const byLabels of this.#groups.values()) count += byLabels.size
    return count
  }

  /** No group flushes any more; running deliveries are ended. */
  stop(): void {
    this.#unsubscribe()
    this.#cancelMaintenance()
    for (const group of this.groups()) group.stop()
  }

  #dispatch(alert: Alert): void {
    const { clock, flushGroup, processingDuration } = this.#options
    const startMs = clock.now()
    for (const route of matchRoutes(this.route, alert.labels)) {
      const labels = pickGroupLabels(route, alert.labels)
      let byLabels = this.#groups.get(route)
      if (byLabels === undefined) this.#groups.set(route, (byLabels = new Map()))
      let group = byLabels.get(labels.key())
      if (group === undefined) byLabels.set(labels.key(), (group = new AggregationGroup(route, labels, clock, flushGroup)))
      group.insert(alert)
    }
    processingDuration.observe((clock.now() - startMs) / 1000)
  }

  #armMaintenance(): void {
    this.#cancelMaintenance = this.#options.clock.setTimer(() => {
      this.#dropEmptyGroups()
      this.#armMaintenance()
    }, maintenanceIntervalMs)
  }

  #dropEmptyGroups(): void {
    for (const byLabels of this.#groups.values()) {
      for (const [key, group] of byLabels) {
        if (!group.isEmpty) continue
        group.stop()
        byLabels.delete(key)
      }
    }
  }
}
