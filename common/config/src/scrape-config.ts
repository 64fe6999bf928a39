import { printYaml } from './yaml-print.ts'
import type { RelabelRule } from '@narthex/relabel/relabel'
import { boolean, durationMs, filePath, float, list, map, sizeBytes, string, text, unsigned } from './codec.ts'
import { checkStaticTargets, discoveries, type DiscoveryConfig } from './discovery-config.ts'
import { httpClientConfig, type HttpClientConfig } from './http-client-config.ts'
import { field, inline, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import { relabelRules, requireLegacyNames } from './relabel-config.ts'
import {
  checkScrapeProtocol,
  checkScrapeProtocols,
  nameEscapingScheme,
  nameValidationScheme,
  protobufFirstProtocols,
  protocolNames,
} from './scrape-protocols.ts'
import type { Codec, DecodeContext } from './yaml-decode.ts'

export type ScrapeProtocol =
  'PrometheusProto' | 'OpenMetricsText0.0.1' | 'OpenMetricsText1.0.0' | 'PrometheusText0.0.4' | 'PrometheusText1.0.0'
export type NameValidationScheme = 'utf8' | 'legacy'
export type NameEscapingScheme = 'allow-utf-8' | 'underscores' | 'dots' | 'values'

/** Limits that `global` and each scrape config have. 0 means no limit. */
export interface ScrapeLimits {
  readonly bodySizeLimitBytes: number
  readonly sampleLimit: number
  readonly targetLimit: number
  readonly labelLimit: number
  readonly labelNameLengthLimit: number
  readonly labelValueLengthLimit: number
  readonly keepDroppedTargets: number
}

/** One `scrape_configs` entry with the defaults of `global` filled in. */
export interface ScrapeConfig extends ScrapeLimits {
  readonly jobName: string
  readonly honorLabels: boolean
  readonly honorTimestamps: boolean
  readonly trackTimestampsStaleness: boolean
  readonly params: Readonly<Record<string, readonly string[]>>
  readonly scrapeIntervalMs: number
  readonly scrapeTimeoutMs: number
  readonly scrapeProtocols: readonly ScrapeProtocol[]
  readonly fallbackScrapeProtocol?: ScrapeProtocol
  readonly scrapeNativeHistograms: boolean
  readonly alwaysScrapeClassicHistograms: boolean
  readonly convertClassicHistogramsToNhcb: boolean
  readonly extraScrapeMetrics: boolean
  readonly scrapeFailureLogFile?: string
  readonly metricsPath: string
  readonly scheme: 'http' | 'https'
  readonly enableCompression: boolean
  /** `enable_compression` as the file says it; `auto` when it does not: the scraper may decide by the target. */
  readonly compression: 'auto' | 'on' | 'off'
  readonly nativeHistogramBucketLimit: number
  readonly nativeHistogramMinBucketFactor: number
  readonly metricNameValidationScheme: NameValidationScheme
  readonly metricNameEscapingScheme: NameEscapingScheme
  readonly discovery: readonly DiscoveryConfig[]
  readonly http: HttpClientConfig
  readonly relabelConfigs: readonly RelabelRule[]
  readonly metricRelabelConfigs: readonly RelabelRule[]
}

/** A scrape config as its section says it: what `global` may give is still absent. */
export interface RawScrapeConfig {
  readonly jobName: string
  readonly honorLabels: boolean
  readonly honorTimestamps: boolean
  readonly trackTimestampsStaleness: boolean
  readonly params: Readonly<Record<string, readonly string[]>>
  readonly scrapeIntervalMs: number
  readonly scrapeTimeoutMs: number
  readonly scrapeProtocols?: readonly ScrapeProtocol[]
  readonly fallbackScrapeProtocol?: ScrapeProtocol
  readonly scrapeNativeHistograms?: boolean
  readonly alwaysScrapeClassicHistograms?: boolean
  readonly convertClassicHistogramsToNhcb?: boolean
  readonly extraScrapeMetrics?: boolean
  readonly scrapeFailureLogFile: string
  readonly metricsPath: string
  readonly scheme: 'http' | 'https'
  readonly enableCompression?: boolean
  readonly limits: ScrapeLimits
  readonly nativeHistogramBucketLimit: number
  readonly nativeHistogramMinBucketFactor: number
  readonly metricNameValidationScheme: NameValidationScheme | ''
  readonly metricNameEscapingScheme: NameEscapingScheme | ''
  readonly discovery: readonly DiscoveryConfig[]
  readonly http: HttpClientConfig
  readonly relabelConfigs: readonly RelabelRule[]
  readonly metricRelabelConfigs: readonly RelabelRule[]
}

/** The seven limits, 0 by default. */
export const scrapeLimits: ObjectCodec<ScrapeLimits> = object<ScrapeLimits>('config.plain', {
  bodySizeLimitBytes: field('body_size_limit', sizeBytes, 0),
  sampleLimit: field('sample_limit', unsigned, 0),
  targetLimit: field('target_limit', unsigned, 0),
  labelLimit: field('label_limit', unsigned, 0),
  labelNameLengthLimit: field('label_name_length_limit', unsigned, 0),
  labelValueLengthLimit: field('label_value_length_limit', unsigned, 0),
  keepDroppedTargets: field('keep_dropped_targets', unsigned, 0),
})

const scheme: Codec<'http' | 'https'> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    if (given === 'http' || given === 'https') return given
    return context.fail(node, `unsupported scheme ${JSON.stringify(given)}: want http or https`)
  },
  encode: (value) => value,
}

