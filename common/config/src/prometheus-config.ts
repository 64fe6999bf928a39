import type { Labels } from '@narthex/model/labels'
import type { RelabelRule } from '@narthex/relabel/relabel'
import type { Sigv4Config } from './cloud-auth-config.ts'
import { integer, list, string } from './codec.ts'
import { ConfigError } from './config-error.ts'
import type { DiscoveryConfig } from './discovery-config.ts'
import {
  completeEmbeddedExporters,
  embeddedExporters,
  type EmbeddedExporterConfig,
  type RawEmbeddedExporters,
} from './embedded-exporters.ts'
import { expandEnvironment } from './expand-environment.ts'
import { globalConfig } from './global-config.ts'
import type { HttpClientConfig, TlsConfig } from './http-client-config.ts'
import { field, object, optional, type ObjectCodec } from './object-codec.ts'
import { alertingConfig, otlpConfig, storageConfig, tracingConfig } from './prometheus-sections.ts'
import { requireLegacyNames } from './relabel-config.ts'
import { remoteReadConfig, remoteWriteConfig, type RemoteReadConfig, type RemoteWriteConfig } from './remote-config.ts'
import {
  completeScrapeConfig,
  rawScrapeConfig,
  toRawScrapeConfig,
  type NameEscapingScheme,
  type NameValidationScheme,
  type RawScrapeConfig,
  type ScrapeConfig,
  type ScrapeLimits,
  type ScrapeProtocol,
} from './scrape-config.ts'
import { diskFiles, loadScrapeConfigFiles, type ConfigFiles } from './scrape-config-files.ts'
import { openYaml, type Codec, type DecodeContext } from './yaml-decode.ts'
import { printYaml } from './yaml-print.ts'

export type { DiscoveryConfig } from './discovery-config.ts'
export type { HttpClientConfig } from './http-client-config.ts'
export type { RemoteReadConfig, RemoteWriteConfig } from './remote-config.ts'
export type { ScrapeConfig, ScrapeProtocol } from './scrape-config.ts'

export type ConfigMode = 'server' | 'agent'

export interface GlobalConfig extends ScrapeLimits {
  readonly scrapeIntervalMs: number
  readonly scrapeTimeoutMs: number
  readonly scrapeProtocols: readonly ScrapeProtocol[]
  /** Whether the file lists `scrape_protocols` here: then native histograms do not change the list. */
  readonly hasOwnProtocols: boolean
  readonly evaluationIntervalMs: number
  readonly ruleQueryOffsetMs: number
  readonly queryLogFile?: string
  readonly scrapeFailureLogFile?: string
  /** Environment variables expanded. */
  readonly externalLabels: Labels
  readonly metricNameValidationScheme: NameValidationScheme
  readonly metricNameEscapingScheme?: NameEscapingScheme
  readonly scrapeNativeHistograms: boolean
  readonly alwaysScrapeClassicHistograms: boolean
  readonly convertClassicHistogramsToNhcb: boolean
  readonly extraScrapeMetrics: boolean
}

export interface AlertmanagerTarget {
  readonly scheme: 'http' | 'https'
  readonly pathPrefix: string
  readonly timeoutMs: number
  readonly apiVersion: 'v2'
  readonly discovery: readonly DiscoveryConfig[]
  readonly http: HttpClientConfig
  readonly sigv4?: Sigv4Config
  readonly relabelConfigs: readonly RelabelRule[]
  readonly alertRelabelConfigs: readonly RelabelRule[]
}

export interface AlertingConfig {
  readonly alertRelabelConfigs: readonly RelabelRule[]
  readonly alertmanagers: readonly AlertmanagerTarget[]
}

export interface StorageConfig {
  /** undefined: not said in the file. */
  readonly outOfOrderTimeWindowMs?: number
  readonly staleSeriesCompactionThreshold: number
  /** undefined: not said in the file, so the flags decide. */
  readonly retentionTimeMs?: number
  readonly retentionSizeBytes?: number
  readonly retentionPercentage?: number
  readonly chunkEncodingFloats?: 'xor' | 'xor2'
  readonly maxExemplars: number
}

