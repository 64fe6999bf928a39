import { createHttpClient } from '@narthex/http/client'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { UserError } from '@narthex/service/user-error'
import { versionText } from '../version.ts'

// narthex query instant|range|series|labels SERVER …: prints what the server answers, in promtool's form.

const answerBytesMax = 256 * 1024 * 1024

const common = {
  output: flag.choice('format', 'Output format of the query.', ['promql', 'json'], 'promql', { short: 'o' }),
}

const kinds = {
  instant: {
    arguments: ['server', 'expr'],
    flags: { ...common, time: flag.text('time', 'Query evaluation time (RFC3339 or Unix timestamp).', '') },
  },
  range: {
    arguments: ['server', 'expr'],
    flags: {
      ...common,
      start: flag.text('start', 'Query range start time (RFC3339 or Unix timestamp). Default: five minutes before the end.', ''),
      end: flag.text('end', 'Query range end time (RFC3339 or Unix timestamp). Default: now.', ''),
      step: flag.optionalDurationMs('step', 'Query step size (duration). Default: a 250th of the range.'),
    },
  },
  series: {
    arguments: ['server'],
    flags: {
      ...common,
      match: flag.list('match', 'Series selector. Can be specified multiple times.'),
      start: flag.text('start', 'Start time (RFC3339 or Unix timestamp).', ''),
      end: flag.text('end', 'End time (RFC3339 or Unix timestamp).', ''),
    },
  },
  labels: {
    arguments: ['server', 'name'],
    flags: {
      ...common,
      match: flag.list('match', 'Series selector. Can be specified multiple times.'),
      start: flag.text('start', 'Start time (RFC3339 or Unix timestamp).', ''),
      end: flag.text('end', 'End time (RFC3339 or Unix timestamp).', ''),
    },
  },
} as const

interface ApiAnswer {
  readonly status?: unknown
  readonly error?: unknown
  readonly errorType?: unknown
  readonly data?: unknown
}

export async function runQuery(argv: readonly string[]): Promise<void> {
  const [kind, ...rest] = argv
  if (kind === undefined || !Object.hasOwn(kinds, kind)) {
    throw new UserError(`narthex query: want one of ${Object.keys(kinds).join(', ')}, got ${kind ?? 'nothing'}`)
  }
  const described = kinds[kind as keyof typeof kinds]
  const { values, arguments: positional } = parseFlags(
    {
      name: `narthex query ${kind}`,
      help: 'Asks a Prometheus-compatible server.',
      version: versionText('narthex query'),
      flags: described.flags as Record<string, ReturnType<typeof flag.text>>,
      arguments: described.arguments.map((name) => ({ name, help: name })),
    },
    rest,
  )
  const options = values as unknown as Readonly<Record<string, string | number | readonly string[] | undefined>>
  const [server = '', second = ''] = positional
  const { path, parameters } = buildRequest(kind, second, options)
  const data = await ask(server, path, parameters)
  console.log(options['output'] === 'json' ? JSON.stringify(data) : formatData(data))
}

type Options = Readonly<Record<string, string | number | readonly string[] | undefined>>

function buildRequest(kind: string, second: string, options: Options): { path: string; parameters: URLSearchParams } {
  const parameters = new URLSearchParams()
  const add = (name: string, value: string | number | readonly string[] | undefined) => {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== '') parameters.append(name, String(one))
  }
  if (kind === 'instant') {
    add('query', second)
    add('time', options['time'])
    return { path: 'api/v1/query', parameters }
  }
  if (kind === 'range') {
    const end = toSeconds(options['end'], Date.now() / 1000)
    const start = toSeconds(options['start'], end - 300)
    if (end < start) throw new UserError(`narthex query: start time is after the end time`)
    const stepSeconds = typeof options['step'] === 'number' ? options['step'] / 1000 : Math.max(Math.floor((end - start) / 250), 1)
    add('query', second)
    add('start', start)
    add('end', end)
    add('step', stepSeconds)
    return { path: 'api/v1/query_range', parameters }
  }
  add('match[]', options['match'])
  add('start', options['start'])
  add('end', options['end'])
  return { path: kind === 'series' ? 'api/v1/series' : `api/v1/label/${encodeURIComponent(second)}/values`, parameters }
}

