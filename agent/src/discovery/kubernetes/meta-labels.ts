import { sanitizeLabelName } from '../label-name.ts'
import type { ObjectMeta } from './objects.ts'

/** Labels under construction. */
export type LabelRecord = Record<string, string>

export const metaPrefix = '__meta_kubernetes_'
export const namespaceLabel = `${metaPrefix}namespace`

/** Label names made of keys are remembered, up to this many; then all are forgotten. */
const namesMax = 50_000

interface PairNames {
  readonly value: string
  readonly present: string
}

const names = new Map<string, Map<string, PairNames>>()
let nameCount = 0

/** `<prefix>name`, and of each label and annotation its value and that it is there. */
export function addObjectLabels(labels: LabelRecord, role: string, meta: ObjectMeta): void {
  labels[`${metaPrefix}${role}_name`] = meta.name
  addLabelsAndAnnotations(labels, role, meta)
}

export function addLabelsAndAnnotations(labels: LabelRecord, role: string, meta: ObjectMeta): void {
  addPairs(labels, `${metaPrefix}${role}_label_`, `${metaPrefix}${role}_labelpresent_`, meta.labels)
  addPairs(labels, `${metaPrefix}${role}_annotation_`, `${metaPrefix}${role}_annotationpresent_`, meta.annotations)
}

/** `pairs` are keys and values in turn. */
export function addPairs(labels: LabelRecord, valuePrefix: string, presentPrefix: string, pairs: readonly string[]): void {
  for (let i = 0; i < pairs.length; i += 2) {
    const { value, present } = namesOf(valuePrefix, presentPrefix, pairs[i]!)
    labels[value] = pairs[i + 1]!
    labels[present] = 'true'
  }
}

// Thousands of objects have the same few keys: one string for each name instead of one per object.
function namesOf(valuePrefix: string, presentPrefix: string, key: string): PairNames {
  const known = names.get(valuePrefix)?.get(key)
  if (known !== undefined) return known
  if (++nameCount > namesMax) {
    names.clear()
    nameCount = 1
  }
  const sanitized = sanitizeLabelName(key)
  const made = { value: valuePrefix + sanitized, present: presentPrefix + sanitized }
  const ofPrefix = names.get(valuePrefix)
  if (ofPrefix === undefined) names.set(valuePrefix, new Map([[key, made]]))
  else ofPrefix.set(key, made)
  return made
}