export interface TracingConfig {
  readonly clientType: 'grpc' | 'http'
  readonly endpoint: string
  readonly samplingFraction: number
  readonly insecure: boolean
  readonly tls?: TlsConfig
  readonly headers: Readonly<Record<string, string>>
  readonly compression?: 'gzip'
  readonly timeoutMs: number
}

export type OtlpTranslationStrategy =
  'UnderscoreEscapingWithSuffixes' | 'UnderscoreEscapingWithoutSuffixes' | 'NoUTF8EscapingWithSuffixes' | 'NoTranslation'

export interface OtlpConfig {
  readonly promoteAllResourceAttributes: boolean
  readonly promoteResourceAttributes: readonly string[]
  readonly ignoreResourceAttributes: readonly string[]
  readonly translationStrategy: OtlpTranslationStrategy
  readonly keepIdentifyingResourceAttributes: boolean
  readonly convertHistogramsToNhcb: boolean
  readonly promoteScopeMetadata: boolean
  readonly labelNameUnderscoreSanitization: boolean
  readonly labelNamePreserveMultipleUnderscores: boolean
}

/** A whole `prometheus.yml`, checked, defaults filled in, relative paths resolved against the file's directory. */
export interface PrometheusConfig {
  /** Path and text as given. */
  readonly path: string
  readonly text: string
  readonly global: GlobalConfig
  readonly gogc?: number
  /** Those of the file, then those of `scrape_config_files`. */
  readonly scrapeConfigs: readonly ScrapeConfig[]
  /** Globs; a `*` only in the last path element. */
  readonly scrapeConfigFiles: readonly string[]
  readonly ruleFiles: readonly string[]
  readonly alerting: AlertingConfig
  readonly remoteWrite: readonly RemoteWriteConfig[]
  readonly remoteRead: readonly RemoteReadConfig[]
  readonly storage: StorageConfig
  readonly tracing?: TracingConfig
  readonly otlp: OtlpConfig
  /** Exporters that run in this process, a section of ours: those that are enabled. */
  readonly exporters: readonly EmbeddedExporterConfig[]
  /** Every file that was read besides this one, to watch for changes. */
  readonly includedFiles: readonly string[]
  /** Keys with a value that nothing acts on so far, as `line 12: tracing`; print one warning each. */
  readonly notYet: readonly string[]
  /** The effective config as `/api/v1/status/config` shows it: defaults filled in, secrets as `<secret>`. */
  redactedYaml(): string
}

export interface ParseOptions {
  readonly path: string
  readonly mode: ConfigMode
  /** For `%{NAME}` anywhere, and `$NAME` and `${NAME}` in external_labels; default: this process's. */
  readonly env?: NodeJS.ProcessEnv
  /** Where `scrape_config_files` are; default: the disk. */
  readonly files?: ConfigFiles
}

interface RawConfig {
  readonly global: GlobalConfig
  readonly runtime: { readonly gogc: number }
  readonly alerting: AlertingConfig
  readonly ruleFiles: readonly string[]
  readonly scrapeConfigFiles: readonly string[]
  readonly scrapeConfigs: readonly RawScrapeConfig[]
  readonly storage: StorageConfig
  readonly tracing?: TracingConfig
  readonly remoteWrite: readonly RemoteWriteConfig[]
  readonly remoteRead: readonly RemoteReadConfig[]
  readonly otlp: OtlpConfig
  readonly exporters: RawEmbeddedExporters
}

const lastElementGlob = /^[^*]*(\*[^/]*)?$/

