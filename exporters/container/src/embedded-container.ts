import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import { scrapeEmbedded, type Embedded, type EmbeddedFlags } from '@narthex/exporter-kit/embedded'
import type { SpawnHelper } from '@narthex/exporter-kit/statfs-pool'
import type { Logger } from '@narthex/service/logger'
import { createContainerExporter } from './container-exporter.ts'

export interface EmbeddedContainerOptions {
  readonly flags: EmbeddedFlags
  readonly log: Logger
  readonly buildInfo?: BuildInfo
  readonly spawnHelper?: SpawnHelper
}

/** The container exporter inside of another program. Throws one clear line for flags that cannot be used. */
export function createEmbeddedContainer(options: EmbeddedContainerOptions): Embedded {
  const exporter = createContainerExporter({
    flags: options.flags,
    log: options.log,
    buildInfo: options.buildInfo ?? { version: '', revision: '', branch: '' },
    exporterMetricsDisabled: true,
    ...(options.spawnHelper === undefined ? {} : { spawnHelper: options.spawnHelper }),
  })
  return {
    scrape: (request) => scrapeEmbedded(exporter.handleMetrics, request),
    close: () => exporter.close(),
  }
}
