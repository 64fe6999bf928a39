import { choice, convert, durationMs, float, integer, list, map, string, boolean } from '@narthex/config/codec'
import { field, object, optional, type Checker } from '@narthex/config/object-codec'
import { decodeYaml, type Codec } from '@narthex/config/yaml-decode'
import { isValidLegacyLabelName, isValidLegacyMetricName } from '@narthex/model/name'
import { compileRegex, type AnchoredRegex } from '@narthex/model/regex'
import { findStatementProblem, stripSemicolon } from './custom-query-statement.ts'

// A file of queries in the words of sql_exporter's collector files, whose keys stand first in each table here; those behind them are ours.

export interface CustomMetric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'untyped'
  /** Columns whose values become labels of the same name. */
  readonly keyLabels: readonly string[]
  readonly staticLabels: Readonly<Record<string, string>>
  /** The label that tells the columns in `values` apart. */
  readonly valueLabel?: string
  /** Columns whose values become values, one sample for each row and column. */
  readonly values: readonly string[]
  /** The value of one sample for each row, instead of `values`. */
  readonly staticValue?: number
}

export interface CustomQuery {
  /** Unique over all files. */
  readonly name: string
  /** `file:line:column` of the statement, for messages. */
  readonly place: string
  readonly sql: string
  readonly timeoutMs: number
  /** While an answer is younger, the server is not asked again. */
  readonly minIntervalMs: number
  readonly rowsMax: number
  readonly product?: 'mysql' | 'mariadb'
  /** One to three numbers; a server of this version has the query. */
  readonly versionMin?: readonly number[]
  /** As `versionMin`; 8.4 is all of 8.4. */
  readonly versionMax?: readonly number[]
  /** Patterns of `host:port` and `unix://path`; empty for all servers. */
  readonly targets: readonly AnchoredRegex[]
  /** Sections of the option file; empty for all. */
  readonly authModules: readonly string[]
  readonly metrics: readonly CustomMetric[]
}

export const customRowsDefault = 1_000
export const customRowsMax = 100_000
export const customTimeoutDefaultMs = 5_000
const timeoutMaxMs = 3_600_000
const statementLengthMax = 64 * 1024

interface RawMetric extends CustomMetric {
  readonly query: string
  readonly queryRef: string
  readonly timestampValue: string
}

interface RawQuery {
  readonly queryName: string
  readonly query: string
  readonly noPreparedStatement: boolean
  readonly timeoutMs?: number
  readonly minIntervalMs?: number
  readonly rowsMax?: number
  readonly product?: 'mysql' | 'mariadb'
  readonly versionMin?: readonly number[]
  readonly versionMax?: readonly number[]
  readonly targets: readonly AnchoredRegex[]
  readonly authModules: readonly string[]
}

interface RawFile {
  readonly collectorName: string
  readonly minIntervalMs: number
  readonly metrics: readonly RawMetric[]
  readonly queries: readonly RawQuery[]
  readonly timeoutMs: number
  readonly rowsMax: number
}

const version: Codec<readonly number[]> = convert(
  string,
  (text, fail) =>
    /^\d{1,4}(\.\d{1,5}){0,2}$/.test(text) ? text.split('.').map(Number) : fail(`want a version as 8, 8.4 or 8.0.22, got ${quote(text)}`),
  (parts) => parts.join('.'),
)

const target: Codec<AnchoredRegex> = convert(
  string,
  (text, fail) => {
    try {
      return compileRegex(text)
    } catch (error) {
      return fail(`want a regular expression, got ${quote(text)}: ${(error as Error).message}`, error)
    }
  },
  (regex) => regex.pattern,
)

const rows: Codec<number> = convert(
  integer,
  (count, fail) => (count >= 1 && count <= customRowsMax ? count : fail(`want 1 to ${customRowsMax} rows, got ${count}`)),
  (count) => count,
)

const timeout: Codec<number> = convert(
  durationMs,
  (ms, fail) => (ms >= 1 && ms <= timeoutMaxMs ? ms : fail('want a timeout from 1ms to 1h')),
  (ms) => ms,
)

