import type { ExpandTemplate, QueryFunction, VectorResult } from './interfaces.ts'
import type { QueryElement } from '@narthex/template/rule-template'
import { HistogramValue } from '@narthex/template/histogram-value'
import { expandRuleTemplate, parseRuleTemplate, PendingQueryError } from '@narthex/template/rule-template'
import { Labels } from '@narthex/model/labels'

/** Different queries that one label or annotation may ask. */
export const templateQueriesMax = 100
/** Parsed templates kept. */
const templatesMax = 10_000

type Template = ReturnType<typeof parseRuleTemplate>

/** Expands labels and annotations; queries in them run at the evaluation's time through the same engine as the rules. */
export function createTemplateExpander(query: QueryFunction): ExpandTemplate {
  const templates = new Map<string, Template>()

  function findTemplate(name: string, text: string): Template {
    const key = `${name}\n${text}`
    let template = templates.get(key)
    if (template !== undefined) return template
    // Rules change seldom: starting over is as good as forgetting the oldest.
    if (templates.size >= templatesMax) templates.clear()
    template = parseRuleTemplate(name, text)
    templates.set(key, template)
    return template
  }

  return async (name, text, data, signal) => {
    const template = findTemplate(name, text)
    const queries = new Map<string, readonly QueryElement[] | Error>()
    const context = { nowMs: data.timeMs, externalUrl: data.externalUrl, queries }
    // Templates run without waiting. One that asks a query is run again from the start once the answer is there.
    for (;;) {
      try {
        return expandRuleTemplate(template, data, context)
      } catch (error) {
        if (!(error instanceof PendingQueryError)) throw error
        if (queries.size >= templateQueriesMax) {
          throw new Error(`cannot expand template ${name}: want at most ${templateQueriesMax} queries, got more`, { cause: error })
        }
        queries.set(error.query, await runQuery(query, error.query, data.timeMs, signal))
      }
    }
  }
}

async function runQuery(query: QueryFunction, text: string, timeMs: number, signal: AbortSignal | undefined) {
  try {
    return listElements(await query(text, timeMs, signal))
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** What a template has as the value of result `i`. */
export function valueOf({ values, histograms }: VectorResult, i: number): number | HistogramValue {
  const histogram = histograms?.[i]
  return histogram === undefined ? values[i]! : new HistogramValue(histogram)
}

function listElements(result: VectorResult): QueryElement[] {
  if (result.scalar !== undefined) return [{ labels: Labels.empty, value: result.scalar }]
  return result.labels.map((labels, i) => ({ labels, value: valueOf(result, i) }))
}