/** One entry of `scrape_configs`. Keys in the order in which Prometheus prints them. */
export const rawScrapeConfig: ObjectCodec<RawScrapeConfig> = object<RawScrapeConfig>(
  'config.ScrapeConfig',
  {
    jobName: field('job_name', string, '', { always: true }),
    honorLabels: field('honor_labels', boolean, false),
    honorTimestamps: field('honor_timestamps', boolean, true, { always: true }),
    trackTimestampsStaleness: field('track_timestamps_staleness', boolean, false, { always: true }),
    params: field('params', map(list(string), { goType: 'url.Values' }), {}),
    scrapeIntervalMs: field('scrape_interval', durationMs, 0),
    scrapeTimeoutMs: field('scrape_timeout', durationMs, 0),
    scrapeProtocols: optional('scrape_protocols', protocolNames),
    fallbackScrapeProtocol: optional('fallback_scrape_protocol', text as Codec<ScrapeProtocol>),
    scrapeNativeHistograms: optional('scrape_native_histograms', boolean, { always: true }),
    alwaysScrapeClassicHistograms: optional('always_scrape_classic_histograms', boolean, { always: true }),
    convertClassicHistogramsToNhcb: optional('convert_classic_histograms_to_nhcb', boolean, { always: true }),
    scrapeFailureLogFile: field('scrape_failure_log_file', filePath, ''),
    metricsPath: field('metrics_path', string, '/metrics'),
    scheme: field('scheme', scheme, 'http'),
    enableCompression: optional('enable_compression', boolean, { always: true }),
    limits: inline(scrapeLimits),
    nativeHistogramBucketLimit: field('native_histogram_bucket_limit', unsigned, 0),
    nativeHistogramMinBucketFactor: field('native_histogram_min_bucket_factor', float, 0),
    metricNameValidationScheme: field('metric_name_validation_scheme', nameValidationScheme, ''),
    metricNameEscapingScheme: field('metric_name_escaping_scheme', nameEscapingScheme, ''),
    extraScrapeMetrics: optional('extra_scrape_metrics', boolean, { always: true }),
    http: inline(httpClientConfig),
    relabelConfigs: field('relabel_configs', relabelRules('empty or null target relabeling rule in scrape config'), []),
    metricRelabelConfigs: field('metric_relabel_configs', relabelRules('empty or null metric relabeling rule in scrape config'), []),
    discovery: inline(discoveries),
  },
  {
    check(value, { fail }: Checker) {
      if (value.jobName === '') fail('job_name is empty', 'job_name')
      // Relabelling may still replace an address.
      const problem = value.relabelConfigs.length === 0 ? checkStaticTargets(value.discovery) : undefined
      if (problem !== undefined) fail(problem, 'static_configs')
    },
  },
)

/** The settings of `global` that scrape configs take over. */
export interface ScrapeDefaults extends ScrapeLimits {
  readonly scrapeIntervalMs: number
  readonly scrapeTimeoutMs: number
  readonly scrapeProtocols: readonly ScrapeProtocol[]
  readonly hasOwnProtocols: boolean
  readonly scrapeFailureLogFile?: string
  readonly metricNameValidationScheme: NameValidationScheme
  readonly metricNameEscapingScheme?: NameEscapingScheme
  readonly scrapeNativeHistograms: boolean
  readonly alwaysScrapeClassicHistograms: boolean
  readonly convertClassicHistogramsToNhcb: boolean
  readonly extraScrapeMetrics: boolean
}

