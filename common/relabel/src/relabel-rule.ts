import { isValidLabelName, isValidLegacyLabelName } from '@narthex/model/name'
import { quoteText } from '@narthex/model/quote'
import { compileRegex } from '@narthex/model/regex'
import type { AnchoredRegex } from '@narthex/model/regex'

export const relabelActions = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const

export type RelabelAction = (typeof relabelActions)[number]

/** One entry of `relabel_configs`, `metric_relabel_configs`, … */
export interface RelabelRule {
  readonly sourceLabels: readonly string[]
  /** Put between the values of the source labels. */
  readonly separator: string
  readonly targetLabel: string
  readonly regex: AnchoredRegex
  readonly regexText: string
  /** Whole number; 0 if there is none. */
  readonly modulus: number
  readonly replacement: string
  readonly action: RelabelAction
}

/** What a field is that the configuration leaves out. */
export const relabelDefaults = { separator: ';', regexText: '(.*)', replacement: '$1', action: 'replace' } as const

export interface RelabelFields {
  readonly sourceLabels?: readonly string[]
  readonly separator?: string
  readonly targetLabel?: string
  /** Throws a `RegexSyntaxError` if it cannot be read. */
  readonly regexText?: string
  readonly modulus?: number
  readonly replacement?: string
  readonly action?: RelabelAction
}

/** Fills in the defaults and compiles the pattern; does not look whether the fields go together. */
export function createRelabelRule(fields: RelabelFields): RelabelRule {
  const regexText = fields.regexText ?? relabelDefaults.regexText
  return {
    sourceLabels: fields.sourceLabels ?? [],
    separator: fields.separator ?? relabelDefaults.separator,
    targetLabel: fields.targetLabel ?? '',
    regex: compileRegex(regexText),
    regexText,
    modulus: fields.modulus ?? 0,
    replacement: fields.replacement ?? relabelDefaults.replacement,
    action: fields.action ?? relabelDefaults.action,
  }
}

/** The action of a configured text, in whatever case; undefined if there is no such action. */
export function parseRelabelAction(text: string): RelabelAction | undefined {
  const lower = text.toLowerCase()
  return relabelActions.find((action) => action === lower)
}

const actionsWithTarget: readonly RelabelAction[] = ['replace', 'hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal']
const actionsWithPlainTarget: readonly RelabelAction[] = ['lowercase', 'uppercase', 'keepequal', 'dropequal']

/** Whether the fields go together: undefined, or the reason in Prometheus' words. `legacyNames` allows the names of Prometheus 2 only. */
export function checkRelabelRule(rule: RelabelRule, legacyNames = false): string | undefined {
  const { action, targetLabel, replacement } = rule
  const isValidName = legacyNames ? isValidLegacyLabelName : isValidLabelName
  const isValidTemplate = legacyNames ? isLegacyNameTemplate : isValidLabelName
  const badTarget = `${quoteText(targetLabel)} is invalid 'target_label' for ${action} action`

  if (action === 'hashmod' && rule.modulus === 0) return 'relabel configuration for hashmod requires non-zero modulus'
  if (actionsWithTarget.includes(action) && targetLabel === '') {
    return `relabel configuration for ${action} action requires 'target_label' value`
  }
  if (action === 'replace' && !(targetLabel.includes('$') ? isValidTemplate : isValidName)(targetLabel)) return badTarget
  if (actionsWithPlainTarget.includes(action)) {
    if (!isValidName(targetLabel)) return badTarget
    if (replacement !== relabelDefaults.replacement) return `'replacement' can not be set for ${action} action`
  }
  if (action === 'labelmap' && !isValidTemplate(replacement)) {
    return `${quoteText(replacement)} is invalid 'replacement' for labelmap action`
  }
  if (action === 'hashmod' && !isValidName(targetLabel)) return badTarget
  if (action === 'keepequal' || action === 'dropequal') {
    if (rule.regexText !== relabelDefaults.regexText || rule.modulus !== 0 || rule.separator !== relabelDefaults.separator) {
      return `${action} action requires only 'source_labels' and \`target_label\`, and no other fields`
    }
  }
  if (action === 'labeldrop' || action === 'labelkeep') {
    const hasOthers =
      rule.sourceLabels.length > 0 ||
      targetLabel !== '' ||
      rule.modulus !== 0 ||
      rule.separator !== relabelDefaults.separator ||
      replacement !== relabelDefaults.replacement
    if (hasOthers) return `${action} action requires only 'regex', and no other fields`
  }
  return undefined
}

const legacyTemplate = /^(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))(?:\w|\$(?:\{\w+\}|\w+))*$/

function isLegacyNameTemplate(template: string): boolean {
  return legacyTemplate.test(template)
}
