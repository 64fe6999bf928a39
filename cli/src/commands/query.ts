import { stringifyAsGo } from '@narthex/model/go-json'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import type { ExplainedPart } from '@narthex/promql/plan/explain-plan'
import { readAnswerData, readLabelSets, readTextList } from '../answer-shape.ts'
import { printExplanation } from '../explain-output.ts'
import { httpConfigFileFlag } from '../http-config-file.ts'
import { openClient, readTime } from '../query-client.ts'
import { describeLabelSet, describeResult, encodeResult } from '../query-output.ts'
import { promtoolFlags, runSubcommand, type CommandGroup } from '../subcommands.ts'
import { versionText } from '../version.ts'
import { runQueryAnalyze } from './query-analyze.ts'

// narthex query instant|range|series|labels SERVER …, analyze --server=SERVER: prints what the server answers, in promtool's form.

const common = {
  ...promtoolFlags,
  output: flag.choice('format', 'Output format of the query.', ['promql', 'json'], 'promql', { short: 'o' }),
  headers: flag.list('header', 'Extra header to send to the server, as NAME=VALUE; can be repeated.'),
  httpConfigFile: httpConfigFileFlag,
}

const explain = {
  explain: flag.optionalChoice('explain', 'Print how the server would evaluate the query, or evaluate it and print what each part took.', [
    'plan',
    'analyze',
  ]),
}

const window = {
  start: flag.text('start', 'Start time (RFC3339 or Unix timestamp).', ''),
  end: flag.text('end', 'End time (RFC3339 or Unix timestamp).', ''),
}

const kinds = {
  instant: {
    arguments: ['server', 'expr'],
    flags: { ...common, ...explain, time: flag.text('time', 'Query evaluation time (RFC3339 or Unix timestamp).', '') },
  },
  range: {
    arguments: ['server', 'expr'],
    flags: {
      ...common,
      ...explain,
      start: flag.text('start', 'Query range start time (RFC3339 or Unix timestamp). Default: five minutes before the end.', ''),
      end: flag.text('end', 'Query range end time (RFC3339 or Unix timestamp). Default: now.', ''),
      step: flag.optionalDurationMs('step', 'Query step size (duration). Default: a 250th of the range.'),
    },
  },
  series: {
    arguments: ['server'],
    flags: { ...common, match: flag.list('match', 'Series selector. Can be specified multiple times.', { required: true }), ...window },
  },
  labels: {
    arguments: ['server', 'name'],
    flags: { ...common, match: flag.list('match', 'Series selector. Can be specified multiple times.'), ...window },
  },
} as const

type Kind = keyof typeof kinds
type Options = Readonly<Record<string, string | number | readonly string[] | undefined>>

const group: CommandGroup = {
  name: 'narthex query',
  help: 'Run query against a Prometheus server.',
  flags: [common.output, common.httpConfigFile],
  subcommands: {
    instant: { help: 'Run instant query.', run: (argv) => runKind('instant', argv) },
    range: { help: 'Run range query.', run: (argv) => runKind('range', argv) },
    series: { help: 'Run series query.', run: (argv) => runKind('series', argv) },
    labels: { help: 'Run labels query.', run: (argv) => runKind('labels', argv) },
    analyze: { help: 'Analyze the usage pattern of certain metrics.', run: runQueryAnalyze },
  },
}

export function runQuery(argv: readonly string[]): Promise<void> {
  return runSubcommand(group, argv, undefined)
}

async function runKind(kind: Kind, argv: readonly string[]): Promise<void> {
  const described = kinds[kind]
  const { values, arguments: positional } = parseFlags(
    {
      name: `narthex query ${kind}`,
      help: 'Asks a Prometheus-compatible server.',
      version: versionText('narthex query'),
      flags: described.flags as unknown as Record<string, ReturnType<typeof flag.text>>,
      arguments: described.arguments.map((name) => ({ name, help: name })),
    },
    argv,
  )
  const options = values as unknown as Options
  const [server = '', second = ''] = positional
  const { path, parameters } = buildRequest(kind, second, options)
  const data = await ask(server, options, path, parameters)
  const isJson = options['output'] === 'json'
  throw new PrintAndExit(options['explain'] === undefined ? formatData(kind, data, isJson) : describeExplanation(data, isJson))
}

