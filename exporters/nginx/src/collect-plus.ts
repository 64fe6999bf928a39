import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { NginxServers, type NginxServersOptions } from './nginx-servers.ts'
import { readPlusStatus, type PlusStatus } from './plus-api.ts'
import { writePlusFamilies } from './plus-families.ts'
import { StatusWriter, type LabelledStatus } from './status-writer.ts'

/** Largest page of the API: some ten thousand servers of upstreams. */
const pageBytesMax = 32 * 1024 * 1024

/** Reads the API of NGINX Plus. A server that does not answer costs its own families and shows `nginxplus_up 0`. */
export function createPlusCollector(options: Omit<NginxServersOptions<PlusStatus>, 'read' | 'pageBytesMax'>): Collector {
  const servers = new NginxServers({ ...options, read: readPlusStatus, pageBytesMax })

  async function collect(context: CollectContext): Promise<void> {
    const answers = await servers.readAll(context)
    const statuses = answers.filter((answer): answer is LabelledStatus<PlusStatus> => answer.status !== undefined)
    writePlusFamilies(new StatusWriter(context.writer, statuses))
    context.writer.family('nginxplus_up', 'Whether NGINX Plus answered the last scrape (1).', 'gauge')
    for (const { labels, status } of answers) context.writer.sample(status === undefined ? 0 : 1, labels)
  }

  return { name: 'plus', defaultOn: true, collect, close: () => servers.close() }
}
