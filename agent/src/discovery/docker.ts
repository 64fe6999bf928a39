import type { DockerDiscovery } from '@narthex/config/discovery-config'
import { createDockerClient } from './docker-client.ts'
import { readContainers, readNetworks } from './docker-targets.ts'
import type { DiscoveryContext } from './mechanisms.ts'
import { RefreshDiscoverer } from './refresh.ts'
import type { TargetGroup } from './target-groups.ts'

/** docker_sd_configs: the containers of one daemon in one group; those that run, unless the filters say otherwise. */
export function createDockerDiscoverer(config: DockerDiscovery, context: DiscoveryContext): RefreshDiscoverer {
  const client = createDockerClient(config, context)
  const filters = Object.fromEntries(config.filters.map(({ name, values }) => [name, values]))
  const parameters: Record<string, string> = config.filters.length === 0 ? {} : { filters: JSON.stringify(filters) }

  async function refresh(signal: AbortSignal): Promise<readonly TargetGroup[]> {
    const containers = await ask('error while listing containers', () => client.get('/containers/json', parameters, signal))
    const networks = await ask('error while computing network labels', () => client.get('/networks', {}, signal))
    return [{ source: 'Docker', targets: readContainers(containers, readNetworks(networks), config), labels: {} }]
  }

  return new RefreshDiscoverer({ mechanism: 'docker', intervalMs: config.refreshIntervalMs, refresh, close: () => client.close() }, context)
}

async function ask<Answer>(what: string, question: () => Promise<Answer>): Promise<Answer> {
  try {
    return await question()
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
