import type { TargetGroup } from '../target-groups.ts'
import { addNamespaceLabels, type Surroundings } from './attach.ts'
import { joinHostPort } from '../host-port.ts'
import { addObjectLabels, metaPrefix, namespaceLabel, type LabelRecord } from './meta-labels.ts'
import { objectKey, type Service } from './objects.ts'

export function serviceSource(key: string): string {
  return `svc/${key}`
}

/** One target per port, at the service's name in the cluster's DNS. */
export function buildServiceGroup(service: Service, surroundings: Surroundings): TargetGroup {
  const { name, namespace } = service.meta
  const labels: LabelRecord = {}
  addServiceLabels(labels, service)
  addNamespaceLabels(labels, namespace, surroundings)
  const targets = service.ports.map((port) => {
    const target: LabelRecord = {
      __address__: joinHostPort(`${name}.${namespace}.svc`, port.port),
      [`${metaPrefix}service_port_name`]: port.name,
      [`${metaPrefix}service_port_number`]: String(port.port),
      [`${metaPrefix}service_port_protocol`]: port.protocol,
      [`${metaPrefix}service_type`]: service.type,
    }
    if (service.type === 'ExternalName') target[`${metaPrefix}service_external_name`] = service.externalName
    else target[`${metaPrefix}service_cluster_ip`] = service.clusterIp
    if (service.type === 'LoadBalancer') target[`${metaPrefix}service_loadbalancer_ip`] = service.loadBalancerIp
    return target
  })
  return { source: serviceSource(objectKey(service.meta)), targets, labels }
}

/** What a service gives to the endpoints behind it. */
export function addServiceLabels(labels: LabelRecord, service: Service): void {
  labels[namespaceLabel] = service.meta.namespace
  addObjectLabels(labels, 'service', service.meta)
}
