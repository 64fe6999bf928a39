import type { AzureDiscovery } from '@narthex/config/cloud-discovery-machines'
import { AzureApi, findAzureEndpoints, type AzureEndpoints } from './azure-api.ts'
import { AzureInterfaces } from './azure-interfaces.ts'
import { ListBounds } from './cloud-requests.ts'
import { joinHostPort } from './host-port.ts'
import { isRecord, listField, recordField, textField, textPairs, type JsonRecord } from './json-fields.ts'
import { sanitizeLabelName } from './label-name.ts'
import type { DiscoveryContext } from './mechanisms.ts'
import { RefreshDiscoverer } from './refresh.ts'
import type { TargetGroup } from './target-groups.ts'

type Labels = Record<string, string>

/** Machines described at the same time: each may need a request of its own. */
const machinesAtOnce = 8

/** What is kept of a machine until all are listed. */
interface Machine {
  readonly name: string
  /** Without those of its network. */
  readonly labels: Labels
  readonly interfaceIds: readonly string[]
  readonly isOfScaleSet: boolean
}

/** azure_sd_configs: the machines of a subscription, on their own and in scale sets. All or nothing: one failed request fails the refresh. */
export function createAzureDiscoverer(
  config: AzureDiscovery,
  context: DiscoveryContext,
  endpoints: AzureEndpoints = findAzureEndpoints(config.environment),
): RefreshDiscoverer {
  const api = new AzureApi(config, context, endpoints)
  const interfaces = new AzureInterfaces({
    fetch: (id, isOfScaleSet, signal) => api.findInterface(id, isOfScaleSet, signal),
    refreshIntervalMs: config.refreshIntervalMs,
    now: () => context.clock.now(),
    onHit: () => context.metrics.azureCacheHits.inc(),
  })

  async function listMachines(signal: AbortSignal): Promise<Machine[]> {
    const bounds = new ListBounds()
    const machines: Machine[] = []
    const scaleSets: { readonly id: string; readonly name: string }[] = []
    await Promise.all([
      api.listMachines({ bounds, signal, take: (fields) => void machines.push(readMachine(fields, undefined, config)) }),
      api.listScaleSets({ bounds, signal, take: (set) => void scaleSets.push({ id: textField(set, 'id'), name: textField(set, 'name') }) }),
    ])
    for (const { id, name } of scaleSets)
      await api.listScaleSetMachines(id, { bounds, signal, take: (fields) => void machines.push(readMachine(fields, name, config)) })
    return machines
  }

  /** Undefined for a machine that has no address now. */
  async function describeMachine({ name, labels, interfaceIds, isOfScaleSet }: Machine, signal: AbortSignal): Promise<Labels | undefined> {
    for (const id of interfaceIds) {
      const found = await interfaces.find(id, isOfScaleSet, signal)
      if (found === undefined) {
        context.log.warn('Network interface does not exist', { name: id })
        return undefined
      }
      // A machine that has been given back does not know which of its interfaces is the first.
      if (found.isPrimary === undefined) return undefined
      if (!found.isPrimary) continue
      if (found.privateIp === '') throw new Error(`unable to find a private IP for VM ${name}`)
      if (found.publicIp !== '') labels['__meta_azure_machine_public_ip'] = found.publicIp
      labels['__meta_azure_machine_private_ip'] = found.privateIp
      labels['__address__'] = joinHostPort(found.privateIp, config.port)
      return labels
    }
    return undefined
  }

  async function refresh(signal: AbortSignal): Promise<readonly TargetGroup[]> {
    try {
      const machines = await listMachines(signal)
      const targets: Labels[] = []
      let next = 0
      const work = async (): Promise<void> => {
        while (next < machines.length) {
          const labels = await describeMachine(machines[next++]!, signal)
          if (labels !== undefined) targets.push(labels)
        }
      }
      await Promise.all(Array.from({ length: machinesAtOnce }, work))
      return [{ source: 'azure', targets, labels: {} }]
    } catch (error) {
      if (!signal.aborted) context.metrics.azureFailures.inc()
      throw error
    }
  }

  return new RefreshDiscoverer({ mechanism: 'azure', intervalMs: config.refreshIntervalMs, refresh, close: () => api.close() }, context)
}

function readMachine(fields: JsonRecord, scaleSet: string | undefined, config: AzureDiscovery): Machine {
  const network = recordField(recordField(fields, 'properties'), 'networkProfile')
  return {
    name: textField(fields, 'name'),
    labels: describeFields(fields, scaleSet, config),
    interfaceIds: listField(network, 'networkInterfaces')
      .filter(isRecord)
      .map((reference) => textField(reference, 'id')),
    isOfScaleSet: scaleSet !== undefined,
  }
}

function describeFields(machine: JsonRecord, scaleSet: string | undefined, config: AzureDiscovery): Labels {
  const properties = recordField(machine, 'properties')
  const id = textField(machine, 'id')
  const labels: Labels = {}
  function add(name: string, value: string): void {
    if (value !== '') labels[`__meta_azure_${name}`] = value
  }

  add('subscription_id', config.subscriptionId)
  add('tenant_id', config.tenantId ?? '')
  add('machine_id', id)
  add('machine_name', textField(machine, 'name'))
  add('machine_computer_name', textField(recordField(properties, 'osProfile'), 'computerName'))
  add('machine_os_type', textField(recordField(recordField(properties, 'storageProfile'), 'osDisk'), 'osType'))
  add('machine_location', textField(machine, 'location'))
  add('machine_resource_group', /\/resourceGroups\/([^/]+)/i.exec(id)?.[1] ?? '')
  add('machine_size', textField(recordField(properties, 'hardwareProfile'), 'vmSize'))
  add('machine_scale_set', scaleSet ?? '')
  for (const [key, value] of textPairs(recordField(machine, 'tags'))) add(`machine_tag_${sanitizeLabelName(key)}`, value)
  return labels
}
