import type { ConsulDiscovery } from '@narthex/config/consul-discovery'
import { createHttpClient } from '@narthex/http/client'
import { errorText } from './error-text.ts'
import { parseJson } from './json-fields.ts'
import type { DiscoveryContext } from './mechanisms.ts'

/** A longer answer is refused. */
export const consulAnswerBytesMax = 64 * 2 ** 20

/** How long a blocking query may wait for news. */
export const watchTimeoutMs = 120_000

/** What the server adds to the wait (a sixteenth) and the way there and back. */
const answerGraceMs = 15_000

export interface ConsulQuery {
  /** Behind `/v1/`, such as `catalog/services`. */
  readonly path: string
  /** Labels of the duration: `catalog` and `services`. */
  readonly endpoint: string
  readonly call: string
  readonly parameters: readonly (readonly [string, string])[]
  /** Of the last answer: waits until it is no longer the newest. 0 answers at once. */
  readonly index?: number
  readonly signal: AbortSignal
}

export interface ConsulAnswer {
  readonly content: unknown
  /** X-Consul-Index; 0 if the server does not tell. */
  readonly index: number
  /** Length of the answer. */
  readonly bytes: number
}

export interface ConsulClient {
  /** Throws on every status but 200. */
  ask(query: ConsulQuery): Promise<ConsulAnswer>
  close(): Promise<void>
}

/** Speaks Consul's HTTP API as one configuration entry says; throws when its server cannot be one. */
export function createConsulClient(config: ConsulDiscovery, context: DiscoveryContext): ConsulClient {
  const { clock, metrics } = context
  const { base, socketPath } = findServer(config)
  const token = config.token?.reveal() ?? context.env['CONSUL_HTTP_TOKEN'] ?? ''
  const { username, password } = config
  const ownUser =
    username === '' && password === undefined ? {} : { basicAuth: { username, ...(password === undefined ? {} : { password }) } }
  const client = createHttpClient(
    { ...config.http, ...ownUser },
    { userAgent: context.userAgent, timeoutMs: watchTimeoutMs + answerGraceMs, bodyBytesMax: consulAnswerBytesMax },
  )
  const common: [string, string][] = [
    ['dc', config.datacenter],
    ['ns', config.namespace],
    ['partition', config.partition],
  ]

  async function ask({ path, endpoint, call, parameters, index = 0, signal }: ConsulQuery): Promise<ConsulAnswer> {
    const url = new URL(`${base}/v1/${path}`)
    for (const [name, value] of [...common, ...parameters]) if (value !== '') url.searchParams.append(name, value)
    if (index > 0) {
      url.searchParams.set('index', String(index))
      url.searchParams.set('wait', `${watchTimeoutMs}ms`)
    }
    const started = clock.elapsed()
    const { status, headers, body } = await client.request({
      url,
      headers: token === '' ? {} : { 'x-consul-token': token },
      signal,
      ...(socketPath === undefined ? {} : { socketPath }),
    })
    metrics.consulDuration.observe((clock.elapsed() - started) / 1000, endpoint, call)
    if (status !== 200) throw new Error(`Unexpected response code: ${status} (${errorText(body)})`)
    return { content: parseJson(body, `answer of ${url.pathname}`), index: readIndex(headers['x-consul-index']), bytes: body.length }
  }

  return { ask, close: () => client.close() }
}

interface ConsulServer {
  /** Without a slash at the end. */
  readonly base: string
  readonly socketPath?: string
}

/** `host:port`, `scheme://host:port/prefix` or `unix:///path`, as Consul's own client reads it. */
function findServer({ server, scheme, pathPrefix }: ConsulDiscovery): ConsulServer {
  const given = server.trim()
  const [protocol, rest] = given.includes('://') ? given.split('://', 2) : ['', given]
  const prefix = pathPrefix.replaceAll(/^\/+|\/+$/g, '')
  if (protocol === 'unix') return { base: trimSlash(`http://localhost/${prefix}`), socketPath: rest! }
  if (protocol !== '' && protocol !== 'http' && protocol !== 'https') {
    throw new Error(`cannot use consul server ${JSON.stringify(given)}: unknown protocol scheme: ${protocol}`)
  }
  // TLS that was asked for is not taken back by a plain address.
  const secure = protocol === 'https' || scheme === 'https'
  const base = trimSlash(`${secure ? 'https' : 'http'}://${trimSlash(rest!)}/${prefix}`)
  if (!URL.canParse(base)) throw new Error(`cannot use consul server ${JSON.stringify(given)}: want host:port`)
  return { base }
}

function trimSlash(text: string): string {
  return text.replace(/\/+$/, '')
}

function readIndex(header: string | string[] | undefined): number {
  const index = Number(header)
  return Number.isSafeInteger(index) && index > 0 ? index : 0
}
