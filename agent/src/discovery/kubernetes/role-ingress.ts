import type { TargetGroup } from '../target-groups.ts'
import { addNamespaceLabels, type Surroundings } from './attach.ts'
import { addObjectLabels, metaPrefix, namespaceLabel, type LabelRecord } from './meta-labels.ts'
import { objectKey, type Ingress } from './objects.ts'

export function ingressSource(key: string): string {
  return `ingress/${key}`
}

/** One target per path of each rule; a rule without `http` has the path `/`. */
export function buildIngressGroup(ingress: Ingress, surroundings: Surroundings): TargetGroup {
  const { meta, className, rules, tlsHosts } = ingress
  const labels: LabelRecord = { [namespaceLabel]: meta.namespace }
  if (className !== undefined) labels[`${metaPrefix}ingress_class_name`] = className
  addObjectLabels(labels, 'ingress', meta)
  addNamespaceLabels(labels, meta.namespace, surroundings)
  const targets = rules.flatMap(({ host, paths }) => {
    const scheme = tlsHosts.some((pattern) => matchesHost(pattern, host)) ? 'https' : 'http'
    return (paths ?? ['/']).map((path) => ({
      __address__: host,
      [`${metaPrefix}ingress_scheme`]: scheme,
      [`${metaPrefix}ingress_host`]: host,
      [`${metaPrefix}ingress_path`]: path === '' ? '/' : path,
    }))
  })
  return { source: ingressSource(objectKey(meta)), targets, labels }
}

/** A first part `*` stands for one part of the host's name. */
export function matchesHost(pattern: string, host: string): boolean {
  if (pattern === host) return true
  const wanted = pattern.split('.')
  const given = host.split('.')
  return wanted[0] === '*' && wanted.length === given.length && wanted.slice(1).every((part, index) => part === given[index + 1])
}
