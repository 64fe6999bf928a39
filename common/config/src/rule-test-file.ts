import { parseTimestampSeconds } from '@narthex/model/timestamp'
import { boolean, convert, durationMs, float, list, map, string } from './codec.ts'
import { field, object } from './object-codec.ts'
import { decodeYaml, type Codec } from './yaml-decode.ts'

/** Series of a test: labels and values in the notation of Prometheus' evaluation tests. */
export interface TestSeries {
  readonly series: string
  readonly values: string
}

export interface ExpectedAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export interface AlertTest {
  readonly evalTimeMs: number
  readonly alertname: string
  readonly alerts: readonly ExpectedAlert[]
}

export interface ExpectedSample {
  readonly labels: string
  readonly value: number
  /** In the notation of a series value; '' = a float. */
  readonly histogram: string
}

export interface ExpressionTest {
  readonly expr: string
  readonly evalTimeMs: number
  readonly samples: readonly ExpectedSample[]
}

export interface RuleTest {
  /** '' if it has none. */
  readonly name: string
  /** Between two values of a series; 0: the evaluation interval. */
  readonly intervalMs: number
  /** Time of the first value and evaluation, ms since 1970. */
  readonly startMs: number
  readonly series: readonly TestSeries[]
  readonly alertTests: readonly AlertTest[]
  readonly expressionTests: readonly ExpressionTest[]
  readonly externalLabels: Readonly<Record<string, string>>
  readonly externalUrl: string
}

/** A file of `test rules`, as promtool reads it. */
export interface RuleTestFile {
  /** Paths and patterns as written. */
  readonly ruleFiles: readonly string[]
  readonly evaluationIntervalMs: number
  /** Names of groups in the order in which they are evaluated. */
  readonly groupOrder: readonly string[]
  readonly tests: readonly RuleTest[]
  /** Floats may differ in their last bit. */
  readonly isFuzzy: boolean
}

/** A date or seconds since 1970. */
const timestampMs: Codec<number> = convert(
  string,
  (text, fail) => readTimestamp(text) ?? fail(`cannot parse ${JSON.stringify(text)} to a valid timestamp`),
  (ms) => new Date(ms).toISOString(),
)

const series = object<TestSeries>('main.series', { series: field('series', string, ''), values: field('values', string, '') })

const alert = object<ExpectedAlert>('main.alert', {
  labels: field('exp_labels', map(string), {}),
  annotations: field('exp_annotations', map(string), {}),
})

const alertTest = object<AlertTest>('main.alertTestCase', {
  evalTimeMs: field('eval_time', durationMs, 0),
  alertname: field('alertname', string, ''),
  alerts: field('exp_alerts', list(alert, { goType: '[]main.alert', nullValue: () => alert.defaults() }), []),
})

const sample = object<ExpectedSample>('main.sample', {
  labels: field('labels', string, ''),
  value: field('value', float, 0),
  histogram: field('histogram', string, ''),
})

const expressionTest = object<ExpressionTest>('main.promqlTestCase', {
  expr: field('expr', string, ''),
  evalTimeMs: field('eval_time', durationMs, 0),
  samples: field('exp_samples', list(sample, { goType: '[]main.sample', nullValue: () => sample.defaults() }), []),
})

const test = object<RuleTest>('main.testGroup', {
  name: field('name', string, ''),
  intervalMs: field('interval', durationMs, 0),
  startMs: field('start_timestamp', timestampMs, 0),
  series: field('input_series', list(series, { goType: '[]main.series', nullValue: () => series.defaults() }), []),
  alertTests: field('alert_rule_test', list(alertTest, { goType: '[]main.alertTestCase', nullValue: () => alertTest.defaults() }), []),
  expressionTests: field(
    'promql_expr_test',
    list(expressionTest, { goType: '[]main.promqlTestCase', nullValue: () => expressionTest.defaults() }),
    [],
  ),
  externalLabels: field('external_labels', map(string), {}),
  externalUrl: field('external_url', string, ''),
})

const file = object<RuleTestFile>('main.unitTestFile', {
  ruleFiles: field('rule_files', list(string), []),
  evaluationIntervalMs: field('evaluation_interval', durationMs, 0),
  groupOrder: field('group_eval_order', list(string), []),
  tests: field('tests', list(test, { goType: '[]main.testGroup', nullValue: () => test.defaults() }), []),
  isFuzzy: field('fuzzy_compare', boolean, false),
})

const defaultIntervalMs = 60_000

/** Reads a file of rule tests; unknown keys are errors. Throws ConfigError. */
export function parseRuleTestFile(text: string, path: string): RuleTestFile {
  const read = decodeYaml(text, file, () => file.defaults(), { path, dialect: 'v2' })
  return { ...read, evaluationIntervalMs: read.evaluationIntervalMs || defaultIntervalMs }
}

function readTimestamp(text: string): number | undefined {
  const seconds = parseTimestampSeconds(text)
  return seconds === undefined ? undefined : Math.round(seconds * 1000)
}
