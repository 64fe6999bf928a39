import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { CustomMetric, CustomQuery } from './custom-query-file.ts'
import { readNumber, readText, type Cell, type QueryResult, type Row } from './query-result.ts'

/** What one metric made of an answer. */
export interface CustomSamples {
  readonly metric: CustomMetric
  readonly values: readonly number[]
  /** As many as `values`; flat, sorted lists. */
  readonly labels: readonly (readonly string[])[]
}

/** Longer texts of labels are cut off. */
export const labelLengthMax = 256

/** A label of a metric: where its value comes from. */
type LabelSource = { readonly name: string } & ({ readonly column: number } | { readonly text: string } | { readonly isValueColumn: true })

/** Reads the samples of all metrics of a query. Throws for an answer that lacks a column, has a text for a value, or labels twice. */
export function readCustomSamples(result: QueryResult, query: CustomQuery): CustomSamples[] {
  return query.metrics.map((metric) => readMetric(result, metric))
}

export function writeCustomSamples(writer: MetricWriter, { labels, metric, values }: CustomSamples): void {
  writer.family(metric.name, metric.help === '' ? 'Metric of a custom query.' : metric.help, metric.type)
  for (const [index, value] of values.entries()) writer.sample(value, labels[index])
}

function readMetric(result: QueryResult, metric: CustomMetric): CustomSamples {
  const sources = findSources(result, metric)
  const columns = metric.values.map((name) => ({ name, index: result.index(name) }))
  const values: number[] = []
  const labels: string[][] = []
  const seen = new Set<string>()
  const add = (row: Row, value: number, column: string): void => {
    const list = sources.flatMap((source) => [source.name, readLabel(source, row, column)])
    const key = list.join('\0')
    if (seen.has(key)) throw new Error(`metric ${metric.name}: want one row for each set of labels, got two with ${describeLabels(list)}`)
    seen.add(key)
    values.push(value)
    labels.push(list)
  }
  for (const row of result.rows) {
    if (metric.staticValue !== undefined) add(row, metric.staticValue, '')
    for (const { index, name } of columns) {
      const value = readValue(row[index], name)
      if (value !== undefined) add(row, value, name)
    }
  }
  return { metric, values, labels }
}

function findSources(result: QueryResult, { keyLabels, staticLabels, valueLabel }: CustomMetric): LabelSource[] {
  const sources: LabelSource[] = [
    ...keyLabels.map((name) => ({ name, column: result.index(name) })),
    ...Object.entries(staticLabels).map(([name, text]) => ({ name, text })),
    ...(valueLabel === undefined ? [] : [{ name: valueLabel, isValueColumn: true as const }]),
  ]
  return sources.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function readLabel(source: LabelSource, row: Row, column: string): string {
  if ('column' in source) return cutLabel(readText(row[source.column]))
  return 'text' in source ? source.text : column
}

/** NULL is no sample. */
function readValue(cell: Cell | undefined, column: string): number | undefined {
  if (cell === null || cell === undefined) return undefined
  const value = readNumber(cell)
  if (value === undefined) throw new Error(`want a number in column ${column}, got ${JSON.stringify(readText(cell).slice(0, 100))}`)
  return value
}

function cutLabel(text: string): string {
  // What is cut in the middle of a pair of surrogates is made whole again.
  return text.length <= labelLengthMax ? text : `${text.slice(0, labelLengthMax - 1).toWellFormed()}…`
}

function describeLabels(list: readonly string[]): string {
  const pairs: string[] = []
  for (let i = 0; i < list.length; i += 2) pairs.push(`${list[i]}=${JSON.stringify(list[i + 1])}`)
  return pairs.length === 0 ? 'no labels' : pairs.join(', ')
}