const labelName: Codec<string> = convert(
  string,
  (name, fail) => (isLabelName(name) ? name : fail(`want a label name, got ${quote(name)}`)),
  (name) => name,
)

const metric = object<RawMetric>(
  'metric',
  {
    name: field('metric_name', string, ''),
    type: field(
      'type',
      choice(['counter', 'gauge', 'untyped'], (given) => `want type counter, gauge or untyped, got ${quote(given)}`),
      'untyped',
    ),
    help: field('help', string, ''),
    keyLabels: field('key_labels', list(labelName), []),
    staticLabels: field(
      'static_labels',
      map(string, { checkKey: (name) => (isLabelName(name) ? undefined : `want a label name, got ${quote(name)}`) }),
      {},
    ),
    valueLabel: optional('value_label', labelName),
    values: field('values', list(string), []),
    staticValue: optional('static_value', float),
    timestampValue: field('timestamp_value', string, ''),
    query: field('query', string, ''),
    queryRef: field('query_ref', string, ''),
  },
  { check: checkMetric },
)

const query = object<RawQuery>(
  'query',
  {
    queryName: field('query_name', string, ''),
    query: field('query', string, ''),
    // Statements are never prepared here.
    noPreparedStatement: field('no_prepared_statement', boolean, false),
    timeoutMs: optional('timeout', timeout),
    minIntervalMs: optional('min_interval', durationMs),
    rowsMax: optional('max_rows', rows),
    product: optional(
      'product',
      choice(['mysql', 'mariadb'], (given) => `want product mysql or mariadb, got ${quote(given)}`),
    ),
    versionMin: optional('min_version', version),
    versionMax: optional('max_version', version),
    targets: field('targets', list(target), []),
    authModules: field('auth_modules', list(string), []),
  },
  { check: checkQuery },
)

const file = object<RawFile>(
  'collector file',
  {
    collectorName: field('collector_name', string, ''),
    minIntervalMs: field('min_interval', durationMs, 0),
    metrics: field('metrics', list(metric), []),
    queries: field('queries', list(query), []),
    timeoutMs: field('timeout', timeout, customTimeoutDefaultMs),
    rowsMax: field('max_rows', rows, customRowsDefault),
  },
  { check: checkFile },
)

/** Reads one file. Throws `ConfigError` (`file:line:column: what`) for everything that can be known to be wrong without a server. */
export function parseCustomQueryFile(text: string, path: string): CustomQuery[] {
  const placeOf = new Map<object, string>()
  const read: Codec<RawFile> = {
    ...file,
    decode(node, context) {
      const value = file.decode(node, context)
      for (const each of [...value.queries, ...value.metrics]) {
        const { column, line } = context.placeOf(each, 'query')
        placeOf.set(each, `${path}:${line}:${column}`)
      }
      return value
    },
  }
  const raw = decodeYaml(text, read, file.defaults, { path, dialect: 'v3' })
  const named = raw.queries.map((each) =>
    toQuery(
      each,
      raw,
      placeOf.get(each)!,
      each.queryName,
      raw.metrics.filter(({ queryRef }) => queryRef === each.queryName),
    ),
  )
  const inline = raw.metrics
    .filter((each) => each.query !== '')
    .map((each) => toQuery({ ...emptyQuery, query: each.query }, raw, placeOf.get(each)!, each.name, [each]))
  return [...named.filter(({ metrics }) => metrics.length > 0), ...inline]
}

const emptyQuery: RawQuery = { queryName: '', query: '', noPreparedStatement: false, targets: [], authModules: [] }

function toQuery(
  raw: RawQuery,
  { minIntervalMs, rowsMax, timeoutMs }: RawFile,
  place: string,
  name: string,
  metrics: readonly RawMetric[],
): CustomQuery {
  const { queryName: _name, query: sql, noPreparedStatement: _flag, ...rest } = raw
  return { minIntervalMs, rowsMax, timeoutMs, ...rest, name, place, sql: stripSemicolon(sql), metrics }
}

