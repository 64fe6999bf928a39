import type { KubernetesAttachments } from '@narthex/config/discovery-config'
import type { KindName, KindObjects } from './kinds.ts'
import { addLabelsAndAnnotations, addObjectLabels, metaPrefix, type LabelRecord } from './meta-labels.ts'
import { objectKey, type Pod } from './objects.ts'

/** What a role may look at while it makes the targets of one object. */
export interface Surroundings {
  readonly attach: KubernetesAttachments
  /** An object by kind and `namespace/name`; undefined when it is unknown or not watched. */
  find<Name extends KindName>(kind: Name, key: string): KindObjects[Name] | undefined
}

/** Name, labels and annotations of a node, if it is known and asked for. */
export function addNodeLabels(labels: LabelRecord, nodeName: string | undefined, { attach, find }: Surroundings): void {
  if (!attach.node || nodeName === undefined || nodeName === '') return
  const node = find('node', nodeName)
  if (node !== undefined) addObjectLabels(labels, 'node', node.meta)
}

/** Labels and annotations of a namespace, if it is known and asked for. */
export function addNamespaceLabels(labels: LabelRecord, name: string, { attach, find }: Surroundings): void {
  if (!attach.namespace) return
  const namespace = find('namespace', name)
  if (namespace !== undefined) addLabelsAndAnnotations(labels, 'namespace', namespace.meta)
}

/** Deployment, job and cron job above a pod, as far as asked for: a pod's own controller is their ReplicaSet or Job. */
export function addWorkloadLabels(labels: LabelRecord, pod: Pod, { attach, find }: Surroundings): void {
  const { namespace, controllerKind, controllerName } = pod.meta
  const controllerKey = objectKey({ namespace, name: controllerName })
  if (attach.deployment && controllerKind === 'ReplicaSet') {
    const owner = find('replicaset', controllerKey)?.meta
    if (owner?.controllerKind === 'Deployment') labels[`${metaPrefix}pod_deployment_name`] = owner.controllerName
  }
  if (controllerKind !== 'Job') return
  if (attach.job) labels[`${metaPrefix}pod_job_name`] = controllerName
  if (attach.cronjob) {
    const owner = find('job', controllerKey)?.meta
    if (owner?.controllerKind === 'CronJob') labels[`${metaPrefix}pod_cronjob_name`] = owner.controllerName
  }
}
