import { compareBytewise } from '@narthex/model/compare'
import type { MetricFamily } from './metric-families.ts'

/** A habit that Prometheus' guide to naming metrics advises against; the texts are promtool's. */
export interface LintProblem {
  readonly metric: string
  readonly text: string
}

/** What a unit's name should be replaced by; a base unit by itself. */
const baseUnits: ReadonlyMap<string, string> = new Map([
  ...['amperes', 'bytes', 'celsius', 'grams', 'joules', 'kelvin', 'meters', 'metres', 'seconds', 'volts'].map((unit): [string, string] => [
    unit,
    unit,
  ]),
  ...['minutes', 'hours', 'days', 'weeks'].map((unit): [string, string] => [unit, 'seconds']),
  ['kelvins', 'kelvin'],
  ['fahrenheit', 'celsius'],
  ['rankine', 'celsius'],
  ...['inches', 'yards', 'miles'].map((unit): [string, string] => [unit, 'meters']),
  ['bits', 'bytes'],
  ['calories', 'joules'],
  ['pounds', 'grams'],
  ['ounces', 'grams'],
])

const unitPrefix = /^(?:pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mibi|giga|gibi|tera|tebi|peta|pebi)/
const abbreviations = ['s', 'ms', 'us', 'ns', 'sec', 'b', 'kb', 'mb', 'gb', 'tb', 'pb', 'm', 'h', 'd']
const camelCase = /[a-z][A-Z]/

/** All problems of these families, sorted by metric and text. */
export function lintMetrics(families: readonly MetricFamily[]): LintProblem[] {
  const problems = families.flatMap((family) => [...lintFamily(family)].map((text) => ({ metric: family.name, text })))
  return problems.sort((a, b) => compareBytewise(a.metric, b.metric) || compareBytewise(a.text, b.text))
}

function* lintFamily(family: MetricFamily): Iterable<string> {
  const { name, type } = family
  if (family.help === undefined || family.help === '') yield 'no help text'
  yield* lintUnit(name)
  if (type === 'counter' && !name.endsWith('_total')) yield 'counter metrics should have "_total" suffix'
  if (type !== 'counter' && type !== 'unknown' && name.endsWith('_total')) yield 'non-counter metrics should not have "_total" suffix'
  const typeWord = type === 'gaugehistogram' ? 'gauge_histogram' : type
  if (type !== 'unknown') yield* lintReserved(family)
  if (type !== 'unknown' && hasWord(name.toLowerCase(), typeWord)) yield `metric name should not include type '${typeWord}'`
  if (name.includes(':')) yield "metric names should not contain ':'"
  if (camelCase.test(name)) yield "metric names should be written in 'snake_case' not 'camelCase'"
  for (const { labelNames } of family.metrics) {
    for (const label of labelNames) if (camelCase.test(label)) yield "label names should be written in 'snake_case' not 'camelCase'"
  }
  for (const abbreviation of abbreviations) {
    if (hasWord(name.toLowerCase(), abbreviation)) yield 'metric names should not contain abbreviated units'
  }
  for (let i = 0; i < family.duplicates; i++) yield 'metric not unique'
}

/** Suffixes and labels that belong to histograms and summaries. */
function* lintReserved({ name, type, metrics }: MetricFamily): Iterable<string> {
  const isHistogram = type === 'histogram'
  const isSummary = type === 'summary'
  if (!isHistogram && name.endsWith('_bucket')) yield 'non-histogram metrics should not have "_bucket" suffix'
  for (const suffix of ['_count', '_sum']) {
    if (!isHistogram && !isSummary && name.endsWith(suffix))
      yield `non-histogram and non-summary metrics should not have "${suffix}" suffix`
  }
  for (const { labelNames } of metrics) {
    if (!isHistogram && labelNames.includes('le')) yield 'non-histogram metrics should not have "le" label'
    if (!isSummary && labelNames.includes('quantile')) yield 'non-summary metrics should not have "quantile" label'
  }
}

function* lintUnit(name: string): Iterable<string> {
  for (const word of name.split('_')) {
    const base = baseUnits.get(word) ?? baseUnits.get(word.replace(unitPrefix, ''))
    if (base === undefined) continue
    if (base !== word) yield `use base unit "${base}" instead of "${word}"`
    return
  }
}

function hasWord(name: string, word: string): boolean {
  return name.includes(`_${word}_`) || name.endsWith(`_${word}`)
}
