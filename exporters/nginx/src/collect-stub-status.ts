import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import { NginxServers, type NginxServersOptions, type ServerAnswer } from './nginx-servers.ts'
import { parseStubStatus, type StubStatus } from './stub-status.ts'

/** Largest page; stub_status has about a hundred bytes. */
export const pageBytesMax = 64 * 1024

export type StubStatusOptions = Omit<NginxServersOptions<StubStatus>, 'read' | 'pageBytesMax'>

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
  const servers = new NginxServers({ ...options, read: async (server) => parseStubStatus(await server.readPage()), pageBytesMax })
  return {
    name: 'stub_status',
    defaultOn: true,
    async collect(context: CollectContext): Promise<void> {
      writeStubStatuses(context.writer, await servers.readAll(context))
    },
    close: () => servers.close(),
  }
}

/** The original's families of servers whose numbers are those of stub_status. */
export function writeStubStatuses(writer: MetricWriter, answers: readonly ServerAnswer<StubStatus>[]): void {
  for (const [name, help, type, field] of families) {
    writer.family(name, help, type)
    for (const { labels, status } of answers) if (status !== undefined) writer.sample(status[field], labels)
  }
  writer.family('nginx_up', 'Whether NGINX answered the last scrape (1).', 'gauge')
  for (const { labels, status } of answers) writer.sample(status === undefined ? 0 : 1, labels)
}
