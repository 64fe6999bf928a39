import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseRuleFile } from '@narthex/config/rule-file'
import type { QueryTimes } from './ask-query.ts'

/** A query to be asked of both servers. */
export interface ComparedQuery {
  readonly query: string
  /** Where it comes from, for people. */
  readonly source: string
  /** Its own times in seconds; undefined: those of the comparison. */
  readonly times?: QueryTimes
}

/** The queries of a log as Prometheus 2 and 3 write it (`query_log_file`); lines of anything else are passed over. */
export function readQueryLog(path: string): ComparedQuery[] {
  const queries: ComparedQuery[] = []
  for (const [i, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    const { query, start, end, step } = readParameters(line)
    if (typeof query !== 'string' || typeof start !== 'string' || typeof end !== 'string' || typeof step !== 'number') continue
    const times = { start: Date.parse(start) / 1000, end: Date.parse(end) / 1000, step }
    if (Number.isFinite(times.start) && Number.isFinite(times.end)) queries.push({ query, source: `${path}:${i + 1}`, times })
  }
  return queries
}

function readParameters(line: string): Readonly<Record<string, unknown>> {
  try {
    const { params } = JSON.parse(line) as { readonly params?: Readonly<Record<string, unknown>> }
    return params ?? {}
  } catch {
    return {}
  }
}

/** The expressions of a rule file. Throws ConfigError for one that cannot be read. */
export function readRules(path: string): ComparedQuery[] {
  return parseRuleFile(readFileSync(path, 'utf8'), path).flatMap(({ rules }) =>
    rules.map(({ expr, line }) => ({ query: expr, source: `${path}:${line}` })),
  )
}

/** The queries of Grafana's dashboards: of a file, or of all `.json` below a directory. */
export function readDashboards(path: string): ComparedQuery[] {
  if (!statSync(path).isDirectory()) return readDashboard(path)
  const files = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'))
  return files.sort().flatMap((name) => readDashboard(join(path, name)))
}

type Json = Readonly<Record<string, unknown>>

function readDashboard(path: string): ComparedQuery[] {
  const content: unknown = JSON.parse(readFileSync(path, 'utf8'))
  // As exported by the API, the dashboard is inside.
  const root = isObject(content) && isObject(content['dashboard']) ? content['dashboard'] : content
  const variables = readVariables(root)
  const queries: ComparedQuery[] = []
  const visit = (value: unknown, title: string): void => {
    if (Array.isArray(value)) for (const item of value) visit(item, title)
    if (!isObject(value)) return
    const inner = typeof value['title'] === 'string' ? value['title'] : title
    if (typeof value['expr'] === 'string' && value['expr'].trim() !== '') {
      queries.push({ query: fillVariables(value['expr'], variables), source: `${path}: ${inner}` })
    }
    for (const item of Object.values(value)) visit(item, inner)
  }
  visit(root, '')
  return queries
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What stands for the variables that Grafana itself sets. */
const builtinVariables: Readonly<Record<string, string>> = {
  ...{ __interval: '1m', __rate_interval: '5m', __range: '1h', __interval_ms: '60000', __range_s: '3600', __range_ms: '3600000' },
}

/** The value that each variable has; of one that stands for all values an expression that matches all. */
function readVariables(root: unknown): Map<string, string> {
  const variables = new Map(Object.entries(builtinVariables))
  const templating = isObject(root) && isObject(root['templating']) ? root['templating']['list'] : undefined
  for (const variable of Array.isArray(templating) ? (templating as unknown[]) : []) {
    if (!isObject(variable) || typeof variable['name'] !== 'string') continue
    const current = isObject(variable['current']) ? variable['current']['value'] : undefined
    const given = (Array.isArray(current) ? current : [current]).filter((value) => typeof value === 'string' && value !== '') as string[]
    const isAll = given.length === 0 || given.includes('$__all')
    const all = typeof variable['allValue'] === 'string' && variable['allValue'] !== '' ? variable['allValue'] : '.*'
    variables.set(variable['name'], isAll ? all : given.length === 1 ? given[0]! : `(${given.join('|')})`)
  }
  return variables
}

function fillVariables(query: string, variables: ReadonlyMap<string, string>): string {
  return query.replace(/\$\{(\w+)(?:[.:]\w+)*\}|\[\[(\w+)(?::\w+)?\]\]|\$(\w+)/g, (whole, braced, bracketed, plain) => {
    const name = [braced, bracketed, plain].find((candidate) => typeof candidate === 'string') as string
    return variables.get(name) ?? (/^\d/.test(name) ? whole : '.*')
  })
}
