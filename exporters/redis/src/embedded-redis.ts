import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import type { Logger } from '@narthex/service/logger'
import { createRedisExporter } from './redis-exporter.ts'

export interface EmbeddedRedisOptions {
  /** The server. What it does not say is taken from the flags. */
  readonly service: { readonly address?: string; readonly socketPath?: string; readonly username?: string; readonly password?: string }
  readonly flags: Readonly<Record<string, string | boolean | number | readonly string[]>>
  readonly log: Logger
  readonly buildInfo?: BuildInfo
}

export interface EmbeddedRedis {
  /** With `target` in the query, as `/scrape`. Never rejects; the body is text 0.0.4 and not compressed. */
  scrape(request: { readonly query: URLSearchParams; readonly timeoutMs: number }): Promise<{
    readonly status: number
    readonly contentType: string
    readonly body: Uint8Array
  }>
  close(): Promise<void>
}

/** The redis exporter inside of another program. Throws one clear line for flags that cannot be used. */
export function createEmbeddedRedis(options: EmbeddedRedisOptions): EmbeddedRedis {
  const { address, socketPath, username, password } = options.service
  const exporter = createRedisExporter({
    flags: {
      ...options.flags,
      // One process holds many exporters: what it uses itself is shown elsewhere.
      'redis-only-metrics': true,
      ...(socketPath !== undefined
        ? { 'redis.addr': `unix://${encodeURI(socketPath)}` }
        : address !== undefined
          ? { 'redis.addr': address }
          : {}),
      ...(username === undefined ? {} : { 'redis.user': username }),
      ...(password === undefined ? {} : { 'redis.password': password }),
    },
    log: options.log,
    buildInfo: options.buildInfo ?? { version: '', revision: '', branch: '' },
  })
  return {
    async scrape({ query, timeoutMs }) {
      // The exporter takes its offset from what a client says, so that its own answer comes before the caller gives up.
      const headers = { 'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000) }
      const answer = await (query.has('target') ? exporter.handleScrape({ query, headers }) : exporter.handleMetrics({ query, headers }))
      return { status: answer.status, contentType: answer.headers['content-type']!, body: answer.body }
    },
    close: () => exporter.close(),
  }
}
