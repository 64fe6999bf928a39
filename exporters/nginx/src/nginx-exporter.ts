import { defaultHttpClientConfig, type HttpClientConfig } from '@narthex/config/http-client-config'
import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import type { Collector } from '@narthex/exporter-kit/collector'
import { createExporter, type Exporter } from '@narthex/exporter-kit/exporter'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { renderLandingPage } from '@narthex/exporter-kit/landing-page'
import { compileRegex, type AnchoredRegex } from '@narthex/model/regex'
import type { Logger } from '@narthex/service/logger'
import type { LineReader } from './access-log-fields.ts'
import { createAccessLogCollector, type AccessLogOptions } from './collect-access-log.ts'
import { createPlusCollector } from './collect-plus.ts'
import { createStubStatusCollector } from './collect-stub-status.ts'
import { createVtsCollector } from './collect-vts.ts'
import { parseConstantLabels } from './constant-labels.ts'
import { nginxExporterFlags } from './flags.ts'
import { readJsonLine } from './json-line.ts'
import { parseBuckets } from './latency-histograms.ts'
import { combinedFormat, compileLogFormat } from './log-format.ts'
import { parseLogSource } from './log-sources.ts'
import { NginxClient } from './nginx-client.ts'
import { parseScrapeUri } from './scrape-uri.ts'

export interface NginxExporterOptions {
  /** Values by flag name, only of flags that were given. */
  readonly flags?: FlagValues
  readonly log: Logger
  readonly buildInfo: BuildInfo
  /** Leaves out promhttp_* and process_*: where many exporters are one process. */
  readonly exporterMetricsDisabled?: boolean
}

export interface NginxExporter extends Exporter {
  /** `--web.telemetry-path`. */
  readonly telemetryPath: string
  /** HTML of `/`. */
  readonly landingPage: string
}

/** Builds the exporter from its flags. Throws one clear error for a flag value that cannot be used; an unreachable server is no reason. */
export function createNginxExporter(options: NginxExporterOptions): NginxExporter {
  const { buildInfo, log } = options
  const flags = new FlagReader(nginxExporterFlags, options.flags ?? {})
  const timeoutMs = flags.durationMs('nginx.timeout')
  if (timeoutMs <= 0) throw new Error(`cannot use flag --nginx.timeout: want more than 0, got ${timeoutMs} ms`)
  const collectors = createCollectors(flags, timeoutMs, options)
  const telemetryPath = flags.string('web.telemetry-path')
  const exporter = createExporter({
    program: 'nginx_exporter',
    buildInfo,
    collectors,
    collectorNames: ['access_log', 'plus', 'stub_status', 'vts'],
    exporterMetricsDisabled: options.exporterMetricsDisabled === true,
    log,
  })
  const landingPage = renderLandingPage({
    name: 'NGINX Prometheus Exporter',
    description: 'Prometheus Exporter for NGINX',
    version: buildInfo.version,
    links: [{ address: telemetryPath, text: 'Metrics' }],
  })
  return { ...exporter, telemetryPath, landingPage }
}

/** What is named is read; the default page of stub_status only if nothing is. */
function createCollectors(flags: FlagReader, timeoutMs: number, { buildInfo, log }: NginxExporterOptions): Collector[] {
  const constantLabels = parseConstantLabels([...flags.strings('prometheus.const-label'), flags.string('prometheus.const-labels')])
  const client = new NginxClient({
    config: readClientConfig(flags),
    userAgent: `NGINX-Prometheus-Exporter/v${buildInfo.version}`,
    hasProxyHeader: flags.boolean('nginx.proxy-protocol'),
  })
  const common = { timeoutMs, constantLabels, client, log }
  const vtsUris = flags.strings('nginx.vts-uri').map((uri) => parseScrapeUri(uri))
  const sources = flags.strings('nginx.access-log').map((text) => parseLogSource(text))
  const isPlus = flags.boolean('nginx.plus')
  const hasServers = flags.isGiven('nginx.scrape-uri') || (vtsUris.length === 0 && sources.length === 0)
  const collectors: Collector[] = []
  if (hasServers || isPlus) {
    const uris = flags.strings('nginx.scrape-uri').map((uri) => parseScrapeUri(uri))
    collectors.push(isPlus ? createPlusCollector({ ...common, uris }) : createStubStatusCollector({ ...common, uris }))
  }
  if (vtsUris.length > 0) {
    const hasExporterNames = flags.boolean('nginx.vts-exporter-names')
    collectors.push(createVtsCollector({ ...common, uris: vtsUris, hasExporterNames, standsForStubStatus: !hasServers && !isPlus }))
  }
  const access = readAccessLogFlags(flags)
  if (sources.length > 0) collectors.push(createAccessLogCollector({ ...access, sources, constantLabels, log }))
  return collectors
}

function readAccessLogFlags(flags: FlagReader): Pick<AccessLogOptions, 'buckets' | 'hosts' | 'labelValuesMax' | 'reader'> {
  const labelValuesMax = flags.number('nginx.access-log.label-values-max')
  if (!Number.isInteger(labelValuesMax) || labelValuesMax < 1 || labelValuesMax > 1000) {
    throw new Error(`cannot use flag --nginx.access-log.label-values-max: want a number from 1 to 1000, got ${labelValuesMax}`)
  }
  return {
    labelValuesMax,
    buckets: parseBuckets(flags.string('nginx.access-log.buckets')),
    hosts: readHosts(flags.string('nginx.access-log.hosts')),
    reader: readLineReader(flags.string('nginx.access-log.format')),
  }
}

function readHosts(pattern: string): AnchoredRegex | undefined {
  try {
    return pattern === '' ? undefined : compileRegex(pattern)
  } catch (cause) {
    throw new Error(`cannot use flag --nginx.access-log.hosts: ${(cause as Error).message}`, { cause })
  }
}

function readLineReader(format: string): LineReader | undefined {
  if (format === 'auto') return undefined
  if (format === 'combined') return compileLogFormat(combinedFormat)
  if (format === 'json') return readJsonLine
  if (format.includes('$')) return compileLogFormat(format)
  throw new Error(
    `cannot use flag --nginx.access-log.format: want auto, combined, json or the text of a log_format, got ${JSON.stringify(format)}`,
  )
}

function readClientConfig(flags: FlagReader): HttpClientConfig {
  const caFile = flags.string('nginx.ssl-ca-cert')
  const certFile = flags.string('nginx.ssl-client-cert')
  const keyFile = flags.string('nginx.ssl-client-key')
  if ((certFile === '') !== (keyFile === '')) {
    throw new Error('cannot use flags --nginx.ssl-client-cert and --nginx.ssl-client-key: want both or none, got one')
  }
  return {
    ...defaultHttpClientConfig,
    enableHttp2: false,
    tls: {
      insecureSkipVerify: !flags.boolean('nginx.ssl-verify'),
      ...(caFile === '' ? {} : { caFile }),
      ...(certFile === '' ? {} : { certFile, keyFile }),
    },
  }
}
