import type { Clock, Timer } from '@narthex/agent/clock'
import { createDiscoveryMetrics } from '@narthex/agent/discovery/discovery-metrics'
import type { DiscoveryContext } from '@narthex/agent/discovery/mechanisms'
import type { Discoverer, TargetGroup } from '@narthex/agent/discovery/target-groups'
import { silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { ensure } from './fuzz-target.ts'

type Labels = Readonly<Record<string, string>>

/** What every mechanism promises of groups that it makes: their names, and addresses that are not empty. */
export function ensureGroups(groups: readonly TargetGroup[]): void {
  ensureListedGroups(groups)
  for (const { targets, labels } of groups) {
    ensureNames(labels)
    targets.forEach(ensureTarget)
  }
}

/** Groups as a user lists them have any names and addresses. */
export function ensureListedGroups(groups: readonly TargetGroup[]): void {
  for (const { source, targets, labels } of groups) {
    ensure(typeof source === 'string', `the source is of type ${typeof source}`)
    ensureLabels(labels)
    for (const target of targets) {
      ensureLabels(target)
      ensure(Object.hasOwn(target, '__address__'), 'a target has no address')
    }
  }
}

export function ensureTarget(target: Labels): void {
  ensureLabels(target)
  ensureNames(target)
  ensure((target['__address__'] ?? '') !== '', 'a target has no address')
}

/** Names that a mechanism makes are those of classic labels. */
export function ensureNames(labels: Labels): void {
  for (const name of Object.keys(labels)) ensure(/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name), `a label is named ${JSON.stringify(name)}`)
}

function ensureLabels(labels: Labels): void {
  ensure(Object.getPrototypeOf(labels) === Object.prototype, 'labels have another prototype')
  for (const [name, value] of Object.entries(labels)) {
    ensure(name !== '', 'a label has no name')
    ensure(typeof value === 'string', `label ${name} is of type ${typeof value}`)
  }
}

const intervalMs = 3_600_000

/** From one refresh to the next, so that nothing that was found is still believed. */
const stepMs = 20 * intervalMs

/** The timer of the next refresh waits to be called, pauses between tries are over at once. */
class RefreshClock implements Clock {
  #refresh: (() => void) | undefined
  #nowMs = 1_700_000_000_000

  now(): number {
    return this.#nowMs
  }

  elapsed(): number {
    return 0
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    if (delayMs < intervalMs) return setImmediate(callback)
    this.#refresh = callback
    return callback
  }

  clearTimer(): void {}

  callRefresh(): void {
    this.#nowMs += stepMs
    const refresh = this.#refresh
    this.#refresh = undefined
    refresh?.()
  }
}

/** A mechanism that asks again and again, one refresh at a time. */
export class RefreshedDiscovery {
  readonly #clock = new RefreshClock()
  readonly #discoverer: Discoverer
  #isStarted = false
  #settle: PromiseWithResolvers<readonly TargetGroup[]> = Promise.withResolvers()

  /** `create` must set the interval to `refreshedIntervalMs`. */
  constructor(create: (context: DiscoveryContext) => Discoverer, env: Readonly<Record<string, string>> = {}) {
    const registry = new Registry()
    this.#discoverer = create({
      log: { ...silentLogger, error: (_message, fields) => this.#settle.reject(fields?.['err']) },
      clock: this.#clock,
      registry,
      metrics: createDiscoveryMetrics(registry, 'scrape', () => new Map()),
      userAgent: 'Narthex/fuzz',
      jobName: 'fuzz',
      env,
    })
  }

  /** The groups of one refresh; rejects with the reason that the mechanism would log. */
  async refresh(): Promise<readonly TargetGroup[]> {
    // What the refresh before has still to do, such as setting its timer.
    await new Promise((resolve) => setImmediate(resolve))
    this.#settle = Promise.withResolvers()
    if (this.#isStarted) this.#clock.callRefresh()
    else this.#discoverer.start((groups) => this.#settle.resolve(groups))
    this.#isStarted = true
    return this.#settle.promise
  }

  close(): void {
    this.#discoverer.stop()
  }
}

export const refreshedIntervalMs = intervalMs
