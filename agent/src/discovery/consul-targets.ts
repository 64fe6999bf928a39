import type { ConsulDiscovery } from '@narthex/config/consul-discovery'
import { joinHostPort } from './host-port.ts'
import { isRecord, listField, numberField, recordField, textField, textPairs, textsField, type JsonRecord } from './json-fields.ts'
import { sanitizeLabelName } from './label-name.ts'

/** One instance of a service on its node, with the checks of both. Fields are named as Consul names them. */
export interface ConsulInstance {
  readonly node: JsonRecord
  readonly service: JsonRecord
  readonly checks: readonly unknown[]
}

/** The instances in an answer of `health/service/NAME`; throws when it is no list. */
export function readHealthEntries(content: unknown): ConsulInstance[] {
  if (!Array.isArray(content)) throw new Error(`cannot read instances of a service: want a list, got ${typeof content}`)
  return content
    .filter(isRecord)
    .map((entry) => ({ node: recordField(entry, 'Node'), service: recordField(entry, 'Service'), checks: listField(entry, 'Checks') }))
}

/** Names with their tags in an answer of `catalog/services`. */
export function readServiceNames(content: unknown): Map<string, readonly string[]> {
  if (!isRecord(content)) throw new Error(`cannot read the list of services: want a map, got ${typeof content}`)
  return new Map(Object.keys(content).map((name) => [name, textsField(content, name)]))
}

/** True if this service is asked for, by its name and its tags. */
export function isWantedService(config: ConsulDiscovery, name: string, tags: readonly string[]): boolean {
  if (config.services.length > 0 && !config.services.includes(name)) return false
  return config.tags.every((tag) => tags.includes(tag))
}

/** The datacenter in an answer of `agent/self`. */
export function readDatacenter(self: unknown): string {
  const datacenter = isRecord(self) ? textField(recordField(self, 'Config'), 'Datacenter') : ''
  if (datacenter === '') throw new Error(`invalid value for Config.Datacenter: want text, got ${typeof datacenter}`)
  return datacenter
}

/** The target of one instance. Labels without a value are left out. */
export function toTarget({ node, service, checks }: ConsulInstance, tagSeparator: string): Record<string, string> {
  const serviceAddress = textField(service, 'Address')
  const nodeAddress = textField(node, 'Address')
  const port = numberField(service, 'Port')
  const labels: Record<string, string> = {
    __address__: joinHostPort(serviceAddress === '' ? nodeAddress : serviceAddress, port),
    // Separators all around: an expression need not care where in the list a tag stands.
    __meta_consul_tags: tagSeparator + textsField(service, 'Tags').join(tagSeparator) + tagSeparator,
    __meta_consul_service_port: String(port),
  }
  const texts: [string, string][] = [
    ['address', nodeAddress],
    ['node', textField(node, 'Node')],
    ['namespace', textField(service, 'Namespace')],
    ['partition', textField(service, 'Partition')],
    ['service_address', serviceAddress],
    ['service_id', textField(service, 'ID')],
    ['health', aggregateStatus(checks)],
    ...prefixed('metadata_', recordField(node, 'Meta')),
    ...prefixed('service_metadata_', recordField(service, 'Meta')),
    ...prefixed('tagged_address_', recordField(node, 'TaggedAddresses')),
  ]
  for (const [name, value] of texts) if (value !== '') labels[`__meta_consul_${name}`] = value
  return labels
}

function prefixed(prefix: string, record: JsonRecord): [string, string][] {
  return textPairs(record).map(([name, value]) => [prefix + sanitizeLabelName(name), value])
}

/** The worst of the checks: maintenance, critical, warning, passing; empty for a status that Consul does not have. */
function aggregateStatus(checks: readonly unknown[]): string {
  let worst = 'passing'
  let isMaintained = false
  for (const check of checks.filter(isRecord)) {
    const id = textField(check, 'CheckID')
    const status = textField(check, 'Status')
    if (id === '_node_maintenance' || id.startsWith('_service_maintenance:')) isMaintained = true
    else if (!severities.has(status)) return ''
    else if (severities.get(status)! > severities.get(worst)!) worst = status
  }
  return isMaintained ? 'maintenance' : worst
}

const severities: ReadonlyMap<string, number> = new Map([
  ['passing', 0],
  ['warning', 1],
  ['critical', 2],
])
