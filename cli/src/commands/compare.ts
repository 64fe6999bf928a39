import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { ApiClient } from '../api-client.ts'
import type { Answer, Refusal } from '../compare/answer.ts'
import { askQuery, type QueryTimes } from '../compare/ask-query.ts'
import { compareAnswers } from '../compare/compare-answers.ts'
import { readDashboards, readQueryLog, readRules, type ComparedQuery } from '../compare/query-sources.ts'
import { versionText } from '../version.ts'
import { failureCode } from './check-output.ts'
import { runCompareExporter } from './compare-exporter.ts'

// narthex compare SERVER --with=URL …: asks two servers the same queries and says where their answers differ.
// narthex compare exporter FIRST SECOND: another file.

interface Counts {
  same: number
  empty: number
  refused: number
  different: number
}

export async function runCompare(argv: readonly string[]): Promise<void> {
  if (argv[0] === 'exporter') return runCompareExporter(argv.slice(1))
  const { values, arguments: positional } = parseFlags(
    {
      name: 'narthex compare',
      help: 'Asks two Prometheus-compatible servers the same queries and lists every value that differs. For two exporters: narthex compare exporter.',
      version: versionText('narthex compare'),
      flags: {
        with: flag.string('with', 'The server whose answers are wanted.', { required: true }),
        queries: flag.list('query', 'A query; can be repeated.'),
        queryLogs: flag.list('query-log', 'A query log of Prometheus (query_log_file), asked with the times in it; can be repeated.'),
        rules: flag.list('rules', 'A rule file, whose expressions are asked; can be repeated.'),
        dashboards: flag.list('dashboards', "A directory of Grafana's dashboards, or one of them; can be repeated."),
        end: flag.custom('end', 'End of the range, in seconds since 1970; default: a minute ago.', readSeconds),
        rangeMs: flag.durationMs('range', 'Length of the range.', '1h'),
        stepMs: flag.durationMs('step', 'Step of the range.', '1m'),
        tolerance: flag.custom('tolerance', 'Values may differ by this share.', readTolerance, { default: '1e-9' }),
        toldMax: flag.integer('differences-max', 'Differences that are told of one query.', 10),
      },
      arguments: [{ name: 'server', help: 'The server that is looked at.' }],
    },
    argv,
  )
  const queries = collectQueries(values)
  const end = values.end ?? Math.floor(Date.now() / 1000) - 60
  const times = { start: end - values.rangeMs / 1000, end, step: values.stepMs / 1000 }
  const options = { relativeTolerance: values.tolerance ?? 0, absoluteTolerance: 0, toldMax: values.toldMax }
  const [got, wanted] = [positional[0] ?? '', values.with ?? ''].map(openServer) as [ApiClient, ApiClient]
  const counts: Counts = { same: 0, empty: 0, refused: 0, different: 0 }
  try {
    for (const query of queries) {
      const [wantedAnswer, gotAnswer] = await Promise.all([askServer(wanted, query, times), askServer(got, query, times)])
      const differences = compareAnswers(wantedAnswer, gotAnswer, options)
      if (differences.length > 0) {
        counts.different++
        const lines = differences.map((line) => `  ${line}\n`)
        process.stdout.write(`${query.source}\n  ${query.query.replaceAll('\n', '\n  ')}\n${lines.join('')}\n`)
      } else if ('error' in wantedAnswer) counts.refused++
      else if (wantedAnswer.series.size === 0) counts.empty++
      else counts.same++
    }
  } finally {
    await Promise.all([got.close(), wanted.close()])
  }
  const summary = `${queries.length} queries: ${counts.same} same, ${counts.empty} empty on both, ${counts.refused} refused by both, ${counts.different} different\n`
  throw new PrintAndExit(summary, counts.different > 0 ? failureCode : 0)
}

/** Each query once, whatever it comes from. */
function collectQueries(values: {
  readonly queries: readonly string[]
  readonly queryLogs: readonly string[]
  readonly rules: readonly string[]
  readonly dashboards: readonly string[]
}): ComparedQuery[] {
  const read = (paths: readonly string[], reader: (path: string) => ComparedQuery[]) => paths.flatMap((path) => readSource(path, reader))
  const found: ComparedQuery[] = [
    ...values.queries.map((query) => ({ query, source: '--query' })),
    ...read(values.queryLogs, readQueryLog),
    ...read(values.rules, readRules),
    ...read(values.dashboards, readDashboards),
  ]
  const unique = new Map<string, ComparedQuery>()
  for (const query of found) {
    const key = JSON.stringify([query.query, query.times])
    if (!unique.has(key)) unique.set(key, query)
  }
  if (unique.size === 0) throw new UserError('narthex compare: no queries: want --query, --query-log, --rules or --dashboards')
  return [...unique.values()]
}

function readSource(path: string, reader: (path: string) => ComparedQuery[]): ComparedQuery[] {
  try {
    return reader(path)
  } catch (cause) {
    throw new UserError(`narthex compare: cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, 1, { cause })
  }
}

function openServer(server: string): ApiClient {
  try {
    return new ApiClient(server, 'narthex-compare')
  } catch (cause) {
    throw new UserError(`narthex compare: cannot parse server address ${JSON.stringify(server)}`, 1, { cause })
  }
}

/** A server that cannot be asked ends the comparison; one that refuses a query is compared. */
async function askServer(client: ApiClient, { query, times }: ComparedQuery, preset: QueryTimes): Promise<Answer | Refusal> {
  try {
    return await askQuery(client, query, times ?? preset)
  } catch (cause) {
    throw new UserError(`narthex compare: ${cause instanceof Error ? cause.message : String(cause)}`, 1, { cause })
  }
}

function readSeconds(text: string): number {
  const seconds = Number(text)
  if (text.trim() === '' || !Number.isFinite(seconds)) throw new Error(`want seconds since 1970, got ${JSON.stringify(text)}`)
  return seconds
}

function readTolerance(text: string): number {
  const share = Number(text)
  if (text.trim() === '' || !(share >= 0)) throw new Error(`want a number from 0 on, got ${JSON.stringify(text)}`)
  return share
}
