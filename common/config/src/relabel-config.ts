import {
  checkRelabelRule,
  createRelabelRule,
  parseRelabelAction,
  relabelDefaults,
  type RelabelAction,
  type RelabelRule,
} from '@narthex/relabel/relabel-rule'
import { list, string, text, unsigned64 } from './codec.ts'
import { convertObject, field, object, optional } from './object-codec.ts'
import type { Codec, DecodeContext } from './yaml-decode.ts'

interface RawRule {
  readonly sourceLabels?: readonly string[]
  readonly separator: string
  readonly regexText?: string
  readonly modulus: number
  readonly targetLabel: string
  readonly replacement: string
  readonly action?: RelabelAction
}

const action: Codec<RelabelAction> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    return parseRelabelAction(given) ?? context.fail(node, `unknown relabel action ${JSON.stringify(given)}`)
  },
  encode: (value) => value,
}

const labelName: Codec<string> = {
  ...string,
  decode(node, context) {
    const given = string.decode(node, context)
    return given === '' ? context.fail(node, '"" is not a valid label name') : given
  },
}

const rawRule = object<RawRule>('relabel.plain', {
  sourceLabels: optional('source_labels', list(labelName, { goType: 'model.LabelNames' })),
  separator: field('separator', string, relabelDefaults.separator),
  regexText: optional('regex', text),
  modulus: field('modulus', unsigned64, 0),
  targetLabel: field('target_label', string, ''),
  replacement: field('replacement', string, relabelDefaults.replacement),
  action: optional('action', action),
})

/** One relabel rule, compiled and checked. */
export const relabelRule: Codec<RelabelRule> = convertObject<RawRule, RelabelRule>(
  rawRule,
  (raw, checker) => {
    let rule: RelabelRule
    try {
      rule = createRelabelRule(raw)
    } catch (error) {
      return checker.fail(wordRegexError(error, raw.regexText ?? ''), 'regex')
    }
    const problem = checkRelabelRule(rule)
    if (problem !== undefined) return checker.fail(problem)
    // An empty list is one, too.
    const takesRegexAlone = rule.action === 'labeldrop' || rule.action === 'labelkeep'
    if (takesRegexAlone && raw.sourceLabels !== undefined) checker.fail(`${rule.action} action requires only 'regex', and no other fields`)
    return rule
  },
  ({ sourceLabels, separator, regexText, modulus, targetLabel, replacement, action: given }) => ({
    sourceLabels,
    separator,
    // As Prometheus prints it, the one that matches everything is left out.
    ...(regexText === relabelDefaults.regexText ? {} : { regexText }),
    modulus,
    targetLabel,
    replacement,
    action: given,
  }),
  createRelabelRule({}),
)

/** Go reads the pattern with anchors around it, and shows them where it names the whole of it. */
function wordRegexError(error: unknown, pattern: string): string {
  const message = error instanceof Error ? error.message : String(error)
  const whole = `): \`${pattern}\``
  return message.endsWith(whole) ? `${message.slice(0, -whole.length)}): \`^(?s:${pattern})$\`` : message
}

/** For the name scheme of Prometheus 2: fails at the first rule that names something else. */
export function requireLegacyNames(rules: readonly RelabelRule[], context: DecodeContext): void {
  for (const rule of rules) {
    const problem = checkRelabelRule(rule, true)
    if (problem !== undefined) context.failAt(rule, undefined, problem)
  }
}

/** A list of rules; `emptyText` is what an empty entry fails with. */
export function relabelRules(emptyText: string): Codec<readonly RelabelRule[]> {
  return list(relabelRule, { goType: '[]*relabel.Config', emptyText })
}
