import type { KubernetesDiscovery } from '@narthex/config/discovery-config'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { FakeClock } from '../../../scrape/testkit/fake-clock.ts'
import { createDiscoveryMetrics } from '../../discovery-metrics.ts'
import type { DiscoveryContext } from '../../mechanisms.ts'
import type { Discoverer, TargetGroup } from '../../target-groups.ts'
import { createKubernetesDiscoverer } from '../kubernetes.ts'

/** A discovery job on its own, with what it told so far. */
export interface DiscoveryRun {
  readonly discoverer: Discoverer
  /** Source → the newest group that has targets. */
  readonly groups: Map<string, TargetGroup>
  updates: number
}

/** Discovery jobs of one process under a fake clock. */
export class DiscoveryBench {
  readonly clock = new FakeClock()
  readonly lines: string[] = []
  readonly registry = new Registry()
  readonly env: Record<string, string> = {}
  readonly #metrics = createDiscoveryMetrics(this.registry, 'scrape', () => new Map())
  readonly #runs: DiscoveryRun[] = []

  config(changes: Partial<KubernetesDiscovery>): KubernetesDiscovery {
    return {
      mechanism: 'kubernetes',
      role: 'pod',
      ownNamespace: false,
      namespaces: [],
      selectors: [],
      attach: { node: false, namespace: false, deployment: false, job: false, cronjob: false },
      http: defaultHttpClientConfig,
      ...changes,
    }
  }

  context(jobName = 'job'): DiscoveryContext {
    const log = createLogger({ write: (line) => void this.lines.push(line) })
    return { log, clock: this.clock, registry: this.registry, metrics: this.#metrics, userAgent: 'Narthex/test', jobName, env: this.env }
  }

  start(changes: Partial<KubernetesDiscovery>, account?: string): DiscoveryRun {
    const run: DiscoveryRun = {
      discoverer: createKubernetesDiscoverer(this.config(changes), this.context(), account),
      groups: new Map(),
      updates: 0,
    }
    this.#runs.push(run)
    run.discoverer.start((groups) => {
      run.updates++
      for (const group of groups) {
        if (group.targets.length === 0) run.groups.delete(group.source)
        else run.groups.set(group.source, group)
      }
    })
    return run
  }

  stop(): void {
    for (const { discoverer } of this.#runs) discoverer.stop()
    this.#runs.length = 0
  }

  /** Lets real sockets and the fake clock run until the check holds; fails after some seconds. */
  async until(what: string, check: () => boolean, stepMs = 50): Promise<void> {
    const giveUp = performance.now() + 8000
    while (!check()) {
      if (performance.now() > giveUp) throw new Error(`${what} did not come; log: ${this.lines.join('')}`)
      await new Promise((resolve) => setTimeout(resolve, 2))
      await this.clock.advance(stepMs)
    }
  }

  /** Lines of the exposition that begin so. */
  exposed(prefix: string): string[] {
    const writer = new FamilyWriter()
    this.registry.write(writer)
    const text = Buffer.from(writer.finish()).toString('utf8')
    return text.split('\n').filter((line) => line.startsWith(prefix))
  }
}
