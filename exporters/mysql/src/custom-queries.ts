import { ConfigError } from '@narthex/config/config-error'
import { globSync, readFileSync } from 'node:fs'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { labelNamesOf, parseCustomQueryFile, type CustomMetric, type CustomQuery } from './custom-query-file.ts'

export const customQueryFlags: readonly FlagSpec[] = [
  {
    name: 'config.custom-queries',
    type: 'string',
    repeatable: true,
    help: 'Files with queries of your own, in the form of sql_exporter collector files; globs may be used. Can be given several times.',
  },
]

/** Most queries of all files. */
export const customQueriesMax = 500

/**
 * Reads the files that the patterns name, in order of their names. Throws one line for the first problem: `file:line:column: what` for
 * what a file says. A pattern without a glob must name a file that is there.
 */
export function loadCustomQueries(patterns: readonly string[]): CustomQuery[] {
  const queries = findFiles(patterns).flatMap((path) => parseCustomQueryFile(readFile(path), path))
  if (queries.length > customQueriesMax) {
    throw new Error(`cannot read custom queries: want at most ${customQueriesMax} queries, got ${queries.length}`)
  }
  checkNames(queries)
  checkFamilies(queries)
  return queries
}

function findFiles(patterns: readonly string[]): string[] {
  const paths = patterns.flatMap((pattern) => (/[*?[{]/.test(pattern) ? globSync(pattern).sort() : [pattern]))
  return [...new Set(paths)]
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`cannot read custom queries: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

function checkNames(queries: readonly CustomQuery[]): void {
  const places = new Map<string, string>()
  for (const { name, place } of queries) {
    const known = places.get(name)
    if (known !== undefined) fail(place, `want a name that no other query has, got ${name}, which is at ${known} too`)
    places.set(name, place)
  }
}

/** One family may come from several queries (one for each version, say), but it is one family. */
function checkFamilies(queries: readonly CustomQuery[]): void {
  const known = new Map<string, { readonly metric: CustomMetric; readonly place: string }>()
  for (const { metrics, place } of queries) {
    for (const metric of metrics) {
      const first = known.get(metric.name)
      known.set(metric.name, first ?? { metric, place })
      if (first === undefined) continue
      if (first.metric.type !== metric.type) {
        fail(place, `metric ${metric.name}: want type ${first.metric.type} as at ${first.place}, got ${metric.type}`)
      }
      const [want, got] = [first.metric, metric].map((each) => labelNamesOf(each).sort().join(', '))
      if (want !== got) fail(place, `metric ${metric.name}: want the labels ${want || 'none'} as at ${first.place}, got ${got || 'none'}`)
    }
  }
}

function fail(place: string, text: string): never {
  const [, path = '', line, column] = /^(.*):(\d+):(\d+)$/s.exec(place) ?? []
  throw new ConfigError(path, [{ line: Number(line), column: Number(column), text }], 'check')
}