function buildRequest(kind: Kind, second: string, options: Options): { path: string; parameters: URLSearchParams } {
  const parameters = new URLSearchParams()
  const add = (name: string, value: Options[string]) => {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== '') parameters.append(name, String(one))
  }
  const time = (name: string, what: string, preset?: number) => readTime(options[name], what, preset)
  if (kind === 'instant') {
    add('query', second)
    add('explain', options['explain'])
    add('time', time('time', 'evaluation time', Date.now() / 1000))
    return { path: 'api/v1/query', parameters }
  }
  if (kind === 'range') {
    const end = time('end', 'end time', Date.now() / 1000)!
    const start = time('start', 'start time', end - 300)!
    if (start >= end) throw new UserError('start time is not before end time')
    const stepSeconds = typeof options['step'] === 'number' ? options['step'] / 1000 : Math.max(Math.floor((end - start) / 250), 1)
    add('query', second)
    add('explain', options['explain'])
    add('start', start)
    add('end', end)
    add('step', stepSeconds)
    return { path: 'api/v1/query_range', parameters }
  }
  add('match[]', options['match'])
  add('start', time('start', 'start time'))
  add('end', time('end', 'end time'))
  return { path: kind === 'series' ? 'api/v1/series' : `api/v1/label/${encodeURIComponent(second)}/values`, parameters }
}

async function ask(server: string, options: Options, path: string, parameters: URLSearchParams): Promise<unknown> {
  const client = openClient(server, readHeaders(options['headers']), String(options['httpConfigFile'] ?? ''))
  try {
    const answer = await client.ask(path, parameters, path.startsWith('api/v1/label/') ? 'GET' : 'POST')
    if (answer.status === 'error') throw new UserError(`query error: ${answer.errorType}: ${answer.error}`)
    if (path.startsWith('api/v1/label/')) for (const warning of answer.warnings) process.stderr.write(`query warning: ${warning}\n`)
    return answer.data
  } catch (cause) {
    if (cause instanceof UserError) throw cause
    throw new UserError(`query error: ${cause instanceof Error ? cause.message : String(cause)}`, 1, { cause })
  } finally {
    await client.close()
  }
}

function readHeaders(given: Options[string]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const text of Array.isArray(given) ? (given as readonly string[]) : []) {
    const [, name, value] = /^([^=:\s]+)[=:](.*)$/s.exec(text) ?? []
    if (name === undefined) throw new UserError(`narthex query: cannot read --header=${text}: want NAME=VALUE`)
    headers[name] = value!
  }
  return headers
}

/** Of a server that knows nothing of it: one line instead of its result. */
function describeExplanation(data: unknown, isJson: boolean): string {
  const { explain: tree } = (data ?? {}) as { readonly explain?: ExplainedPart }
  if (tree === undefined)
    throw new UserError('narthex query: the server answers --explain with the result alone: it cannot explain queries')
  return `${isJson ? JSON.stringify(tree) : printExplanation(tree)}\n`
}

/** As promtool, which prints an empty vector as an empty line and an empty list as none. */
function formatData(kind: Kind, data: unknown, isJson: boolean): string {
  try {
    if (kind === 'instant' || kind === 'range') {
      const answer = readAnswerData(data)
      return `${isJson ? encodeResult(answer) : describeResult(answer)}\n`
    }
    const lines = kind === 'labels' ? readTextList(data) : readLabelSets(data)
    if (isJson) return `${stringifyAsGo(lines)}\n`
    return lines.map((line) => `${typeof line === 'string' ? line : describeLabelSet(line)}\n`).join('')
  } catch (cause) {
    throw new UserError(`query error: ${(cause as Error).message}`, 1, { cause })
  }
}
