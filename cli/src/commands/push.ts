import { STATUS_CODES } from 'node:http'
import { readFileSync } from 'node:fs'
import { ExpositionError } from '@narthex/exposition/exposition-error'
import { OpenMetricsParser } from '@narthex/exposition/openmetrics-parser'
import { SeriesTextError } from '@narthex/exposition/series-text'
import { TextParser } from '@narthex/exposition/text-parser'
import { createHttpClient, type HttpClient } from '@narthex/http/client'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { httpConfigFileFlag, readHttpConfigFile } from '../http-config-file.ts'
import { encodePushRequests } from '../push/push-requests.ts'
import { readPushedPage, type PushedPage } from '../push/pushed-series.ts'
import { promtoolFlags, runSubcommand, type CommandGroup } from '../subcommands.ts'
import { versionText } from '../version.ts'
import { endsWithEof } from './check-metrics.ts'
import { failureCode, processOutput, type CheckOutput } from './check-output.ts'
import { requireFiles } from './check-rules.ts'

// narthex push metrics URL [FILE ...]: sends pages of metrics by remote write, as `promtool push metrics` does.

const program = 'narthex push metrics'
const messages = { 'prometheus.WriteRequest': 1, 'io.prometheus.write.v2.Request': 2 } as const

const flags = {
  ...promtoolFlags,
  labels: flag.list('label', 'Label to attach to metrics, as NAME=VALUE. Can be specified multiple times.', { default: ['job=promtool'] }),
  timeoutMs: flag.durationMs('timeout', 'The time to wait for pushing metrics.', '30s'),
  headers: flag.list('header', 'Extra header of the requests, as NAME=VALUE. Can be specified multiple times.'),
  message: flag.choice(
    'protobuf_message',
    'Protobuf message to use when writing.',
    ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'],
    'prometheus.WriteRequest',
  ),
  path: flag.text('remote-write.path', 'Path of the remote write API, behind that of the URL.', '/api/v1/write'),
  httpConfigFile: httpConfigFileFlag,
}

/** Where and how requests are sent. */
interface Destination {
  readonly client: HttpClient
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly version: 1 | 2
  readonly timeoutMs: number
}

const help = 'Push metrics to a Prometheus remote write (for testing purpose only).'

const group: CommandGroup = {
  name: 'narthex push',
  help: 'Push to a Prometheus server.',
  flags: [httpConfigFileFlag],
  subcommands: { metrics: { help, run: runPushMetrics } },
}

export function runPush(argv: readonly string[]): Promise<void> {
  return runSubcommand(group, argv, undefined)
}

async function runPushMetrics(argv: readonly string[]): Promise<void> {
  const { values, arguments: positional } = parseFlags(
    {
      name: program,
      help,
      version: versionText(program),
      flags,
      arguments: [
        { name: 'remote-write-url', help: 'Address of the server.' },
        { name: 'metric-files', help: 'The metric files to push; standard input if there are none.', isRepeatable: true, isOptional: true },
      ],
    },
    argv,
  )
  const [server = '', ...files] = positional
  requireFiles(program, files)
  const labels = readPairs('label', values.labels)
  const destination: Destination = {
    client: createHttpClient(readHttpConfigFile(program, values.httpConfigFile), { userAgent: 'narthex-push' }),
    url: joinPath(server, values.path),
    headers: readPairs('header', values.headers),
    version: messages[values.message as keyof typeof messages],
    timeoutMs: values.timeoutMs,
  }
  try {
    const hasFailed = await pushAll(files, labels, destination, processOutput)
    throw new PrintAndExit('', hasFailed ? failureCode : 0)
  } finally {
    await destination.client.close()
  }
}

/** The address of the API; one that has the path already stays as it is. */
function joinPath(server: string, path: string): string {
  const text = /^[a-z]+:\/\//i.test(server) ? server : `http://${server}`
  if (!URL.canParse(text)) throw new UserError(`${program}: cannot parse URL ${JSON.stringify(server)}`)
  const url = new URL(text)
  const base = url.pathname.replace(/\/+$/, '')
  if (!base.endsWith(path)) url.pathname = `${base}/${path.replace(/^\/+/, '')}`
  return url.href
}

function readPairs(name: string, given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const [, key, value] = /^([^=:\s]+)[=:](.*)$/s.exec(text) ?? []
      if (key === undefined) throw new UserError(`${program}: cannot read --${name}=${text}: want NAME=VALUE`)
      return [key, value!]
    }),
  )
}

async function pushAll(
  files: readonly string[],
  labels: Readonly<Record<string, string>>,
  destination: Destination,
  output: CheckOutput,
): Promise<boolean> {
  let hasFailed = false
  for (const path of files.length === 0 ? [undefined] : files) {
    output.out(path === undefined ? 'Parsing standard input' : `Parsing metrics file ${path}`)
    try {
      await pushPage(readPage(readFileSync(path ?? 0), labels), destination)
      output.out(`  SUCCESS: metrics${path === undefined ? '' : ` file ${path}`} pushed to remote write.`)
    } catch (error) {
      output.err(`  FAILED: ${(error as Error).message}`)
      hasFailed = true
    }
  }
  return hasFailed
}

function readPage(body: Uint8Array, labels: Readonly<Record<string, string>>): PushedPage {
  const isOpenMetrics = endsWithEof(body)
  const format = isOpenMetrics ? 'openmetrics' : 'text'
  try {
    return readPushedPage(body, isOpenMetrics ? new OpenMetricsParser() : new TextParser(), labels, Date.now())
  } catch (cause) {
    if (cause instanceof SeriesTextError) throw new Error(`${format} format parsing error: ${cause.message}`, { cause })
    if (!(cause instanceof ExpositionError)) throw cause
    throw new Error(`${format} format parsing error in line ${cause.line}: ${cause.problem}`, { cause })
  }
}

const versionHeaders = {
  1: { 'content-type': 'application/x-protobuf', 'x-prometheus-remote-write-version': '0.1.0' },
  2: { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request', 'x-prometheus-remote-write-version': '2.0.0' },
} as const

async function pushPage(page: PushedPage, { client, url, headers, version, timeoutMs }: Destination): Promise<void> {
  for (const block of encodePushRequests(page, version)) {
    const answer = await client.request({
      url,
      method: 'POST',
      headers: { ...versionHeaders[version], 'content-encoding': 'snappy', ...headers },
      body: block,
      timeoutMs,
    })
    if (answer.status >= 200 && answer.status < 300) continue
    const text = Buffer.from(answer.body).toString('utf8')
    throw new Error(`server returned HTTP status ${answer.status} ${STATUS_CODES[answer.status] ?? ''}: ${text}`)
  }
}
