import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import { scrapeEmbedded, type Embedded, type EmbeddedFlags } from '@narthex/exporter-kit/embedded'
import type { Logger } from '@narthex/service/logger'
import { createNginxExporter } from './nginx-exporter.ts'

export interface EmbeddedNginxOptions {
  /** The stub_status page, or the socket that it is asked for on. What it does not say is taken from the flags. */
  readonly service: { readonly uri?: string; readonly socketPath?: string }
  readonly flags: EmbeddedFlags
  readonly log: Logger
  readonly buildInfo?: BuildInfo
}

/** The nginx exporter inside of another program. Throws one clear line for flags that cannot be used. */
export function createEmbeddedNginx(options: EmbeddedNginxOptions): Embedded {
  const { uri, socketPath } = options.service
  const scrapeUri = socketPath === undefined ? uri : `unix:${socketPath}:${uri === undefined ? '/stub_status' : pathOf(uri)}`
  const exporter = createNginxExporter({
    flags: scrapeUri === undefined ? options.flags : { ...options.flags, 'nginx.scrape-uri': [scrapeUri] },
    log: options.log,
    buildInfo: options.buildInfo ?? { version: '', revision: '', branch: '' },
    exporterMetricsDisabled: true,
  })
  return {
    scrape: (request) => scrapeEmbedded(exporter.handleMetrics, request),
    close: () => exporter.close(),
  }
}

function pathOf(uri: string): string {
  const url = URL.parse(uri)
  return url === null ? uri : url.pathname + url.search
}
