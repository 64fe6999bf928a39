import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { createHttpClient, type HttpClient } from '@narthex/http/client'
import type { NodeEnvironment } from './environment.ts'
import { parseXmlRpcAnswer, type XmlRpcValue } from './xml-rpc-answer.ts'

export const supervisordFlags: readonly FlagSpec[] = [
  {
    name: 'collector.supervisord.url',
    type: 'string',
    default: 'http://localhost:9001/RPC2',
    help: 'XML RPC endpoint, or unix:///PATH (environment variable SUPERVISORD_URL).',
  },
]

const answerBytesMax = 16 * 1024 * 1024
const timeoutMs = 10_000
const call = '<?xml version="1.0"?><methodCall><methodName>supervisor.getAllProcessInfo</methodName><params></params></methodCall>'

/** Process states of http://supervisord.org/subprocess.html that count as up: starting, running, stopping. */
const upStates = new Set([10, 20, 40])

interface Process {
  readonly labels: readonly string[]
  readonly state: number
  readonly exitStatus: number
  readonly startSeconds: number
}

export function createSupervisordCollector(environment: NodeEnvironment): Collector {
  const target = parseTarget(readAddress(environment))
  let client: HttpClient | undefined
  environment.log.warn('collector supervisord is deprecated: the original will remove it in its next major version')

  async function collect({ writer, signal }: CollectContext): Promise<void> {
    client ??= createHttpClient(undefined, { connectionsMax: 2 })
    const headers = { 'content-type': 'text/xml', ...target.headers }
    const request = { url: target.url, method: 'POST', headers, body: call, timeoutMs, bodyBytesMax: answerBytesMax, signal }
    const { status, body } = await client.request(target.socketPath === undefined ? request : { ...request, socketPath: target.socketPath })
    if (status !== 200) throw new Error(`cannot ask supervisord at ${target.url}: want status 200, got ${status}`)
    writeProcesses(writer, readProcesses(parseXmlRpcAnswer(Buffer.from(body).toString('utf8'))))
  }

  return { name: 'supervisord', defaultOn: false, collect, close: () => client?.close() }
}

function readAddress({ flags }: NodeEnvironment): string {
  const name = 'collector.supervisord.url'
  return flags.isGiven(name) ? flags.string(name) : (process.env['SUPERVISORD_URL'] ?? flags.string(name))
}

interface Target {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly socketPath?: string
}

function parseTarget(address: string): Target {
  let url: URL
  try {
    url = new URL(address)
  } catch (error) {
    throw new Error(`cannot use collector.supervisord.url: want a URL, got ${JSON.stringify(address)}`, { cause: error })
  }
  if (url.protocol === 'unix:') return { url: 'http://unix/RPC2', headers: {}, socketPath: decodeURIComponent(url.pathname) }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`cannot use collector.supervisord.url: want http, https or unix, got ${url.protocol.slice(0, -1)}`)
  }
  const { password, username } = url
  url.username = url.password = ''
  if (username === '' && password === '') return { url: url.href, headers: {} }
  const pair = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  return { url: url.href, headers: { authorization: `Basic ${pair}` } }
}

function readProcesses(answer: XmlRpcValue): Process[] {
  if (!Array.isArray(answer)) throw new Error(`cannot read supervisord's processes: want an array, got ${typeof answer}`)
  return (answer as readonly XmlRpcValue[]).map((item) => {
    const fields = (typeof item === 'object' && item !== null && !Array.isArray(item) ? item : {}) as Readonly<Record<string, XmlRpcValue>>
    const { exitstatus, group, name, start, state } = fields
    if (typeof name !== 'string' || typeof group !== 'string' || typeof state !== 'number') {
      throw new Error(`cannot read supervisord's processes: want name, group and state, got ${JSON.stringify(item).slice(0, 200)}`)
    }
    const labels = ['group', group, 'name', name]
    return { labels, state, exitStatus: Number(exitstatus ?? 0), startSeconds: Number(start ?? 0) }
  })
}

function writeProcesses(writer: MetricWriter, processes: readonly Process[]): void {
  writer.family('node_supervisord_exit_status', 'Exit status of the process.', 'gauge')
  for (const { labels, exitStatus } of processes) writer.sample(exitStatus, labels)
  writer.family('node_supervisord_start_time_seconds', 'Unix time at which the process started.', 'counter')
  for (const { labels, startSeconds, state } of processes) if (upStates.has(state)) writer.sample(startSeconds, labels)
  writer.family('node_supervisord_state', 'State of the process as a number of supervisord.', 'gauge')
  for (const { labels, state } of processes) writer.sample(state, labels)
  writer.family('node_supervisord_up', 'Whether the process runs (1) or not (0).', 'gauge')
  for (const { labels, state } of processes) writer.sample(upStates.has(state) ? 1 : 0, labels)
}
