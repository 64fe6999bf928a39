import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import { scrapeEmbedded, type Embedded, type EmbeddedFlags } from '@narthex/exporter-kit/embedded'
import type { Logger } from '@narthex/service/logger'
import { createRedisExporter } from './redis-exporter.ts'

export interface EmbeddedRedisOptions {
  /** The server. What it does not say is taken from the flags. */
  readonly service: { readonly address?: string; readonly socketPath?: string; readonly username?: string; readonly password?: string }
  readonly flags: EmbeddedFlags
  readonly log: Logger
  readonly buildInfo?: BuildInfo
}

/** The redis exporter inside of another program. `target` in a scrape's query names another server, as for `/scrape`. Throws one clear line for flags that cannot be used. */
export function createEmbeddedRedis(options: EmbeddedRedisOptions): Embedded {
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
    scrape: (request) => scrapeEmbedded(request.query.has('target') ? exporter.handleScrape : exporter.handleMetrics, request),
    close: () => exporter.close(),
  }
}
