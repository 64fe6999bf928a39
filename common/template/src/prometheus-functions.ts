import { lowerCase, titleCase, upperCase } from '@narthex/model/case'
import { compareBytewise } from '@narthex/model/compare'
import { parseDuration } from '@narthex/model/duration'
import type { Labels } from '@narthex/model/labels'
import { escapeQuery } from './escape.ts'
import { GoDuration } from './go-duration.ts'
import { goType } from './go-type.ts'
import type { HistogramValue } from './histogram-value.ts'
import { stripDomain, stripPort } from './host-port.ts'
import { humanize, humanizeBinary, humanizeDuration, humanizePercentage, humanizeTimestamp, timeFromSeconds, toFloat } from './humanize.ts'
import { searchFunctions } from './search-text.ts'
import { PassedError } from './template-error.ts'
import { anyType, stringType } from './value.ts'
import type { FunctionMap, ParameterType } from './value.ts'

/** One element of a query's answer, as the caller gives it. */
export interface QueryElement {
  readonly labels: Labels
  readonly value: number | HistogramValue
}

/** What the functions of one run work with. */
export interface PrometheusFunctionContext {
  readonly nowMs: number
  /** With a scheme; without a slash at the end. */
  readonly externalUrl: string
  /**
   * Answers to `query` by its text. A query that is not in it throws `PendingQueryError`: the caller runs that query, adds its answer
   * (or the Error that it ended with) and runs the template again, until nothing is pending.
   */
  readonly queries: ReadonlyMap<string, readonly QueryElement[] | Error>
}

/** A template wants the answer to a query that the caller has not given yet. */
export class PendingQueryError extends PassedError {
  override name = 'PendingQueryError'
  readonly query: string

  constructor(query: string) {
    super(`query is pending: ${query}`)
    this.query = query
  }
}

class Sample {
  readonly [goType] = '*template.sample'
  readonly Labels: Labels
  readonly Value: number | HistogramValue

  constructor({ labels, value }: QueryElement) {
    this.Labels = labels
    this.Value = value
  }
}

class QueryResult extends Array<Sample> {
  readonly [goType] = 'template.queryResult'
}

const sampleType: ParameterType = { name: '*template.sample', accepts: (value) => value instanceof Sample }
const resultType: ParameterType = { name: 'template.queryResult', accepts: (value) => value instanceof QueryResult }

/** The functions of Prometheus' rule templates. */
export function createPrometheusFunctions(context: PrometheusFunctionContext): FunctionMap {
  const { externalUrl, nowMs, queries } = context
  return {
    ...fixedFunctions,
    query: { parameters: [stringType], call: (text: string) => answerQuery(queries, text) },
    now: { parameters: [], call: () => nowMs / 1000 },
    externalURL: { parameters: [], call: () => externalUrl },
    pathPrefix: { parameters: [], call: () => pathOf(externalUrl) },
  }
}

const fixedFunctions: FunctionMap = {
  ...searchFunctions,
  first: { parameters: [resultType], call: firstOf },
  label: { parameters: [stringType, sampleType], call: (name: string, sample: Sample) => sample.Labels.get(name) },
  value: { parameters: [sampleType], call: (sample: Sample) => sample.Value },
  strvalue: { parameters: [sampleType], call: (sample: Sample) => sample.Labels.get('__value__') },
  sortByLabel: { parameters: [stringType, resultType], call: sortByLabel },
  args: { parameters: [], variadic: anyType, call: (...values: unknown[]) => new Map(values.map((value, i) => [`arg${i}`, value])) },
  safeHtml: { parameters: [stringType], call: (text: string) => text },
  title: { parameters: [stringType], call: titleCase },
  toUpper: { parameters: [stringType], call: upperCase },
  toLower: { parameters: [stringType], call: lowerCase },
  urlQueryEscape: { parameters: [stringType], call: escapeQuery },
  graphLink: { parameters: [stringType], call: (expression: string) => linkTo(expression, 0) },
  tableLink: { parameters: [stringType], call: (expression: string) => linkTo(expression, 1) },
  stripPort: { parameters: [stringType], call: stripPort },
  stripDomain: { parameters: [stringType], call: stripDomain },
  humanize: { parameters: [anyType], call: humanize },
  humanize1024: { parameters: [anyType], call: humanizeBinary },
  humanizeDuration: { parameters: [anyType], call: humanizeDuration },
  humanizePercentage: { parameters: [anyType], call: humanizePercentage },
  humanizeTimestamp: { parameters: [anyType], call: humanizeTimestamp },
  toTime: { parameters: [anyType], call: (value: unknown) => timeFromSeconds(toFloat(value)) },
  toDuration: { parameters: [anyType], call: (value: unknown) => GoDuration.fromSeconds(toFloat(value)) },
  parseDuration: { parameters: [stringType], call: (text: string) => parseDuration(text) / 1000 },
}

export const prometheusFunctionNames: readonly string[] = [...Object.keys(fixedFunctions), 'query', 'now', 'externalURL', 'pathPrefix']

function answerQuery(queries: PrometheusFunctionContext['queries'], text: string): QueryResult {
  const answer = queries.get(text)
  if (answer === undefined) throw new PendingQueryError(text)
  if (answer instanceof Error) throw answer
  const result = new QueryResult()
  for (const element of answer) result.push(new Sample(element))
  return result
}

function firstOf(result: QueryResult): Sample {
  const [first] = result
  if (first === undefined) throw new Error('first() called on vector with no elements')
  return first
}

function sortByLabel(name: string, result: QueryResult): QueryResult {
  const sorted = new QueryResult()
  sorted.push(...result)
  return sorted.sort((a, b) => compareBytewise(a.Labels.get(name), b.Labels.get(name))) as QueryResult
}

function linkTo(expression: string, tab: 0 | 1): string {
  return `/graph?g0.expr=${escapeQuery(expression)}&g0.tab=${tab}`
}

function pathOf(url: string): string {
  const path = /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/?#]*([^?#]*)/.exec(url)
  return path?.[1] ?? ''
}