/** A path with a `*` in its last element at most, resolved against the file's directory. */
function fileGlob(kind: string): Codec<string> {
  return {
    goType: 'string',
    takesNull: true,
    decode(node, context) {
      const given = string.decode(node, context)
      if (!lastElementGlob.test(given)) context.fail(node, `invalid ${kind} file path ${JSON.stringify(given)}`)
      return context.joinPath(given)
    },
    encode: (value) => value,
  }
}

const runtimeConfig = object<RawConfig['runtime']>('config.RuntimeConfig', { gogc: field('gogc', integer, 75) })

/** How a job's place is told that is not in a file of `scrape_config_files`. */
const mainFile = 'main config file'

const scrapeConfigList = list(rawScrapeConfig, { goType: '[]*config.ScrapeConfig', emptyText: 'empty or null scrape config section' })

const rawConfig: ObjectCodec<RawConfig> = object<RawConfig>('config.plain', {
  global: field('global', globalConfig, globalConfig.defaults(), { always: true }),
  runtime: field('runtime', runtimeConfig, runtimeConfig.defaults()),
  alerting: field('alerting', alertingConfig, alertingConfig.defaults()),
  ruleFiles: field('rule_files', list(fileGlob('rule')), []),
  scrapeConfigFiles: field('scrape_config_files', list(fileGlob('scrape config')), []),
  scrapeConfigs: field('scrape_configs', scrapeConfigList, []),
  storage: field('storage', storageConfig, storageConfig.defaults()),
  tracing: optional('tracing', tracingConfig, { notYet: true }),
  remoteWrite: field(
    'remote_write',
    list(remoteWriteConfig, { goType: '[]*config.RemoteWriteConfig', emptyText: 'empty or null remote write config section' }),
    [],
  ),
  remoteRead: field(
    'remote_read',
    list(remoteReadConfig, { goType: '[]*config.RemoteReadConfig', emptyText: 'empty or null remote read config section' }),
    [],
    { notYet: true },
  ),
  otlp: field('otlp', otlpConfig, otlpConfig.defaults(), { notYet: true }),
  exporters: field('exporters', embeddedExporters, embeddedExporters.defaults()),
})

/** What a file of `scrape_config_files` holds. */
const includedConfig: ObjectCodec<{ readonly scrapeConfigs: readonly RawScrapeConfig[] }> = object<{
  readonly scrapeConfigs: readonly RawScrapeConfig[]
}>('config.ScrapeConfigs', { scrapeConfigs: field('scrape_configs', scrapeConfigList, []) })

/** Reads and checks a whole `prometheus.yml`. Throws ConfigError. */
export function parsePrometheusConfig(text: string, options: ParseOptions): PrometheusConfig {
  const environment = options.env ?? process.env
  return openYaml(text, { path: options.path, environment }, (root, context) => {
    const raw = root === undefined ? rawConfig.defaults() : context.collect(() => context.read(rawConfig, root))
    const [first, ...others] = context.problems
    if (first !== undefined || raw === undefined) throw new ConfigError(options.path, [first!, ...others], 'unmarshal')
    return complete(raw, text, context, { ...options, env: environment })
  })
}

