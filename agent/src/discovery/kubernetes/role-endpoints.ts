import type { TargetGroup } from '../target-groups.ts'
import { addNamespaceLabels, type Surroundings } from './attach.ts'
import { joinHostPort } from '../host-port.ts'
import { addObjectLabels, metaPrefix, namespaceLabel, type LabelRecord } from './meta-labels.ts'
import { objectKey, type ContainerPort, type EndpointAddress, type Endpoints } from './objects.ts'
import { addEndpointNodeLabels, PodBackedTargets } from './pod-backed.ts'
import { addServiceLabels } from './role-service.ts'

export function endpointsSource(key: string): string {
  return `endpoints/${key}`
}

/** One target per address and port, and one per further port of the pods behind them. */
export function buildEndpointsGroup(endpoints: Endpoints, surroundings: Surroundings): TargetGroup {
  const { meta, subsets } = endpoints
  const labels: LabelRecord = { [namespaceLabel]: meta.namespace }
  // A service and its endpoints have the same name.
  const service = surroundings.find('service', objectKey(meta))
  if (service !== undefined) addServiceLabels(labels, service)
  addObjectLabels(labels, 'endpoints', meta)
  addNamespaceLabels(labels, meta.namespace, surroundings)
  const targets = new PodBackedTargets(meta.namespace, surroundings)
  for (const { ports, ready, notReady } of subsets) {
    for (const port of ports) {
      for (const address of ready) add(address, port, 'true')
      for (const address of notReady) add(address, port, 'false')
    }
  }
  return { source: endpointsSource(objectKey(meta)), targets: targets.finish(), labels }

  function add(address: EndpointAddress, port: ContainerPort, ready: string): void {
    const target = addressTarget(address, port, ready)
    addEndpointNodeLabels(target, address.nodeName, address.target, surroundings)
    targets.add(target, address.target, port.port, port.protocol)
  }
}

function addressTarget({ ip, target: ref, nodeName, hostname }: EndpointAddress, port: ContainerPort, ready: string): LabelRecord {
  const target: LabelRecord = {
    __address__: joinHostPort(ip, port.port),
    [`${metaPrefix}endpoint_port_name`]: port.name,
    [`${metaPrefix}endpoint_port_protocol`]: port.protocol,
    [`${metaPrefix}endpoint_ready`]: ready,
  }
  if (ref !== undefined) {
    target[`${metaPrefix}endpoint_address_target_kind`] = ref.kind
    target[`${metaPrefix}endpoint_address_target_name`] = ref.name
  }
  if (nodeName !== undefined) target[`${metaPrefix}endpoint_node_name`] = nodeName
  if (hostname !== '') target[`${metaPrefix}endpoint_hostname`] = hostname
  return target
}
