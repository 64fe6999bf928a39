import { defaultHttpClientConfig, type HttpClientConfig } from '@narthex/config/http-client-config'
import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import { createExporter, type Exporter } from '@narthex/exporter-kit/exporter'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { renderLandingPage } from '@narthex/exporter-kit/landing-page'
import { createHttpClient } from '@narthex/http/client'
import type { Logger } from '@narthex/service/logger'
import { createStubStatusCollector } from './collect-stub-status.ts'
import { parseConstantLabels } from './constant-labels.ts'
import { nginxExporterFlags } from './flags.ts'
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
  if (flags.boolean('nginx.plus')) {
    throw new Error('cannot use flag --nginx.plus: NGINX Plus is not built yet; its servers also have stub_status, for --nginx.scrape-uri')
  }
  const timeoutMs = flags.durationMs('nginx.timeout')
  if (timeoutMs <= 0) throw new Error(`cannot use flag --nginx.timeout: want more than 0, got ${timeoutMs} ms`)
  const uris = flags.strings('nginx.scrape-uri').map((uri) => parseScrapeUri(uri))
  const collector = createStubStatusCollector({
    uris,
    timeoutMs,
    constantLabels: parseConstantLabels([...flags.strings('prometheus.const-label'), flags.string('prometheus.const-labels')]),
    client: createHttpClient(readClientConfig(flags), { userAgent: `NGINX-Prometheus-Exporter/v${buildInfo.version}` }),
    log,
  })
  const telemetryPath = flags.string('web.telemetry-path')
  const exporter = createExporter({
    program: 'nginx_exporter',
    buildInfo,
    collectors: [collector],
    collectorNames: [collector.name],
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
