import type { TargetGroup } from '../target-groups.ts'
import { addNamespaceLabels, type Surroundings } from './attach.ts'
import { joinHostPort } from '../host-port.ts'
import { addObjectLabels, addPairs, metaPrefix, namespaceLabel, type LabelRecord } from './meta-labels.ts'
import { objectKey, type EndpointSlice, type ObjectMeta, type SliceEndpoint, type SlicePort } from './objects.ts'
import { addEndpointNodeLabels, PodBackedTargets } from './pod-backed.ts'
import { addServiceLabels } from './role-service.ts'

/** The label of a slice that names its service. */
const serviceNameKey = 'kubernetes.io/service-name'
const slicePrefix = `${metaPrefix}endpointslice_`

export function endpointSliceSource(key: string): string {
  return `endpointslice/${key}`
}

/** One target per endpoint, address and port, and one per further port of the pods behind them. */
export function buildEndpointSliceGroup(slice: EndpointSlice, surroundings: Surroundings): TargetGroup {
  const { meta, addressType, ports, endpoints } = slice
  const labels: LabelRecord = { [namespaceLabel]: meta.namespace, [`${slicePrefix}address_type`]: addressType }
  addObjectLabels(labels, 'endpointslice', meta)
  const serviceName = findServiceName(meta)
  const service =
    serviceName === undefined ? undefined : surroundings.find('service', objectKey({ namespace: meta.namespace, name: serviceName }))
  if (service !== undefined) addServiceLabels(labels, service)
  addNamespaceLabels(labels, meta.namespace, surroundings)
  const targets = new PodBackedTargets(meta.namespace, surroundings)
  for (const endpoint of endpoints) {
    for (const port of ports) {
      for (const address of endpoint.addresses) {
        const target = endpointTarget(address, endpoint, port)
        addEndpointNodeLabels(target, endpoint.nodeName, endpoint.target, surroundings)
        targets.add(target, endpoint.target, port.port, port.protocol ?? '')
      }
    }
  }
  return { source: endpointSliceSource(objectKey(meta)), targets: targets.finish(), labels }
}

function findServiceName({ labels }: ObjectMeta): string | undefined {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === serviceNameKey) return labels[i + 1]
  return undefined
}

function endpointTarget(address: string, endpoint: SliceEndpoint, port: SlicePort): LabelRecord {
  const target: LabelRecord = { __address__: port.port === undefined ? address : joinHostPort(address, port.port) }
  set('port_name', port.name)
  set('port_protocol', port.protocol)
  set('port', port.port)
  set('port_app_protocol', port.appProtocol)
  set('endpoint_conditions_ready', endpoint.ready)
  set('endpoint_conditions_serving', endpoint.serving)
  set('endpoint_conditions_terminating', endpoint.terminating)
  set('endpoint_hostname', endpoint.hostname)
  set('address_target_kind', endpoint.target?.kind)
  set('address_target_name', endpoint.target?.name)
  set('endpoint_node_name', endpoint.nodeName)
  set('endpoint_zone', endpoint.zone)
  addPairs(target, `${slicePrefix}endpoint_topology_`, `${slicePrefix}endpoint_topology_present_`, endpoint.topology)
  return target

  function set(name: string, value: string | number | boolean | undefined): void {
    if (value !== undefined) target[slicePrefix + name] = String(value)
  }
}
