import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { HttpClient } from '@narthex/http/client'
import type { Logger } from '@narthex/service/logger'
import { withLabel } from './constant-labels.ts'
import type { ScrapeUri } from './scrape-uri.ts'
import { parseStubStatus, type StubStatus } from './stub-status.ts'

/** Largest page; stub_status has about a hundred bytes. */
export const pageBytesMax = 64 * 1024
/** Taken off the time that is left, so that `nginx_up 0` is written before the scrape is answered. */
const reserveMs = 50

export interface StubStatusOptions {
  readonly uris: readonly ScrapeUri[]
  /** Longest time for a page. */
  readonly timeoutMs: number
  readonly constantLabels: readonly string[]
  readonly client: HttpClient
  readonly log: Logger
}

interface Server {
  readonly uri: ScrapeUri
  readonly labels: readonly string[]
  /** A server that is down is logged when it goes and when it comes back. */
  wasUp: boolean | undefined
}

const families: readonly (readonly [name: string, help: string, type: 'counter' | 'gauge', field: keyof StubStatus])[] = [
  ['nginx_connections_accepted', 'Client connections accepted.', 'counter', 'accepted'],
  ['nginx_connections_active', 'Client connections open now.', 'gauge', 'active'],
  ['nginx_connections_handled', 'Client connections handled.', 'counter', 'handled'],
  ['nginx_connections_reading', 'Connections whose request is being read.', 'gauge', 'reading'],
  ['nginx_connections_waiting', 'Connections that are idle.', 'gauge', 'waiting'],
  ['nginx_connections_writing', 'Connections whose response is being written.', 'gauge', 'writing'],
  ['nginx_http_requests_total', 'Requests received.', 'counter', 'requests'],
]

/** Asks all servers at once; one that does not answer costs its own families and shows `nginx_up 0`. */
export function createStubStatusCollector(options: StubStatusOptions): Collector {
  const { client, constantLabels, log, timeoutMs } = options
  const servers = options.uris.map((uri): Server => ({
    uri,
    labels: options.uris.length > 1 ? withLabel(constantLabels, 'addr', uri.text) : constantLabels,
    wasUp: undefined,
  }))

  async function collect({ writer, remainingMs, signal }: CollectContext): Promise<void> {
    const limitMs = Math.max(1, Math.min(timeoutMs, remainingMs() - reserveMs))
    const statuses = await Promise.all(servers.map((server) => readStatus(server, limitMs, signal)))
    writeStatuses(writer, servers, statuses)
  }

  async function readStatus(server: Server, limitMs: number, signal: AbortSignal): Promise<StubStatus | undefined> {
    const { authorization, socketPath, text, url } = server.uri
    try {
      const { status, body } = await client.request({
        url,
        timeoutMs: limitMs,
        bodyBytesMax: pageBytesMax,
        signal,
        ...(socketPath === undefined ? {} : { socketPath }),
        ...(authorization === undefined ? {} : { headers: { authorization } }),
      })
      if (status !== 200) throw new Error(`expected 200 response, got ${status}`)
      const parsed = parseStubStatus(Buffer.from(body).toString('utf8'))
      if (server.wasUp === false) log.info('NGINX answers again', { uri: text })
      server.wasUp = true
      return parsed
    } catch (error) {
      if (server.wasUp !== false) log.warn('error getting stats', { uri: text, err: error })
      server.wasUp = false
      return undefined
    }
  }

  return { name: 'stub_status', defaultOn: true, collect, close: () => client.close() }
}

function writeStatuses(writer: MetricWriter, servers: readonly Server[], statuses: readonly (StubStatus | undefined)[]): void {
  for (const [name, help, type, field] of families) {
    writer.family(name, help, type)
    for (const [index, status] of statuses.entries()) if (status !== undefined) writer.sample(status[field], servers[index]!.labels)
  }
  writer.family('nginx_up', 'Whether NGINX answered the last scrape (1).', 'gauge')
  for (const [index, status] of statuses.entries()) writer.sample(status === undefined ? 0 : 1, servers[index]!.labels)
}
