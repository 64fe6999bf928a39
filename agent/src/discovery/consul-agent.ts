import type { ConsulDiscovery } from '@narthex/config/consul-discovery'
import { consulInstancesMax } from './consul-bounds.ts'
import type { ConsulClient } from './consul-client.ts'
import { isWantedService, readDatacenter, toTarget } from './consul-targets.ts'
import { isRecord, recordField, textField, textsField, type JsonRecord } from './json-fields.ts'
import type { DiscoveryContext } from './mechanisms.ts'
import { RefreshDiscoverer } from './refresh.ts'
import type { TargetGroup } from './target-groups.ts'

/** All of them are read for each service. */
export const nodeChecksMax = 1_000

/**
 * consul_sd_configs with `agent: true`: the services that are registered with one agent, asked every refresh interval (an agent has no
 * index to wait for). No other part of the cluster is asked, so it works while the servers are away.
 */
export function createConsulAgentDiscoverer(config: ConsulDiscovery, client: ConsulClient, context: DiscoveryContext): RefreshDiscoverer {
  async function ask(call: 'self' | 'services' | 'checks', signal: AbortSignal): Promise<JsonRecord> {
    const parameters: [string, string][] = call === 'services' ? [['filter', config.filter]] : []
    const { content } = await client.ask({ path: `agent/${call}`, endpoint: 'agent', call, parameters, signal })
    if (!isRecord(content)) throw new Error(`cannot read answer of agent/${call}: want a map, got ${typeof content}`)
    return content
  }

  async function refresh(signal: AbortSignal): Promise<readonly TargetGroup[]> {
    try {
      const [self, services, checks] = await Promise.all([ask('self', signal), ask('services', signal), ask('checks', signal)])
      return groupServices(config, self, services, checks)
    } catch (error) {
      if (!signal.aborted) context.metrics.consulFailures.inc()
      throw error
    }
  }

  return new RefreshDiscoverer({ mechanism: 'consul', intervalMs: config.refreshIntervalMs, refresh, close: () => client.close() }, context)
}

/** One group per service name. */
function groupServices(config: ConsulDiscovery, self: JsonRecord, services: JsonRecord, checks: JsonRecord): TargetGroup[] {
  const datacenter = readDatacenter(self)
  const node = describeNode(self)
  const nodeMeta = recordField(node, 'Meta')
  if (Object.entries(config.nodeMeta).some(([name, value]) => nodeMeta[name] !== value)) return []
  const ownChecks = Map.groupBy(Object.values(checks).filter(isRecord), (check) => textField(check, 'ServiceID'))
  // Checks without a service are the node's.
  const nodeChecks = ownChecks.get('') ?? []
  if (nodeChecks.length > nodeChecksMax)
    throw new Error(`cannot read checks: want at most ${nodeChecksMax} of the node, got ${nodeChecks.length}`)
  const found = Object.values(services).filter(isRecord)
  if (found.length > consulInstancesMax) throw new Error(`cannot read services: want at most ${consulInstancesMax}, got ${found.length}`)
  const targetsByName = new Map<string, Record<string, string>[]>()
  for (const service of found) {
    const name = textField(service, 'Service')
    if (!isWantedService(config, name, textsField(service, 'Tags'))) continue
    const id = textField(service, 'ID')
    const own = [...nodeChecks, ...(id === '' ? [] : (ownChecks.get(id) ?? []))]
    const targets = targetsByName.get(name) ?? []
    targets.push(toTarget({ node, service, checks: own }, config.tagSeparator))
    targetsByName.set(name, targets)
  }
  return [...targetsByName].map(([name, targets]) => ({
    source: name,
    targets,
    labels: { __meta_consul_service: name, __meta_consul_dc: datacenter },
  }))
}

/** The node in the shape of the catalog. */
function describeNode(self: JsonRecord): JsonRecord {
  const member = recordField(self, 'Member')
  return {
    Node: textField(recordField(self, 'Config'), 'NodeName') || textField(member, 'Name'),
    Address: textField(member, 'Addr'),
    Meta: recordField(self, 'Meta'),
    TaggedAddresses: recordField(recordField(self, 'DebugConfig'), 'TaggedAddresses'),
  }
}