function checkMetric(metric: RawMetric, { fail, has }: Checker): void {
  const { name, query, queryRef, staticValue, timestampValue, valueLabel, values } = metric
  if (!isValidLegacyMetricName(name)) fail(`metric_name: want a metric name, got ${quote(name)}`, 'metric_name')
  if (ownNames.test(name)) fail(`metric_name: want a name that is not the exporter's own, got ${quote(name)}`, 'metric_name')
  if (!has('type')) fail(`metric ${name}: want a type, got none`)
  if ((query === '') === (queryRef === '')) fail(`metric ${name}: want one of query and query_ref, got ${query === '' ? 'none' : 'both'}`)
  if ((values.length === 0) === (staticValue === undefined)) {
    fail(`metric ${name}: want one of values and static_value, got ${staticValue === undefined ? 'none' : 'both'}`)
  }
  if (values.length > 1 && valueLabel === undefined)
    fail(`metric ${name}: want value_label, because there are ${values.length} values`, 'values')
  if (timestampValue !== '') fail(`metric ${name}: timestamp_value is not built: samples have the time of the scrape`, 'timestamp_value')
  const labels = labelNamesOf(metric)
  const twice = labels.find((label, index) => labels.indexOf(label) !== index)
  if (twice !== undefined) fail(`metric ${name}: want each label once, got ${twice} twice`)
  if (query !== '') checkStatement(query, `metric ${name}`, fail)
}

function checkQuery(raw: RawQuery, { fail }: Checker): void {
  const { product, query, queryName, versionMax, versionMin } = raw
  if (!/^[a-zA-Z_][a-zA-Z0-9_.-]{0,127}$/.test(queryName)) {
    fail(`query_name: want letters, digits, _, . and -, beginning with a letter, got ${quote(queryName)}`, 'query_name')
  }
  checkStatement(query, `query ${queryName}`, fail)
  if ((versionMin ?? versionMax) !== undefined && product === undefined) {
    fail(`query ${queryName}: want product with min_version and max_version, because MySQL and MariaDB count differently`)
  }
}

function checkFile({ metrics, queries }: RawFile, { context }: Checker): void {
  const names = new Set<string>()
  for (const each of queries) {
    if (names.has(each.queryName)) context.failAt(each, 'query_name', `query_name: want each name once, got ${each.queryName} twice`)
    names.add(each.queryName)
    if (!metrics.some(({ queryRef }) => queryRef === each.queryName)) {
      context.failAt(each, 'query_name', `query ${each.queryName}: want a metric with this query_ref, got none`)
    }
  }
  for (const each of metrics) {
    if (each.queryRef !== '' && !names.has(each.queryRef)) {
      context.failAt(each, 'query_ref', `metric ${each.name}: want a query_ref to one of the queries, got ${quote(each.queryRef)}`)
    }
  }
}

function checkStatement(sql: string, whose: string, fail: Checker['fail']): void {
  if (sql.length > statementLengthMax)
    fail(`${whose}: want a statement of at most ${statementLengthMax} characters, got ${sql.length}`, 'query')
  const problem = findStatementProblem(sql)
  if (problem === undefined) return
  const line = sql.slice(0, problem.offset).split('\n').length
  fail(`${whose}: line ${line} of the statement: ${problem.text}`, 'query')
}

/** All label names of a metric, in the order in which they are given. */
export function labelNamesOf({ keyLabels, staticLabels, valueLabel }: CustomMetric): string[] {
  return [...keyLabels, ...Object.keys(staticLabels), ...(valueLabel === undefined ? [] : [valueLabel])]
}

/** Families that the exporter writes itself, whatever is switched on. */
const ownNames =
  /^(mysqld_exporter_|process_|promhttp_|narthex_|mysql_(up$|version_info$|transaction_isolation$|(exporter|galera|global_status|global_variables|info_schema|perf_schema|slave_status|heartbeat|binlog|engine_innodb|engine_tokudb|sys|mysql)_))/

function isLabelName(name: string): boolean {
  return isValidLegacyLabelName(name) && !name.startsWith('__')
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}
