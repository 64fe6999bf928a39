import { createScraper } from '@narthex/agent/scraper'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { parseWebConfig } from '@narthex/config/web-config'
import { createHttpServer } from '@narthex/http/server'
import { isLoopbackAddress, parseListenAddress } from '@narthex/http/listen-address'
import { formatDuration } from '@narthex/model/duration'
import { compileRegex } from '@narthex/model/regex'
import { autoReloadFeature, splitFeatures, withoutEffect } from '@narthex/server/feature-flags'
import type { ServerSettings } from '@narthex/server/server'
import { ServerOpening } from '@narthex/server/start/server-opening'
import { HeadSink } from '@narthex/server/head-sink'
import { createScrapeView } from '@narthex/server/targets-view'
import { parseFlags, type ParsedFlags } from '@narthex/service/flags'
import { prometheusHttpMetrics } from '@narthex/service/http-instruments'
import { leaveOutMiddleCompiler } from '@narthex/service/compiler'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger, type Logger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { processMetrics } from '@narthex/service/process-metrics'
import { UserError } from '@narthex/service/user-error'
import { registerWebAssets } from '../assets.ts'
import { ConfigFile } from '../config-file.ts'
import { ConfigMetrics } from '../config-metrics.ts'
import { externalPath } from '../external-path.ts'
import { createPasswordVerifier } from '../password-verifier.ts'
import { toStorageError } from '../storage-error.ts'
import { compatibleVersion, version, versionText } from '../version.ts'
import { serverFlags, withoutEffectFlagNames } from './server-flags.ts'

// narthex server: one whole prometheus.yml, as the prometheus program runs it.

/** Requests that run when the end comes may take this long, so that enough of the time to stop is left for the storage. */
export const httpGraceMs = 2_000

/** Queries may stand in the first line. Go's servers take 1 MiB; here, too, each of the 512 connections may be sending one. */
export const requestHeadBytesMax = 256 * 1024

/** Of a `--storage.tsdb.max-block-duration` that is not given: a tenth of the retention, this at most. */
const maxBlockRangeMsMax = 31 * 24 * 3600 * 1000

export type ServerFlags = ParsedFlags<typeof serverFlags>

export async function runServer(argv: readonly string[], context: MainContext): Promise<void> {
  const flags = parseFlags(
    {
      name: 'narthex server',
      help: 'The Narthex receiver: storage, PromQL, rules and alerts.',
      version: versionText('narthex server'),
      flags: serverFlags,
      exitCodes: { usage: 1, value: 2 },
    },
    argv,
  )
  const { values } = flags
  const log = createLogger({ level: values.logLevel, format: values.logFormat })
  context.setLog(log)
  warnOfFlags(flags, log)
  const registry = new Registry()
  processMetrics(registry)
  const configMetrics = new ConfigMetrics(registry)
  const configFile = new ConfigFile({ path: values.configFile, mode: 'server', log, metrics: configMetrics })
  const config = configFile.load()
  log.info('Starting Narthex Server', { version, mode: 'server' })

  registerWebAssets()
  const http = await createHttpServer({
    listenAddress: values.listenAddress,
    ...(values.webConfigFile === '' ? {} : { webConfigFile: values.webConfigFile }),
    log,
    name: 'server',
    routePrefix: values.routePrefix ?? externalPath(values.externalUrl),
    connectionsMax: values.maxConnections,
    headBytesMax: requestHeadBytesMax,
    readTimeoutMs: values.readTimeoutMs,
    instruments: prometheusHttpMetrics(registry),
    verifyPassword: createPasswordVerifier(),
  })
  const settings = toServerSettings(flags, {
    receiverRefusal: findReceiverRefusal(flags),
    exemplarsMax: config.storage.maxExemplars,
    externalUrl:
      values.externalUrl === '' ? guessExternalUrl(values.listenAddress, http.routePrefix) : values.externalUrl.replace(/\/$/, ''),
  })
  const reload = async () => {
    try {
      await configFile.reload(async (next) => {
        await server.apply(next)
        scraper.reload(next)
        await server.applyRemoteWrite(next)
      })
    } catch (error) {
      server.state.reloadSucceeded = false
      throw error
    }
  }
  const toUserError = (cause: unknown): never => {
    throw toStorageError(cause, 'narthex server', 'storage.tsdb.path', values.storagePath)
  }
  const parts = { http, log, registry, settings, reload: () => context.reload(), quit: () => context.stop() }
  const opening = await ServerOpening.begin(parts).catch(toUserError)
  context.onStop('storage', (graceMs, prolong) => opening.stop(graceMs, prolong))
  context.onStop('HTTP server', (graceMs) => http.close(Math.min(graceMs, httpGraceMs)))
  for (const url of opening.urls) log.info('Listening on', { address: url })
  const server = await opening.finish().catch(toUserError)
  context.onStop('requests', () => server.beginStop())
  const sink = new HeadSink(server.store.head, log.with({ component: 'scrape' }), undefined, server.besideSamples)
  const scraper = createScraper({ config, sink, log, registry, userAgent: `Prometheus/${compatibleVersion}` })
  server.setScrapeView(createScrapeView(scraper, { externalUrl: settings.externalUrl, port: ownPort(values.listenAddress) }))
  await server.apply(config)
  await server.applyRemoteWrite(config)
  await opening.serve()
  scraper.start()
  context.onStop('scrape', () => scraper.stop())
  context.onReload(reload)
  configMetrics.loaded(true)
  watchConfig(configFile, flags, context)
  log.info('Server is ready to receive web requests.')
  leaveOutMiddleCompiler()
}

