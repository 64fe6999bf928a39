import { isRecord } from './json-fields.ts'
import type { TargetGroup } from './target-groups.ts'

/**
 * Groups as files, HTTP and etcd list them: `[{"targets": ["host:port"], "labels": {"name": "value"}}]`, in parsed form. The n-th has the
 * source `origin:n`; `labels` are added to each. Null stands for nothing wherever it may, as for Go. Throws with a one-line reason.
 */
export function readTargetGroups(content: unknown, origin: string, labels: Readonly<Record<string, string>>): TargetGroup[] {
  if (content === null || content === undefined) return []
  if (!Array.isArray(content)) throw new Error(`cannot read target groups: want a list, got ${typeof content}`)
  return content.map((group: unknown, index) => readGroup(group, origin, labels, index))
}

/** Sources `origin:n` that were there before and are not any more, as empty groups. */
export function endGroups(origin: string, countBefore: number, countNow: number): TargetGroup[] {
  return Array.from({ length: Math.max(0, countBefore - countNow) }, (_, i) => ({
    source: `${origin}:${countNow + i}`,
    targets: [],
    labels: {},
  }))
}

function readGroup(group: unknown, origin: string, added: Readonly<Record<string, string>>, index: number): TargetGroup {
  if (!isRecord(group)) throw new Error(`nil target group item found (index ${index})`)
  for (const key of Object.keys(group)) {
    if (key !== 'targets' && key !== 'labels') throw new Error(`cannot read target group ${index}: field ${key} not found`)
  }
  const addresses: unknown = group['targets'] ?? []
  if (!Array.isArray(addresses)) throw new Error(`cannot read target group ${index}: want a list of targets, got ${typeof addresses}`)
  const targets = addresses.map((address: unknown) => {
    if (address !== null && typeof address !== 'string')
      throw new Error(`cannot read target group ${index}: want a target as text, got ${typeof address}`)
    return { __address__: address ?? '' }
  })
  return { source: `${origin}:${index}`, targets, labels: { ...readLabels(group['labels'], index), ...added } }
}

function readLabels(labels: unknown, index: number): Record<string, string> {
  if (labels === undefined || labels === null || labels === '') return {}
  if (!isRecord(labels)) throw new Error(`cannot read target group ${index}: want labels as a map, got ${typeof labels}`)
  const pairs = Object.entries(labels).map(([name, value]): [string, string] => {
    if (name === '') throw new Error(`cannot read target group ${index}: "" is not a valid label name`)
    if (value !== null && typeof value !== 'string')
      throw new Error(`cannot read target group ${index}: want label ${name} as text, got ${typeof value}`)
    return [name, value ?? '']
  })
  // An assignment would lose a label that is named `__proto__`.
  return Object.fromEntries(pairs)
}
