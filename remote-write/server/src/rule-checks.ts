import type { RuleFileChecks } from '@narthex/config/rule-file'
import { parseExpression } from '@narthex/promql/parse/parse'
import { checkRuleTemplate } from '@narthex/template/rule-template'
import { toParseOptions } from './feature-flags.ts'

/** What a rule file's expressions and templates are checked with; `features` are Prometheus' feature flags. */
export function createRuleChecks(features: readonly string[]): Required<Omit<RuleFileChecks, 'ignoresUnknownKeys'>> {
  const options = toParseOptions(features)
  return {
    parseExpression: (text) => void parseExpression(text, options),
    parseTemplate(name, text) {
      const problem = checkRuleTemplate(name, text)
      if (problem !== undefined) throw new Error(problem)
    },
  }
}
