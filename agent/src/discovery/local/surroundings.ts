import type { Registry } from '@narthex/service/metrics'
import type { ServiceAddress } from '../../embedded/embedded-exporter.ts'
import type { EmbeddedExporters } from '../../embedded/embedded-exporters.ts'
import type { LocalServices } from './local-services.ts'

/** What local discovery needs to know of the rest of the agent. */
export interface LocalSurroundings {
  /** Undefined in a program without exporters: then only services with a metrics page of their own are found. */
  readonly embedded: EmbeddedExporters | undefined
  /** URLs of the targets of all jobs but this one. */
  scrapeUrls(exceptJob: string): Iterable<string>
  /** Where the services of configured exporters are. */
  configuredServices(): Iterable<ServiceAddress>
  /** Discoverers that run show their services in the metrics. */
  register(running: { readonly services: LocalServices }): void
  unregister(running: { readonly services: LocalServices }): void
}

export type LocalSurroundingsOptions = Pick<LocalSurroundings, 'embedded' | 'scrapeUrls' | 'configuredServices'>

export function createLocalSurroundings(registry: Registry, options: LocalSurroundingsOptions): LocalSurroundings {
  const running = new Set<{ readonly services: LocalServices }>()
  const help = 'Services that local discovery found, by what became of them.'
  const gauge = registry.gauge('narthex_agent_local_services', help, ['service', 'state'])
  registry.onCollect(() => {
    gauge.clear()
    for (const { services } of running) {
      for (const [service, states] of services.countStates()) for (const [state, count] of states) gauge.labels(service, state).inc(count)
    }
  })
  return {
    ...options,
    register: (discoverer) => void running.add(discoverer),
    unregister: (discoverer) => void running.delete(discoverer),
  }
}