function complete(
  raw: RawConfig,
  text: string,
  context: DecodeContext,
  options: ParseOptions & { readonly env: NodeJS.ProcessEnv },
): PrometheusConfig {
  const fail = (problem: string, key?: string): never => context.failAt(raw, key, problem)
  const global = { ...raw.global, externalLabels: expandEnvironment(raw.global.externalLabels, options.env) }
  const jobs = new Map<string, string>()
  const own = raw.scrapeConfigs.map((config) => {
    const whole = completeScrapeConfig(config, global, context)
    if (jobs.has(whole.jobName)) {
      context.failAt(config, 'job_name', `found multiple scrape configs with job name ${JSON.stringify(whole.jobName)}`)
    }
    jobs.set(whole.jobName, mainFile)
    return whole
  })
  const exporters = completeEmbeddedExporters(raw.exporters, global, context)
  for (const { scrape } of exporters) {
    if (jobs.has(scrape.jobName)) fail(`found multiple scrape configs with job name ${JSON.stringify(scrape.jobName)}`, 'exporters')
    jobs.set(scrape.jobName, mainFile)
  }
  if (global.metricNameValidationScheme === 'legacy') {
    const { alertRelabelConfigs, alertmanagers } = raw.alerting
    const ofAlerts = [alertRelabelConfigs, ...alertmanagers.flatMap((one) => [one.relabelConfigs, one.alertRelabelConfigs])]
    for (const rules of [...ofAlerts, ...raw.remoteWrite.map((one) => one.writeRelabelConfigs)]) requireLegacyNames(rules, context)
  }
  checkNames(raw.remoteWrite, 'write', context)
  checkNames(raw.remoteRead, 'read', context)
  if (
    global.metricNameValidationScheme === 'legacy' &&
    ['NoUTF8EscapingWithSuffixes', 'NoTranslation'].includes(raw.otlp.translationStrategy)
  ) {
    fail(`OTLP translation strategy ${JSON.stringify(raw.otlp.translationStrategy)} is not allowed when UTF8 is disabled`, 'otlp')
  }
  if (options.mode === 'agent') checkAgentMode(raw, fail)
  const included = loadScrapeConfigFiles(
    { patterns: raw.scrapeConfigFiles, files: options.files ?? diskFiles, environment: options.env },
    jobs,
    includedConfig,
    (config, place) => completeScrapeConfig(config, global, place),
  )
  return {
    path: options.path,
    text,
    global,
    gogc: raw.runtime.gogc,
    scrapeConfigs: [...own, ...included.scrapeConfigs],
    scrapeConfigFiles: raw.scrapeConfigFiles,
    ruleFiles: raw.ruleFiles,
    alerting: raw.alerting,
    remoteWrite: raw.remoteWrite,
    remoteRead: raw.remoteRead,
    storage: raw.storage,
    ...(raw.tracing === undefined ? {} : { tracing: raw.tracing }),
    otlp: raw.otlp,
    exporters,
    includedFiles: included.paths,
    notYet: [...context.notYet, ...included.notYet],
    redactedYaml: () => printYaml(rawConfig.encode({ ...raw, global, scrapeConfigs: own.map(toRawScrapeConfig) })),
  }
}

function checkNames(configs: readonly { readonly name?: string }[], kind: 'write' | 'read', context: DecodeContext): void {
  const names = new Set<string>()
  for (const config of configs) {
    if (config.name === undefined) continue
    if (names.has(config.name)) {
      context.failAt(config, 'name', `found multiple remote ${kind} configs with job name ${JSON.stringify(config.name)}`)
    }
    names.add(config.name)
  }
}

function checkAgentMode(raw: RawConfig, fail: (problem: string, key?: string) => never): void {
  if (raw.alerting.alertmanagers.length > 0 || raw.alerting.alertRelabelConfigs.length > 0) {
    fail('field alerting is not allowed in agent mode', 'alerting')
  }
  if (raw.ruleFiles.length > 0) fail('field rule_files is not allowed in agent mode', 'rule_files')
  if (raw.remoteRead.length > 0) fail('field remote_read is not allowed in agent mode', 'remote_read')
}

export interface ConfigVerdict {
  readonly isGood: boolean
  /** What promtool prints behind FAILED, such as `parsing YAML file PATH: …`. */
  readonly goText?: string
  readonly error?: ConfigError
}

/** The verdict that `promtool check config` would give on a text. */
export function checkPrometheusConfig(text: string, path: string, mode: ConfigMode, files?: ConfigFiles): ConfigVerdict {
  try {
    parsePrometheusConfig(text, { path, mode, ...(files === undefined ? {} : { files }) })
    return { isGood: true }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { isGood: false, goText: `parsing YAML file ${path}: ${error.goText}`, error }
  }
}
