import type { Labels } from '@narthex/model/labels'
import { goType } from './go-type.ts'
import { createPrometheusFunctions } from './prometheus-functions.ts'
import type { PrometheusFunctionContext } from './prometheus-functions.ts'
import { executeTemplate, parseTemplate } from './template.ts'
import type { Template } from './template.ts'
import { TemplateError } from './template-error.ts'

export { PendingQueryError } from './prometheus-functions.ts'
export type { PrometheusFunctionContext, QueryElement } from './prometheus-functions.ts'

/** What a label or annotation of an alerting rule is expanded with. */
export interface RuleTemplateData {
  readonly labels: Labels
  readonly externalLabels: Labels
  readonly externalUrl: string
  /** The value of the alert's expression. */
  readonly value: unknown
}

// Prometheus puts these before every text; that is why its columns count from there.
const prelude = '{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}'

const namesOnly = createPrometheusFunctions({ nowMs: 0, externalUrl: '', queries: new Map() })

/**
 * Reads the text of a label or annotation; `name` is `__alert_` and the alert's name. Throws `TemplateError`
 * (`error parsing template NAME: …`).
 */
export function parseRuleTemplate(name: string, text: string): Template {
  return describing(`error parsing template ${name}`, () => parseTemplate(name, prelude + text, namesOnly))
}

/**
 * Expands a label or annotation. Throws `TemplateError` (`error executing template NAME: …`), and `PendingQueryError` when the
 * template asks a query whose answer is not in `context.queries`. Evaluation is synchronous and queries are not, so the caller loops:
 *
 *     for (;;) {
 *       try {
 *         return expandRuleTemplate(template, data, { nowMs, externalUrl, queries })
 *       } catch (error) {
 *         if (!(error instanceof PendingQueryError) || queries.size >= queriesMax) throw error
 *         queries.set(error.query, await runQuery(error.query).catch((reason) => reason))
 *       }
 *     }
 */
export function expandRuleTemplate(template: Template, data: RuleTemplateData, context: PrometheusFunctionContext): string {
  const dot = {
    [goType]: 'struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }',
    Labels: data.labels,
    ExternalLabels: data.externalLabels,
    ExternalURL: data.externalUrl,
    Value: data.value,
  }
  return describing(`error executing template ${template.name}`, () => executeTemplate(template, dot, createPrometheusFunctions(context)))
}

/** Whether the text of a label or annotation can be read: undefined, or Go's words for what is wrong with it. */
export function checkRuleTemplate(name: string, text: string): string | undefined {
  try {
    parseTemplate(name, prelude + text, namesOnly)
  } catch (error) {
    if (error instanceof TemplateError) return error.message
    throw error
  }
  return undefined
}

function describing<T>(what: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof TemplateError) throw new TemplateError(`${what}: ${error.message}`, { cause: error })
    throw error
  }
}
