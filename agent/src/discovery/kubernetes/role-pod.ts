import type { TargetGroup } from '../target-groups.ts'
import { addNamespaceLabels, addNodeLabels, addWorkloadLabels, type Surroundings } from './attach.ts'
import { joinHostPort } from '../host-port.ts'
import { addObjectLabels, metaPrefix, namespaceLabel, type LabelRecord } from './meta-labels.ts'
import { objectKey, type Container, type ContainerPort, type Pod } from './objects.ts'

/** Source of a pod's group. */
export function podSource(key: string): string {
  return `pod/${key}`
}

/** One target per container port; a container without ports gives one with the pod's address alone. A pod without an address has none. */
export function buildPodGroup(pod: Pod, surroundings: Surroundings): TargetGroup {
  const source = podSource(objectKey(pod.meta))
  if (pod.ip === '') return { source, targets: [], labels: {} }
  const labels = podLabels(pod, surroundings)
  labels[namespaceLabel] = pod.meta.namespace
  addNodeLabels(labels, pod.nodeName, surroundings)
  addNamespaceLabels(labels, pod.meta.namespace, surroundings)
  const targets = pod.containers.flatMap((container): LabelRecord[] => {
    if (container.ports.length === 0) return [withContainerId({ __address__: pod.ip, ...containerLabels(container) }, container)]
    return container.ports.map((port) => withContainerId(containerPortTarget(pod, container, port), container))
  })
  return { source, targets, labels }
}

/** The labels that a pod gives to every target behind it; its namespace is not among them. */
export function podLabels(pod: Pod, surroundings: Surroundings): LabelRecord {
  const { uid, controllerKind, controllerName } = pod.meta
  const labels: LabelRecord = {
    [`${metaPrefix}pod_ip`]: pod.ip,
    [`${metaPrefix}pod_ready`]: pod.ready,
    [`${metaPrefix}pod_phase`]: pod.phase,
    [`${metaPrefix}pod_node_name`]: pod.nodeName,
    [`${metaPrefix}pod_host_ip`]: pod.hostIp,
    [`${metaPrefix}pod_uid`]: uid,
  }
  addObjectLabels(labels, 'pod', pod.meta)
  if (controllerKind !== '') labels[`${metaPrefix}pod_controller_kind`] = controllerKind
  if (controllerName !== '') labels[`${metaPrefix}pod_controller_name`] = controllerName
  addWorkloadLabels(labels, pod, surroundings)
  return labels
}

function containerLabels(container: Container): LabelRecord {
  return {
    [`${metaPrefix}pod_container_name`]: container.name,
    [`${metaPrefix}pod_container_image`]: container.image,
    [`${metaPrefix}pod_container_init`]: String(container.isInit),
  }
}

function withContainerId(labels: LabelRecord, container: Container): LabelRecord {
  labels[`${metaPrefix}pod_container_id`] = container.id
  return labels
}

/** What one port of a container adds to a target; `protocol` is that of the port which the target is about. */
export function containerPortLabels(container: Container, port: ContainerPort, protocol: string): LabelRecord {
  return {
    ...containerLabels(container),
    [`${metaPrefix}pod_container_port_name`]: port.name,
    [`${metaPrefix}pod_container_port_number`]: String(port.port),
    [`${metaPrefix}pod_container_port_protocol`]: protocol,
  }
}

/** A target at the pod's own address. */
export function containerPortTarget(pod: Pod, container: Container, port: ContainerPort): LabelRecord {
  return { __address__: joinHostPort(pod.ip, port.port), ...containerPortLabels(container, port, port.protocol) }
}
