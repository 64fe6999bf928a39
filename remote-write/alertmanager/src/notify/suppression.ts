import type { Inhibitor } from '../inhibit/inhibitor.ts'
import type { Labels } from '@narthex/model/labels'
import type { Route } from '../routing/route.ts'
import type { SilenceStore } from '../silence/silence-store.ts'
import type { TimeIntervalConfig } from '@narthex/config/time-interval'
import { containsTime } from '../time-interval.ts'

export interface MutedRoute {
  readonly reason: 'active_time_interval' | 'mute_time_interval'
  readonly names: readonly string[]
}

/** All that keeps an alert from being told; asked by the pipeline and by the API alike. */
export class Suppression {
  readonly #inhibitor: Inhibitor
  readonly #silences: SilenceStore
  readonly #timeIntervals: ReadonlyMap<string, readonly TimeIntervalConfig[]>

  constructor(inhibitor: Inhibitor, silences: SilenceStore, timeIntervals: ReadonlyMap<string, readonly TimeIntervalConfig[]>) {
    this.#inhibitor = inhibitor
    this.#silences = silences
    this.#timeIntervals = timeIntervals
  }

  inhibitedBy(labels: Labels): string[] {
    return this.#inhibitor.findInhibitors(labels)
  }

  silencedBy(labels: Labels): string[] {
    return this.#silences.findActive(labels)
  }

  /** The time intervals that keep the route quiet at this moment, if any. */
  mutedBy(route: Route, timeMs: number): MutedRoute | undefined {
    const { activeTimeIntervals, muteTimeIntervals } = route
    if (activeTimeIntervals.length > 0 && !activeTimeIntervals.some((name) => this.#contains(name, timeMs))) {
      return { reason: 'active_time_interval', names: activeTimeIntervals }
    }
    const names = muteTimeIntervals.filter((name) => this.#contains(name, timeMs))
    return names.length > 0 ? { reason: 'mute_time_interval', names } : undefined
  }

  #contains(name: string, timeMs: number): boolean {
    return containsTime(this.#timeIntervals.get(name) ?? [], timeMs)
  }
}
