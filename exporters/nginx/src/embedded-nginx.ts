import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import type { Logger } from '@narthex/service/logger'
import { createNginxExporter } from './nginx-exporter.ts'

export interface EmbeddedNginxOptions {
  /** The stub_status page, or the socket that it is asked for on. What it does not say is taken from the flags. */
  readonly service: { readonly uri?: string; readonly socketPath?: string }
  readonly flags: Readonly<Record<string, string | boolean | number | readonly string[]>>
  readonly log: Logger
  readonly buildInfo?: BuildInfo
}

export interface EmbeddedNginx {
  /** Never rejects; the body is text 0.0.4 and not compressed. */
  scrape(request: { readonly query: URLSearchParams; readonly timeoutMs: number }): Promise<{
    readonly status: number
    readonly contentType: string
    readonly body: Uint8Array
  }>
  close(): Promise<void>
}

/** The nginx exporter inside of another program. Throws one clear line for flags that cannot be used. */
export function createEmbeddedNginx(options: EmbeddedNginxOptions): EmbeddedNginx {
  const { uri, socketPath } = options.service
  const scrapeUri = socketPath === undefined ? uri : `unix:${socketPath}:${uri === undefined ? '/stub_status' : pathOf(uri)}`
  const exporter = createNginxExporter({
    flags: scrapeUri === undefined ? options.flags : { ...options.flags, 'nginx.scrape-uri': [scrapeUri] },
    log: options.log,
    buildInfo: options.buildInfo ?? { version: '', revision: '', branch: '' },
    exporterMetricsDisabled: true,
  })
  return {
    async scrape({ query, timeoutMs }) {
      const headers = { 'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000) }
      const answer = await exporter.handleMetrics({ query, headers })
      return { status: answer.status, contentType: answer.headers['content-type']!, body: answer.body }
    },
    close: () => exporter.close(),
  }
}

function pathOf(uri: string): string {
  const url = URL.parse(uri)
  return url === null ? uri : url.pathname + url.search
}
