import type { EmbeddedExporterFactory, EmbeddedFactories } from '@narthex/agent/embedded/embedded-exporter'
import { createEmbeddedContainer } from '@narthex/exporter-container/embedded-container'
import { createEmbeddedMysql } from '@narthex/exporter-mysql/embedded-mysql'
import { createEmbeddedNginx } from '@narthex/exporter-nginx/embedded-nginx'
import { createEmbeddedRedis } from '@narthex/exporter-redis/embedded-redis'
import { buildNodeExporter } from './commands/node-exporter.ts'
import { ownHelper } from './statfs-helper-command.ts'
import { version } from './version.ts'

const buildInfo = { version, revision: 'narthex', branch: 'narthex' }

const createEmbeddedNode: EmbeddedExporterFactory = ({ flags, log }) => {
  const exporter = buildNodeExporter(flags, log)
  return {
    async scrape({ query, timeoutMs }) {
      const headers = { 'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000) }
      const answer = await exporter.handleMetrics({ query, headers })
      return { status: answer.status, contentType: answer.headers['content-type'] ?? '', body: answer.body }
    },
    close: () => exporter.close(),
  }
}

/** The exporters that this program has in it, for the `exporters` section and for what local discovery finds. */
export const embeddedFactories: EmbeddedFactories = {
  node: createEmbeddedNode,
  mysql: (options) => createEmbeddedMysql({ ...options, buildInfo }),
  redis: (options) => createEmbeddedRedis({ ...options, buildInfo }),
  nginx: (options) => createEmbeddedNginx({ ...options, buildInfo }),
  container: (options) => createEmbeddedContainer({ ...options, buildInfo, ...ownHelper() }),
}
