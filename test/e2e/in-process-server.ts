import { join } from 'node:path'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { createHttpServer } from '@narthex/http/server'
import type { Server } from '@narthex/server/server'
import { ServerOpening } from '@narthex/server/start/server-opening'
import type { Logger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { makeTemporaryDirectory } from '../kit/process.ts'

export interface InProcessServer {
  readonly server: Server
  readonly url: string
  readonly warnings: readonly string[]
  remove(): Promise<void>
}

/**
 * The receiver in this process, for tests that reach into it where a user cannot. It listens on a free loopback port. A data directory that is
 * given stays when the server goes.
 */
export async function openInProcessServer(queryConcurrency: number, directory?: string): Promise<InProcessServer> {
  const temporary = makeTemporaryDirectory('narthex-in-process-')
  const warnings: string[] = []
  const log = collectWarnings(warnings)
  const http = await createHttpServer({ listenAddress: ['127.0.0.1:0'], log, name: 'test' })
  const registry = new Registry()
  const opening = await ServerOpening.begin({
    http,
    log,
    registry,
    settings: {
      directory: directory ?? temporary.path,
      retentionMs: 15 * 24 * 3_600_000,
      retentionBytesMax: 0,
      minBlockRangeMs: 7_200_000,
      maxBlockRangeMs: undefined,
      uploadedFile: '',
      memoryBytesMax: 512 * 1024 * 1024,
      processMemoryBytesMax: undefined,
      queryMemoryBytesMax: undefined,
      seriesMax: 0,
      seriesPerMetricMax: 0,
      exemplarsMax: 0,
      walCompression: true,
      customBuckets: false,
      diskReserveBytes: 0,
      lookbackMs: 300_000,
      queryTimeoutMs: 60_000,
      queryConcurrency,
      querySamplesMax: 50_000_000,
      slowQueryMs: 0,
      remoteRead: { samplesMax: 50_000_000, concurrencyMax: 10, frameBytesMax: 1_048_576 },
      features: [],
      externalUrl: 'http://127.0.0.1',
      receiverRefusal: undefined,
      outageToleranceMs: 3_600_000,
      gracePeriodMs: 600_000,
      resendDelayMs: 60_000,
      notificationQueue: 100,
      notificationBatch: 64,
      alertmanager: { configFile: '', storagePath: join(temporary.path, 'alertmanager') },
      flags: {},
      version: 'test',
      compatibleVersion: 'test',
      flushDeadlineMs: 1_000,
      enableLifecycle: false,
      enableAdminApi: true,
      corsOrigin: '.*',
      pageTitle: 'Narthex',
      drainNotifications: true,
    },
    reload: () => Promise.resolve(),
    quit: () => {},
  })
  const server = await opening.finish()
  await server.apply(parsePrometheusConfig('scrape_configs: []\n', { path: join(temporary.path, 'prometheus.yml'), mode: 'server' }))
  await opening.serve()
  const [url] = opening.urls
  return {
    server,
    url: url!.replace(/\/$/, ''),
    warnings,
    async remove() {
      await http.close(1_000)
      await opening.stop(1_000)
      temporary.remove()
    },
  }
}

function collectWarnings(warnings: string[]): Logger {
  const keep = (message: string, fields?: Record<string, unknown>) => {
    warnings.push(fields === undefined ? message : `${message} ${JSON.stringify(fields)}`)
  }
  const log: Logger = { debug() {}, info() {}, warn: keep, error: keep, with: () => log }
  return log
}
