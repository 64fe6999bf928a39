import type { TargetGroup } from '../target-groups.ts'
import { joinHostPort } from '../host-port.ts'
import { addObjectLabels, metaPrefix, type LabelRecord } from './meta-labels.ts'
import { sanitizeLabelName } from '../label-name.ts'
import type { Node } from './objects.ts'

/** The kinds of address in the order in which one is chosen. */
const addressOrder = ['InternalIP', 'InternalDNS', 'ExternalIP', 'ExternalDNS', 'LegacyHostIP', 'Hostname']

export function nodeSource(key: string): string {
  return `node/${key}`
}

/** One target: the kubelet. A node without a usable address has none. */
export function buildNodeGroup(node: Node): TargetGroup {
  const source = nodeSource(node.meta.name)
  const address = findAddress(node)
  if (address === undefined) return { source, targets: [], labels: {} }
  const target: LabelRecord = { __address__: joinHostPort(address, node.kubeletPort), instance: node.meta.name }
  // The first address of each type is the node's; the later ones are of other families.
  for (const { type, address: value } of node.addresses) target[`${metaPrefix}node_address_${sanitizeLabelName(type)}`] ??= value
  const labels: LabelRecord = { [`${metaPrefix}node_provider_id`]: node.providerId }
  addObjectLabels(labels, 'node', node.meta)
  for (const { type, status } of node.conditions) labels[`${metaPrefix}node_condition_${sanitizeLabelName(type)}`] = status.toLowerCase()
  return { source, targets: [target], labels }
}

function findAddress(node: Node): string | undefined {
  for (const wanted of addressOrder) {
    const found = node.addresses.find(({ type }) => type === wanted)
    if (found !== undefined) return found.address
  }
  return undefined
}