/** Reloads when the file changes, if the command line asks for it. */
export function watchConfig(configFile: ConfigFile, { values }: ServerFlags, context: MainContext): void {
  if (!values.autoReload && !splitFeatures(values.features).includes(autoReloadFeature)) return
  context.onStop(
    'config watch',
    configFile.watch(values.autoReloadIntervalMs, () => context.reload()),
  )
}

export function warnOfFlags({ given, values }: ServerFlags, log: Logger): void {
  for (const name of withoutEffectFlagNames) if (given.has(name)) log.warn(`flag --${name} is accepted and has no effect yet`)
  for (const feature of withoutEffect(splitFeatures(values.features))) log.warn(`feature ${feature} is accepted and has no effect yet`)
}

export function toServerSettings(
  { values, given, effective }: ServerFlags,
  derived: { readonly receiverRefusal: string | undefined; readonly exemplarsMax: number; readonly externalUrl: string },
): ServerSettings {
  const alertmanagerPath = values.alertmanagerStoragePath === '' ? join(values.storagePath, 'alertmanager') : values.alertmanagerStoragePath
  // As in Prometheus: a size alone keeps samples for as long as it takes to fill it.
  const retentionMs = values.retentionBytes !== undefined && !given.has('storage.tsdb.retention.time') ? 0 : values.retentionMs
  const maxBlockRangeMs = values.maxBlockMs || Math.max(values.minBlockMs, Math.min(maxBlockRangeMsMax, (retentionMs || Infinity) / 10))
  return {
    directory: values.storagePath,
    retentionMs,
    retentionBytesMax: values.retentionBytes ?? 0,
    minBlockRangeMs: values.minBlockMs,
    maxBlockRangeMs,
    uploadedFile: values.uploadedFile,
    processMemoryBytesMax: values.processMemoryMaxBytes,
    queryMemoryBytesMax: values.queryMemoryMaxBytes,
    memoryBytesMax: values.memoryMaxBytes,
    seriesMax: values.seriesMax,
    seriesPerMetricMax: values.seriesPerMetricMax,
    exemplarsMax: derived.exemplarsMax,
    walCompression: values.walCompression,
    customBuckets: values.customBuckets,
    diskReserveBytes: values.diskReserveBytes,
    lookbackMs: values.lookbackMs,
    queryTimeoutMs: values.queryTimeoutMs,
    queryConcurrency: values.queryConcurrency,
    querySamplesMax: values.queryMaxSamples,
    slowQueryMs: values.slowQueryMs,
    remoteRead: {
      samplesMax: values.remoteReadSampleLimit,
      concurrencyMax: values.remoteReadConcurrency,
      frameBytesMax: values.remoteReadFrameBytes,
    },
    features: splitFeatures(values.features),
    externalUrl: derived.externalUrl,
    receiverRefusal: derived.receiverRefusal,
    outageToleranceMs: values.outageToleranceMs,
    gracePeriodMs: values.gracePeriodMs,
    resendDelayMs: values.resendDelayMs,
    notificationQueue: values.notificationQueue,
    notificationBatch: values.notificationBatch,
    alertmanager: { configFile: values.alertmanagerConfigFile, storagePath: alertmanagerPath },
    // Who reads the flags (a Thanos sidecar) wants to know what is in force.
    flags: { ...effective, 'storage.tsdb.max-block-duration': formatDuration(maxBlockRangeMs) },
    version,
    compatibleVersion,
    flushDeadlineMs: values.flushDeadlineMs,
    enableLifecycle: values.enableLifecycle,
    enableAdminApi: values.enableAdminApi,
    corsOrigin: checkCorsOrigin(values.corsOrigin),
    pageTitle: values.pageTitle,
    drainNotifications: values.drainNotifications,
  }
}

/** Of the first listener, for who looks from another machine. */
export function ownPort(listenAddress: readonly string[]): string {
  return String(parseListenAddress(listenAddress[0] ?? ':9090').port ?? 9090)
}

function checkCorsOrigin(origin: string): string {
  try {
    compileRegex(origin)
    return origin
  } catch (cause) {
    throw new UserError(`could not compile CORS regex string ${JSON.stringify(origin)}: ${(cause as Error).message}`, 2, { cause })
  }
}

/** Remote write is taken where no stranger can reach it, or where it was asked for. */
function findReceiverRefusal({ values }: ServerFlags): string | undefined {
  if (values.enableRemoteWrite) return undefined
  const isLocal = values.listenAddress.every((address) => isLoopbackAddress(parseListenAddress(address)))
  if (isLocal || hasBasicAuth(values.webConfigFile)) return undefined
  return 'remote write receiver is off: it needs --web.enable-remote-write-receiver, authentication (--web.config.file) or a loopback --web.listen-address'
}

function hasBasicAuth(path: string): boolean {
  if (path === '') return false
  return Object.keys(parseWebConfig(readFileSync(path, 'utf8'), path).basicAuthUsers).length > 0
}

export function guessExternalUrl(listenAddress: readonly string[], routePrefix: string): string {
  const port = parseListenAddress(listenAddress[0] ?? ':9090').port ?? 9090
  return `http://${hostname()}:${port}${routePrefix}`
}
