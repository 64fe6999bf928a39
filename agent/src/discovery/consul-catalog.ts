import type { ConsulDiscovery } from '@narthex/config/consul-discovery'
import type { Timer } from '../clock.ts'
import { checkServiceCount, ConsulBounds } from './consul-bounds.ts'
import type { ConsulClient } from './consul-client.ts'
import { isWantedService, readDatacenter, readHealthEntries, readServiceNames, toTarget } from './consul-targets.ts'
import { ConsulWatch, retryIntervalMs } from './consul-watch.ts'
import type { DiscoveryContext } from './mechanisms.ts'
import type { Discoverer, TargetGroup } from './target-groups.ts'

/** consul_sd_configs: one watch for the list of services, unless the configuration names them all, and one for the instances of each wanted service. */
export class ConsulCatalogDiscoverer implements Discoverer {
  readonly #config: ConsulDiscovery
  readonly #client: ConsulClient
  readonly #context: DiscoveryContext
  readonly #abort = new AbortController()
  readonly #serviceWatches = new Map<string, ConsulWatch>()
  readonly #bounds = new ConsulBounds()
  #listWatch: ConsulWatch | undefined
  #retry: Timer | undefined
  #update: (groups: readonly TargetGroup[]) => void = () => {}

  constructor(config: ConsulDiscovery, client: ConsulClient, context: DiscoveryContext) {
    this.#config = config
    this.#client = client
    this.#context = context
  }

  start(update: (groups: readonly TargetGroup[]) => void): void {
    this.#update = update
    void this.#begin()
  }

  stop(): void {
    this.#abort.abort(new Error('discovery stopped'))
    this.#context.clock.clearTimer(this.#retry)
    this.#listWatch?.stop()
    for (const watch of this.#serviceWatches.values()) watch.stop()
    void this.#client.close()
  }

  async #begin(): Promise<void> {
    const { clock, log, metrics } = this.#context
    const { signal } = this.#abort
    const { datacenter: configured, services, tags } = this.#config
    try {
      const datacenter = configured === '' ? await this.#askDatacenter(signal) : configured
      if (signal.aborted) return
      if (services.length === 0 || tags.length > 0) this.#watchList(datacenter)
      else for (const name of services) this.#watchService(name, datacenter)
    } catch (error) {
      if (signal.aborted) return
      metrics.consulFailures.inc()
      log.error('Error retrieving datacenter name', { err: error })
      this.#retry = clock.setTimer(() => void this.#begin(), retryIntervalMs)
    }
  }

  async #askDatacenter(signal: AbortSignal): Promise<string> {
    const { content } = await this.#client.ask({ path: 'agent/self', endpoint: 'agent', call: 'self', parameters: [], signal })
    return readDatacenter(content)
  }

  #watchList(datacenter: string): void {
    const { log } = this.#context
    this.#listWatch = new ConsulWatch(
      {
        client: this.#client,
        query: {
          path: 'catalog/services',
          endpoint: 'catalog',
          call: 'services',
          parameters: [...this.#commonParameters(), ['filter', this.#config.filter]],
        },
        intervalMs: this.#config.refreshIntervalMs,
        take: (content) => this.#takeList(readServiceNames(content), datacenter),
        failed: (error) => log.error('Error refreshing service list', { err: error }),
      },
      this.#context,
    )
    this.#listWatch.start()
  }

  #takeList(services: ReadonlyMap<string, readonly string[]>, datacenter: string): void {
    const wanted = [...services].filter(([name, tags]) => isWantedService(this.#config, name, tags)).map(([name]) => name)
    checkServiceCount(wanted.length)
    for (const name of wanted) if (!this.#serviceWatches.has(name)) this.#watchService(name, datacenter)
    const ended: TargetGroup[] = []
    for (const [name, watch] of this.#serviceWatches) {
      const tags = services.get(name)
      if (tags !== undefined && isWantedService(this.#config, name, tags)) continue
      watch.stop()
      this.#serviceWatches.delete(name)
      this.#bounds.forget(name)
      ended.push({ source: name, targets: [], labels: {} })
    }
    if (ended.length > 0) this.#update(ended)
  }

  #watchService(name: string, datacenter: string): void {
    const { tags, healthFilter, tagSeparator, refreshIntervalMs } = this.#config
    const { log } = this.#context
    const labels = { __meta_consul_service: name, __meta_consul_dc: datacenter }
    const watch = new ConsulWatch(
      {
        client: this.#client,
        query: {
          path: `health/service/${encodeURIComponent(name)}`,
          endpoint: 'catalog',
          call: 'service',
          parameters: [...this.#commonParameters(), ['filter', healthFilter], ...tags.map((tag): [string, string] => ['tag', tag])],
        },
        intervalMs: refreshIntervalMs,
        take: (content, bytes) => {
          const instances = readHealthEntries(content)
          this.#bounds.take(name, { instances: instances.length, bytes })
          const targets = instances.map((instance) => toTarget(instance, tagSeparator))
          this.#update([{ source: name, targets, labels }])
        },
        failed: (error) => log.error('Error refreshing service', { service: name, tags: tags.join(','), err: error }),
      },
      this.#context,
    )
    this.#serviceWatches.set(name, watch)
    watch.start()
  }

  #commonParameters(): [string, string][] {
    const { allowStale, nodeMeta } = this.#config
    return [
      ...(allowStale ? [['stale', 'true'] as [string, string]] : []),
      ...Object.entries(nodeMeta).map(([name, value]): [string, string] => ['node-meta', `${name}:${value}`]),
    ]
  }
}
