import type { KubernetesAttachments, KubernetesRole } from '@narthex/config/discovery-config'
import type { TargetGroup } from '../target-groups.ts'
import type { Surroundings } from './attach.ts'
import type { KindName, KindObjects } from './kinds.ts'
import { buildEndpointsGroup, endpointsSource } from './role-endpoints.ts'
import { buildEndpointSliceGroup, endpointSliceSource } from './role-endpointslice.ts'
import { buildIngressGroup, ingressSource } from './role-ingress.ts'
import { buildNodeGroup, nodeSource } from './role-node.ts'
import { buildPodGroup, podSource } from './role-pod.ts'
import { buildServiceGroup, serviceSource } from './role-service.ts'

/** How the objects of one kind become targets. */
export interface Role<Name extends KindName = KindName> {
  readonly kind: Name
  source(key: string): string
  build(object: KindObjects[Name], surroundings: Surroundings): TargetGroup
}

/** A role is named as the kind of its objects. */
export const roles: { readonly [Name in KubernetesRole]: Role<Name> } = {
  node: { kind: 'node', source: nodeSource, build: buildNodeGroup },
  pod: { kind: 'pod', source: podSource, build: buildPodGroup },
  service: { kind: 'service', source: serviceSource, build: buildServiceGroup },
  endpoints: { kind: 'endpoints', source: endpointsSource, build: buildEndpointsGroup },
  endpointslice: { kind: 'endpointslice', source: endpointSliceSource, build: buildEndpointSliceGroup },
  ingress: { kind: 'ingress', source: ingressSource, build: buildIngressGroup },
}

/** The kinds that a role looks at, its own first. */
export function listKinds(role: KubernetesRole, attach: KubernetesAttachments): KindName[] {
  const kinds: KindName[] = [role]
  if (role === 'endpoints' || role === 'endpointslice') kinds.push('service', 'pod')
  if (role !== 'node' && attach.namespace) kinds.push('namespace')
  if (role === 'pod' || role === 'endpoints' || role === 'endpointslice') {
    if (attach.node) kinds.push('node')
    if (attach.deployment) kinds.push('replicaset')
    if (attach.cronjob) kinds.push('job')
  }
  return kinds
}
