import { hash } from 'node:crypto'
import { lowerCase, upperCase } from '@narthex/model/case'
import { fillReplacement, parseReplacement } from '@narthex/model/go-expand'
import type { ReplacementTemplate } from '@narthex/model/go-expand'
import { Labels } from '@narthex/model/labels'
import { isValidLabelName } from '@narthex/model/name'
import type { RelabelRule } from './relabel-rule.ts'

export type { RelabelAction, RelabelRule } from './relabel-rule.ts'

/**
 * Applies the rules in order: the labels that come out, or undefined if a rule drops the target or series.
 * If no rule changes anything the very same object comes back.
 */
export function applyRelabel(rules: readonly RelabelRule[], labels: Labels): Labels | undefined {
  let current = labels
  for (const rule of rules) {
    const next = applyRule(rule, current)
    if (next === undefined) return undefined
    current = next
  }
  return current
}

function applyRule(rule: RelabelRule, labels: Labels): Labels | undefined {
  switch (rule.action) {
    case 'replace':
      return replace(rule, labels)
    case 'keep':
      return rule.regex.test(joinSources(rule, labels)) ? labels : undefined
    case 'drop':
      return rule.regex.test(joinSources(rule, labels)) ? undefined : labels
    case 'keepequal':
      return labels.get(rule.targetLabel) === joinSources(rule, labels) ? labels : undefined
    case 'dropequal':
      return labels.get(rule.targetLabel) === joinSources(rule, labels) ? undefined : labels
    case 'hashmod':
      return labels.with(rule.targetLabel, hashModulo(joinSources(rule, labels), rule.modulus))
    case 'lowercase':
      return labels.with(rule.targetLabel, lowerCase(joinSources(rule, labels)))
    case 'uppercase':
      return labels.with(rule.targetLabel, upperCase(joinSources(rule, labels)))
    case 'labelmap':
      return mapNames(rule, labels)
    case 'labeldrop':
      return filterNames(labels, (name) => !rule.regex.test(name))
    case 'labelkeep':
      return filterNames(labels, (name) => rule.regex.test(name))
  }
}

/** The values of the source labels, an absent one being empty, with the separator between. */
function joinSources({ sourceLabels, separator }: RelabelRule, labels: Labels): string {
  if (sourceLabels.length === 0) return ''
  let joined = labels.get(sourceLabels[0]!)
  for (let i = 1; i < sourceLabels.length; i++) joined += separator + labels.get(sourceLabels[i]!)
  return joined
}

/** No match changes nothing; an empty result removes the target; a target that is no name is passed over in silence. */
function replace(rule: RelabelRule, labels: Labels): Labels {
  const source = joinSources(rule, labels)
  if (!rule.regex.test(source)) return labels
  const { target, replacement } = templatesOf(rule)
  if (target.isConstant && replacement.isConstant) return setLabel(labels, textOf(target), textOf(replacement))
  const match = rule.regex.match(source)
  if (match === undefined) return labels
  const { groupNames } = rule.regex
  return setLabel(labels, fillReplacement(target, match, groupNames), fillReplacement(replacement, match, groupNames))
}

function setLabel(labels: Labels, name: string, value: string): Labels {
  return isValidLabelName(name) ? labels.with(name, value) : labels
}

/** Each label whose name matches is copied to a new name; later ones win, and what is copied is not looked at again. */
function mapNames(rule: RelabelRule, labels: Labels): Labels {
  const { pairs } = labels
  const { replacement } = templatesOf(rule)
  let changed: string[] | undefined
  for (let i = 0; i < pairs.length; i += 2) {
    const match = rule.regex.match(pairs[i]!)
    if (match === undefined) continue
    changed ??= pairs.slice()
    changed.push(fillReplacement(replacement, match, rule.regex.groupNames), pairs[i + 1]!)
  }
  if (changed === undefined) return labels
  const mapped = Labels.fromPairs(changed)
  return mapped.equals(labels) ? labels : mapped
}

function filterNames(labels: Labels, isKept: (name: string) => boolean): Labels {
  const { pairs } = labels
  let kept: string[] | undefined
  for (let i = 0; i < pairs.length; i += 2) {
    const keep = isKept(pairs[i]!)
    if (!keep) kept ??= pairs.slice(0, i)
    else kept?.push(pairs[i]!, pairs[i + 1]!)
  }
  return kept === undefined ? labels : Labels.fromPairs(kept)
}

/** The last eight bytes of the MD5 sum, big endian, modulo `modulus`: what Prometheus has always sharded by. */
export function hashModulo(source: string, modulus: number): string {
  const digest = hash('md5', source, 'hex')
  return String(BigInt('0x' + digest.slice(16)) % BigInt(modulus))
}

interface Templates {
  readonly target: ReplacementTemplate
  readonly replacement: ReplacementTemplate
}

const templates = new WeakMap<RelabelRule, Templates>()

/** A rule's templates are read once and live as long as the rule. */
function templatesOf(rule: RelabelRule): Templates {
  let known = templates.get(rule)
  if (known === undefined) {
    known = { target: parseReplacement(rule.targetLabel), replacement: parseReplacement(rule.replacement) }
    templates.set(rule, known)
  }
  return known
}

function textOf(template: ReplacementTemplate): string {
  const [piece] = template.pieces
  return piece !== undefined && 'text' in piece ? piece.text : ''
}
