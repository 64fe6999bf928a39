import {
  checkRelabelRule,
  createRelabelRule,
  parseRelabelAction,
  relabelDefaults,
  type RelabelAction,
  type RelabelRule,
} from '@narthex/relabel/relabel-rule'
import { list, string, text, unsigned } from './codec.ts'
import { convertObject, field, object, optional } from './object-codec.ts'
import type { Codec } from './yaml-decode.ts'

interface RawRule {
  readonly sourceLabels: readonly string[]
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

const rawRule = object<RawRule>('relabel.plain', {
  sourceLabels: field('source_labels', list(string, { goType: 'model.LabelNames' }), []),
  separator: field('separator', string, relabelDefaults.separator),
  regexText: optional('regex', text),
  modulus: field('modulus', unsigned, 0),
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
      return checker.fail(error instanceof Error ? error.message : String(error), 'regex')
    }
    const problem = checkRelabelRule(rule)
    return problem === undefined ? rule : checker.fail(problem)
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

/** A list of rules; `emptyText` is what an empty entry fails with. */
export function relabelRules(emptyText: string): Codec<readonly RelabelRule[]> {
  return list(relabelRule, { goType: '[]*relabel.Config', emptyText })
}
