import { FamilyWriter } from '@narthex/exposition/family-writer'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import type { Clock } from '../../clock.ts'
import type { FakeClock } from '../../scrape/testkit/fake-clock.ts'
import { createDiscoveryMetrics } from '../discovery-metrics.ts'
import type { DiscoveryContext } from '../mechanisms.ts'
import type { Discoverer, TargetGroup } from '../target-groups.ts'

/** Surroundings for one mechanism under test, and what it reported so far. */
export class RecordedDiscovery<Time extends Clock = FakeClock> {
  readonly clock: Time
  readonly lines: string[] = []
  readonly context: DiscoveryContext
  /** Source → group, as the manager would hold them. */
  readonly groups = new Map<string, TargetGroup>()
  updates = 0
  readonly #registry = new Registry()
  readonly #started: Discoverer[] = []

  constructor(clock: Time, env: Readonly<Record<string, string>> = {}) {
    this.clock = clock
    this.context = {
      log: createLogger({ write: (line) => void this.lines.push(line), source: 'test' }),
      clock,
      registry: this.#registry,
      metrics: createDiscoveryMetrics(this.#registry, 'scrape', () => new Map()),
      userAgent: 'Narthex/test',
      jobName: 'j',
      env,
    }
  }

  start(discoverer: Discoverer): void {
    this.#started.push(discoverer)
    discoverer.start((groups) => {
      this.updates++
      for (const group of groups) {
        if (group.targets.length === 0) this.groups.delete(group.source)
        else this.groups.set(group.source, group)
      }
    })
  }

  stop(): void {
    for (const discoverer of this.#started.splice(0)) discoverer.stop()
  }

  /** Every target with its group's labels, in order of address. */
  targets(): Record<string, string>[] {
    const all = [...this.groups.values()].flatMap((group) => group.targets.map((target) => ({ ...group.labels, ...target })))
    return all.sort((a, b) => compare(addressOf(a), addressOf(b)))
  }

  addresses(): string[] {
    return this.targets().map(addressOf)
  }

  /** A metric's value as the process would expose it, such as `prometheus_sd_http_failures_total`. */
  metric(series: string): number {
    const writer = new FamilyWriter()
    this.#registry.write(writer)
    const line = Buffer.from(writer.finish())
      .toString('utf8')
      .split('\n')
      .find((text) => text.startsWith(`${series} `))
    return Number(line?.slice(series.length))
  }
}

function addressOf(target: Readonly<Record<string, string>>): string {
  return target['__address__'] ?? ''
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