/** Fills in what `global` says and makes the checks that need it. */
export function completeScrapeConfig(raw: RawScrapeConfig, defaults: ScrapeDefaults, context: DecodeContext): ScrapeConfig {
  const job = `for scrape config with job name ${JSON.stringify(raw.jobName)}`
  const fail = (text_: string, key?: string): never => context.failAt(raw, key, text_)
  const scrapeIntervalMs = raw.scrapeIntervalMs === 0 ? defaults.scrapeIntervalMs : raw.scrapeIntervalMs
  if (raw.scrapeTimeoutMs > scrapeIntervalMs) fail(`scrape timeout greater than scrape interval ${job}`, 'scrape_timeout')
  const scrapeTimeoutMs = raw.scrapeTimeoutMs === 0 ? Math.min(defaults.scrapeTimeoutMs, scrapeIntervalMs) : raw.scrapeTimeoutMs

  const scrapeNativeHistograms = raw.scrapeNativeHistograms ?? defaults.scrapeNativeHistograms
  const inherited = scrapeNativeHistograms && !defaults.hasOwnProtocols ? protobufFirstProtocols : defaults.scrapeProtocols
  const protocols = raw.scrapeProtocols ?? inherited
  const problem = checkScrapeProtocols(protocols)
  if (problem !== undefined) fail(`${problem} ${job}`, 'scrape_protocols')
  const fallback = raw.fallbackScrapeProtocol
  const fallbackProblem = fallback === undefined ? undefined : checkScrapeProtocol(fallback)
  if (fallbackProblem !== undefined) fail(`invalid fallback_scrape_protocol ${job}: ${fallbackProblem}`, 'fallback_scrape_protocol')

  const validation = raw.metricNameValidationScheme === '' ? defaults.metricNameValidationScheme : raw.metricNameValidationScheme
  const escaping = raw.metricNameEscapingScheme === '' ? defaults.metricNameEscapingScheme : raw.metricNameEscapingScheme
  const wanted = escaping ?? (validation === 'utf8' ? 'allow-utf-8' : 'underscores')
  if (validation === 'legacy' && wanted === 'allow-utf-8') {
    fail('utf8 metric names requested but validation scheme is not set to UTF8', 'metric_name_escaping_scheme')
  }
  if (validation === 'legacy') for (const rules of [raw.relabelConfigs, raw.metricRelabelConfigs]) requireLegacyNames(rules, context)

  const { limits, scrapeFailureLogFile, ...rest } = raw
  const failureLog = scrapeFailureLogFile === '' ? defaults.scrapeFailureLogFile : scrapeFailureLogFile
  return context.inherit(raw, {
    ...rest,
    enableCompression: raw.enableCompression ?? true,
    compression: raw.enableCompression === undefined ? 'auto' : raw.enableCompression ? 'on' : 'off',
    scrapeIntervalMs,
    scrapeTimeoutMs,
    scrapeProtocols: protocols,
    scrapeNativeHistograms,
    alwaysScrapeClassicHistograms: raw.alwaysScrapeClassicHistograms ?? defaults.alwaysScrapeClassicHistograms,
    convertClassicHistogramsToNhcb: raw.convertClassicHistogramsToNhcb ?? defaults.convertClassicHistogramsToNhcb,
    extraScrapeMetrics: raw.extraScrapeMetrics ?? defaults.extraScrapeMetrics,
    ...(failureLog === undefined ? {} : { scrapeFailureLogFile: failureLog }),
    bodySizeLimitBytes: limits.bodySizeLimitBytes || defaults.bodySizeLimitBytes,
    sampleLimit: limits.sampleLimit || defaults.sampleLimit,
    targetLimit: limits.targetLimit || defaults.targetLimit,
    labelLimit: limits.labelLimit || defaults.labelLimit,
    labelNameLengthLimit: limits.labelNameLengthLimit || defaults.labelNameLengthLimit,
    labelValueLengthLimit: limits.labelValueLengthLimit || defaults.labelValueLengthLimit,
    keepDroppedTargets: limits.keepDroppedTargets || defaults.keepDroppedTargets,
    metricNameValidationScheme: validation,
    metricNameEscapingScheme: wanted,
  })
}

/** One job as YAML with all defaults, secrets covered. */
export function printScrapeConfig(config: ScrapeConfig): string {
  return printYaml(rawScrapeConfig.encode(toRawScrapeConfig(config)))
}

/** The form that `rawScrapeConfig` prints. */
export function toRawScrapeConfig(config: ScrapeConfig): RawScrapeConfig {
  return { ...config, limits: config, scrapeFailureLogFile: config.scrapeFailureLogFile ?? '' }
}
