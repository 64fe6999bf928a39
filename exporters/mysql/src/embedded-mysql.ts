import { Secret } from '@narthex/config/secret'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import { scrapeEmbedded, type Embedded, type EmbeddedFlags } from '@narthex/exporter-kit/embedded'
import type { Logger } from '@narthex/service/logger'
import { parseHostPort, type ConnectionSettings, type ServerAddress } from './connection-settings.ts'
import { mysqlExporterFlags } from './flags.ts'
import { createMysqlExporter } from './mysql-exporter.ts'
import { loadSettings } from './settings-source.ts'

export interface EmbeddedMysqlOptions {
  /** The server. What it does not say is taken from the flags, the option file and the environment. */
  readonly service: { readonly address?: string; readonly socketPath?: string; readonly username?: string; readonly password?: string }
  readonly flags: EmbeddedFlags
  readonly log: Logger
  readonly buildInfo?: BuildInfo
}

/** The MySQL exporter inside of another program. `target` in a scrape's query names another server, as for `/probe`. Throws one clear line for flags and credentials that cannot be used. */
export function createEmbeddedMysql(options: EmbeddedMysqlOptions): Embedded {
  const { flags, log } = options
  const exporter = createMysqlExporter({
    flags,
    log,
    buildInfo: options.buildInfo ?? { version: '', revision: '', branch: '' },
    loadSettings: () => readSettings(options),
    exporterMetricsDisabled: true,
  })
  return {
    scrape: (request) => scrapeEmbedded(request.query.has('target') ? exporter.handleProbe : exporter.handleMetrics, request),
    close: () => exporter.close(),
  }
}

function readSettings({ flags, log, service }: EmbeddedMysqlOptions): ReadonlyMap<string, ConnectionSettings> {
  const reader = new FlagReader(mysqlExporterFlags, flags)
  const address = readAddress(service)
  if (service.username === undefined) {
    const sections = new Map(loadSettings(reader, process.env, log))
    const client = sections.get('client')
    if (client !== undefined && address !== undefined) sections.set('client', { ...client, address })
    return sections
  }
  const { password = '', username: user } = service
  const client: ConnectionSettings = {
    address: address ?? parseHostPort(reader.string('mysqld.address')),
    user,
    password: new Secret(password),
    cleartextAllowed: false,
    ...(reader.boolean('tls.insecure-skip-verify') ? { tls: { isVerified: false, isRequired: true } } : {}),
  }
  return new Map([['client', client]])
}

function readAddress({ address, socketPath }: EmbeddedMysqlOptions['service']): ServerAddress | undefined {
  if (socketPath !== undefined) return { kind: 'unix', path: socketPath }
  return address === undefined ? undefined : parseHostPort(address)
}
