import type { ConsulDiscovery } from '@narthex/config/consul-discovery'
import { createConsulAgentDiscoverer } from './consul-agent.ts'
import { ConsulCatalogDiscoverer } from './consul-catalog.ts'
import { createConsulClient } from './consul-client.ts'
import type { DiscoveryContext } from './mechanisms.ts'
import type { Discoverer } from './target-groups.ts'

/** consul_sd_configs: the catalog, or with `agent: true` the services of one agent. */
export function createConsulDiscoverer(config: ConsulDiscovery, context: DiscoveryContext): Discoverer {
  const client = createConsulClient(config, context)
  return config.agent ? createConsulAgentDiscoverer(config, client, context) : new ConsulCatalogDiscoverer(config, client, context)
}
