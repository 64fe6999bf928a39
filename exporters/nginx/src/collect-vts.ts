import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { writeStubStatuses } from './collect-stub-status.ts'
import { NginxServers, type NginxServersOptions } from './nginx-servers.ts'
import type { StubStatus } from './stub-status.ts'
import { writeVtsExporterFamilies } from './vts-exporter-families.ts'
import { numberOf } from './json-object.ts'
import { StatusWriter, type LabelledStatus } from './status-writer.ts'
import { writeVtsFamilies } from './vts-families.ts'
import { parseVtsStatus, type VtsStatus } from './vts-status.ts'

/** Largest page: some ten thousand servers. */
export const vtsPageBytesMax = 32 * 1024 * 1024

export interface VtsOptions extends Omit<NginxServersOptions<VtsStatus>, 'read' | 'pageBytesMax'> {
  /** `--nginx.vts-exporter-names`. */
  readonly hasExporterNames: boolean
  /** No stub_status page is read: its families are made of this page, which has the same numbers. */
  readonly standsForStubStatus: boolean
}

/** Reads the page of the module vhost traffic status. A server that does not answer costs its own families. */
export function createVtsCollector(options: VtsOptions): Collector {
  const servers = new NginxServers({
    ...options,
    read: async (server) => parseVtsStatus(await server.readPage()),
    pageBytesMax: vtsPageBytesMax,
  })

  async function collect(context: CollectContext): Promise<void> {
    const { writer } = context
    const answers = await servers.readAll(context)
    const statuses = answers.filter((answer): answer is LabelledStatus<VtsStatus> => answer.status !== undefined)
    const statusWriter = new StatusWriter(writer, statuses)
    writeVtsFamilies(statusWriter)
    if (options.hasExporterNames) writeVtsExporterFamilies(statusWriter)
    writer.family('narthex_nginx_vts_up', 'Whether the page of the module was read (1).', 'gauge')
    for (const { labels, status } of answers) writer.sample(status === undefined ? 0 : 1, labels)
    if (options.standsForStubStatus) {
      writeStubStatuses(
        writer,
        answers.map(({ labels, status }) => ({ labels, status: status && readConnections(status) })),
      )
    }
  }

  return { name: 'vts', defaultOn: true, collect, close: () => servers.close() }
}

function readConnections({ connections }: VtsStatus): StubStatus {
  const read = (name: keyof StubStatus): number => numberOf(connections, name)
  return {
    active: read('active'),
    accepted: read('accepted'),
    handled: read('handled'),
    requests: read('requests'),
    reading: read('reading'),
    writing: read('writing'),
    waiting: read('waiting'),
  }
}