function toSeconds(text: Options[string], preset: number): number {
  if (typeof text !== 'string' || text === '') return preset
  const seconds = /^[\d.]+$/.test(text) ? Number(text) : Date.parse(text) / 1000
  if (Number.isNaN(seconds))
    throw new UserError(`narthex query: cannot parse time ${JSON.stringify(text)}: want RFC3339 or a Unix timestamp`)
  return seconds
}

async function ask(server: string, path: string, parameters: URLSearchParams): Promise<unknown> {
  let url: URL
  try {
    const base = /^https?:\/\//.test(server) ? server : `http://${server}`
    url = new URL(path, base.endsWith('/') ? base : `${base}/`)
  } catch (cause) {
    throw new UserError(`narthex query: cannot parse server address ${JSON.stringify(server)}`, 1, { cause })
  }
  const client = createHttpClient(undefined, { userAgent: 'narthex-query' })
  let text: string
  try {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const isPost = path.startsWith('api/v1/query')
    if (!isPost) url.search = parameters.toString()
    const answer = await client.request({
      url,
      method: isPost ? 'POST' : 'GET',
      ...(isPost ? { headers, body: parameters.toString() } : {}),
      timeoutMs: 130_000,
      bodyBytesMax: answerBytesMax,
    })
    text = Buffer.from(answer.body).toString('utf8')
  } catch (cause) {
    throw new UserError(`narthex query: cannot ask ${url.origin}: ${(cause as Error).message}`, 1, { cause })
  } finally {
    await client.close()
  }
  let answer: ApiAnswer
  try {
    answer = JSON.parse(text) as ApiAnswer
  } catch {
    throw new UserError(`narthex query: ${url.origin} answered no JSON: ${text.slice(0, 200)}`)
  }
  if (answer.status !== 'success') throw new UserError(`query error: ${String(answer.errorType)}: ${String(answer.error)}`)
  return answer.data
}

interface QueryData {
  readonly resultType: string
  readonly result: readonly unknown[]
}

/** As promtool prints a value: `name{…} => value @[time]`. */
function formatData(data: unknown): string {
  if (Array.isArray(data)) return data.map((entry: unknown) => (typeof entry === 'string' ? entry : formatLabels(entry))).join('\n')
  const { resultType, result } = data as QueryData
  if (resultType === 'scalar' || resultType === 'string') {
    const [time, value] = result as [number, string]
    return `${resultType}: ${value} @[${time}]`
  }
  return (result as SeriesData[])
    .map(({ metric, value, histogram, values = [], histograms = [] }) => {
      if (histogram) return `${formatLabels(metric)} => ${formatHistogram(histogram[1])} @[${histogram[0]}]`
      if (value) return `${formatLabels(metric)} => ${value[1]} @[${value[0]}]`
      const floats = values.map(([time, text]) => `${text} @[${time}]`)
      const others = histograms.map(([time, one]) => `${formatHistogram(one)} @[${time}]`)
      return `${formatLabels(metric)} =>\n${[...floats, ...others].join('\n')}`
    })
    .join('\n')
}

interface HistogramData {
  readonly count: string
  readonly sum: string
  readonly buckets?: readonly (readonly [ends: number, lower: string, upper: string, count: string])[]
}

interface SeriesData {
  readonly metric: unknown
  readonly value?: readonly [time: number, value: string]
  readonly histogram?: readonly [time: number, value: HistogramData]
  readonly values?: readonly (readonly [time: number, value: string])[]
  readonly histograms?: readonly (readonly [time: number, value: HistogramData])[]
}

/** As promtool prints it: `Count: 3.000000, Sum: 1.500000, Buckets: [(1,2]:3]`. */
export function formatHistogram({ count, sum, buckets = [] }: HistogramData): string {
  const texts = buckets.map(([ends, lower, upper, observations]) => {
    const opening = ends === 1 || ends === 3 ? '[' : '('
    return `${opening}${lower},${upper}${ends === 0 || ends === 3 ? ']' : ')'}:${observations}`
  })
  const fixed = (text: string) => (Number.isNaN(Number(text)) ? text : Number(text).toFixed(6))
  return `Count: ${fixed(count)}, Sum: ${fixed(sum)}, Buckets: [${texts.join(' ')}]`
}

function formatLabels(metric: unknown): string {
  const { __name__: name = '', ...labels } = metric as Record<string, string>
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
  return pairs.length === 0 && name !== '' ? name : `${name}{${pairs.join(', ')}}`
}
