import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import { NginxServers, type NginxServersOptions, type ServerAnswer } from './nginx-servers.ts'
import { parseStubStatus, type StubStatus } from './stub-status.ts'

/** Largest page; stub_status has about a hundred bytes. */
export const pageBytesMax = 64 * 1024

export type StubStatusOptions = Omit<NginxServersOptions<StubStatus>, 'read' | 'pageBytesMax'>

interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly field: keyof StubStatus
}

const families: readonly Family[] = [
  { name: 'nginx_connections_accepted', help: 'Client connections accepted.', type: 'counter', field: 'accepted' },
  { name: 'nginx_connections_active', help: 'Client connections open now.', type: 'gauge', field: 'active' },
  { name: 'nginx_connections_handled', help: 'Client connections handled.', type: 'counter', field: 'handled' },
  { name: 'nginx_connections_reading', help: 'Connections whose request is being read.', type: 'gauge', field: 'reading' },
  { name: 'nginx_connections_waiting', help: 'Connections that are idle.', type: 'gauge', field: 'waiting' },
  { name: 'nginx_connections_writing', help: 'Connections whose response is being written.', type: 'gauge', field: 'writing' },
  { name: 'nginx_http_requests_total', help: 'Requests received.', type: 'counter', field: 'requests' },
]

/** Asks all servers at once; one that does not answer costs its own families and shows `nginx_up 0`. */
export function createStubStatusCollector(options: StubStatusOptions): Collector {
  const servers = new NginxServers({ ...options, read: (server) => server.readBytes(parseStubStatus), pageBytesMax })
  return {
    name: 'stub_status',
    defaultOn: true,
    collect: (context: CollectContext) => servers.readAll(context).then((answers) => writeStubStatuses(context.writer, answers)),
    close: () => servers.close(),
  }
}

/** The original's families of servers whose numbers are those of stub_status. */
export function writeStubStatuses(writer: MetricWriter, answers: readonly ServerAnswer<StubStatus>[]): void {
  // By index: code that was not compiled yet, which is all of the first hours, makes an object for each step of `of`.
  for (let i = 0; i < families.length; i++) {
    const { name, help, type, field } = families[i]!
    writer.family(name, help, type)
    for (let server = 0; server < answers.length; server++) {
      const { labels, status } = answers[server]!
      if (status !== undefined) writer.sample(status[field], labels)
    }
  }
  writer.family('nginx_up', 'Whether NGINX answered the last scrape (1).', 'gauge')
  for (const { labels, status } of answers) writer.sample(status === undefined ? 0 : 1, labels)
}
