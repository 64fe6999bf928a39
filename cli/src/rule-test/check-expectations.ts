import type { AlertTest, ExpectedSample, ExpressionTest } from '@narthex/config/rule-test-file'
import { formatDuration } from '@narthex/model/duration'
import { Labels } from '@narthex/model/labels'
import { formatFloatExponent } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import type { QueryResult } from '@narthex/promql/query-result'
import { formatHistogramNotation } from '@narthex/promql/testing/histogram-notation'
import { parseMetric, parseSequence } from '@narthex/promql/testing/series-notation'
import type { RuleGroup } from '@narthex/rules/rule-group'
import { describeDifference } from './describe-difference.ts'

export interface CheckOptions {
  /** Floats may differ in their last bit. */
  readonly isFuzzy: boolean
  /** Show the lines that differ instead of both sides whole. */
  readonly showsDifference: boolean
}

interface Alert {
  readonly labels: Labels
  readonly annotations: Labels
}

interface Sample {
  readonly labels: Labels
  readonly value: number
  /** In the notation of a series value; '' = a float. Histograms are equal if their notations are. */
  readonly histogram: string
}

/** Compares the firing alerts of a name, in all groups. Gives promtool's text if they differ. */
export function checkAlerts(test: AlertTest, groups: readonly RuleGroup[], testName: string, options: CheckOptions): string[] {
  const rules = groups.flatMap((group) => group.alertingRules()).filter(({ name }) => name === test.alertname)
  const firing = rules.flatMap((rule) => rule.activeAlerts()).filter(({ state }) => state === 'firing')
  const got = firing.map(({ labels, annotations }) => ({ labels, annotations: Labels.from(annotations) })).sort(compareAlerts)
  const wanted = test.alerts
    .map(({ labels, annotations }) => ({
      labels: Labels.from({ ...labels, alertname: test.alertname }),
      annotations: Labels.from(annotations),
    }))
    .sort(compareAlerts)
  const isSame = got.length === wanted.length && got.every((alert, i) => compareAlerts(alert, wanted[i]!) === 0)
  if (isSame) return []
  const indent = ' '.repeat(12)
  const name = testName === '' ? '' : `    name: ${testName},\n`
  const head = `${name}    alertname: ${test.alertname}, time: ${formatDuration(test.evalTimeMs)}, \n`
  if (options.showsDifference) {
    return [`${head}        diff: ${indentLines(describeDifference(describeAlerts(wanted), describeAlerts(got)), indent)}`]
  }
  const [expectedText, gotText] = [wanted, got].map((alerts) => indentLines(describeAlerts(alerts), indent))
  return [`${head}        exp:${expectedText}, \n        got:${gotText}`]
}

/** Compares what an expression gives. Gives promtool's text if it differs or fails. */
export function checkExpression(test: ExpressionTest, evaluate: () => QueryResult, options: CheckOptions): string[] {
  const head = `    expr: ${quoteText(test.expr)}, time: ${formatDuration(test.evalTimeMs)},`
  const wanted: Sample[] = []
  let got: Sample[]
  try {
    const { series } = evaluate()
    got = series.labels.map((labels, i) => {
      const histogram = series.histograms?.[i]
      return { labels, value: series.values[i]!, histogram: histogram === undefined ? '' : formatHistogramNotation(histogram) }
    })
    for (const expected of test.samples) wanted.push(readSample(expected))
  } catch (error) {
    return [`${head} err: ${error instanceof Error ? error.message : String(error)}`]
  }
  got.sort(compareSamples)
  wanted.sort(compareSamples)
  const isSame = got.length === wanted.length && got.every((sample, i) => areEqual(sample, wanted[i]!, options.isFuzzy))
  if (isSame) return []
  if (options.showsDifference) {
    const lines = (samples: readonly Sample[]) => samples.map(describeSample).join('\n')
    return [`${head}\n        diff: ${indentLines(describeDifference(lines(wanted), lines(got)), ' '.repeat(12))}`]
  }
  return [`${head}\n        exp: ${describeSamples(wanted)}\n        got: ${describeSamples(got)}`]
}

function readSample({ labels, value, histogram }: ExpectedSample): Sample {
  try {
    return { labels: parseMetric(labels), value, histogram: histogram === '' ? '' : readHistogram(histogram) }
  } catch (cause) {
    throw new Error(`labels ${quoteText(labels)}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

function readHistogram(text: string): string {
  const values = parseSequence(text)
  if (values.length !== 1) throw new Error(`expected 1 value, got ${values.length}`)
  const [value] = values
  if (typeof value !== 'object') throw new Error(`expected histogram, got ${value}`)
  return formatHistogramNotation(value)
}

function compareAlerts(a: Alert, b: Alert): number {
  return Labels.compare(a.labels, b.labels) || Labels.compare(a.annotations, b.annotations)
}

function compareSamples(a: Sample, b: Sample): number {
  return Labels.compare(a.labels, b.labels)
}

/** Exactly, so that NaN equals nothing, as in promtool; fuzzy: or one of the nearest floats. */
function areEqual(a: Sample, b: Sample, isFuzzy: boolean): boolean {
  if (!a.labels.equals(b.labels) || a.histogram !== b.histogram) return false
  return a.value === b.value || (isFuzzy && (nextFloat(a.value, 1n) === b.value || nextFloat(a.value, -1n) === b.value))
}

const float = new Float64Array(1)
const bits = new BigInt64Array(float.buffer)

function nextFloat(value: number, direction: 1n | -1n): number {
  if (!Number.isFinite(value)) return value
  if (value === 0) return direction === 1n ? Number.MIN_VALUE : -Number.MIN_VALUE
  float[0] = value
  bits[0]! += value > 0 ? direction : -direction
  return float[0]
}

function describeAlerts(alerts: readonly Alert[]): string {
  if (alerts.length === 0) return '[]'
  const described = alerts.map(({ labels, annotations }, i) => {
    return `${i}:${indentLines(`\nLabels:${labels.toString()}\nAnnotations:${annotations.toString()}`, '  ')}`
  })
  return `[\n${described.join(',\n')}\n]`
}

function describeSamples(samples: readonly Sample[]): string {
  return samples.length === 0 ? 'nil' : samples.map(describeSample).join(', ')
}

function describeSample({ labels, value, histogram }: Sample): string {
  if (histogram !== '') return `${labels.toString()} ${histogram}`
  return `${labels.toString()} ${Number.isFinite(value) ? formatFloatExponent(value).toUpperCase() : formatFloatExponent(value)}`
}

/** All lines but the first. */
function indentLines(text: string, indent: string): string {
  return text.split('\n').join(`\n${indent}`)
}
