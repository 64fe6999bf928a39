import { globSync, readFileSync } from 'node:fs'
import { adaptConfig } from '@narthex/alertmanager/adapt-config'
import { createAlertmanager, type Alertmanager } from '@narthex/alertmanager/alertmanager'
import { builtinConfig as builtinAlertmanagerConfig } from '@narthex/alertmanager/builtin-config'
import { createHttpPoster } from '@narthex/alertmanager/notify/http-poster'
import type { RuleFilter, RuleGroupsView } from '@narthex/api/backend'
import { parseAlertmanagerConfig } from '@narthex/config/alertmanager-config'
import type { PrometheusConfig } from '@narthex/config/prometheus-config'
import { parseRuleFile, type RuleGroupConfig } from '@narthex/config/rule-file'
import { createDirectDestination } from '@narthex/rules/alert-destination'
import { viewAlerts, viewRuleGroups } from '@narthex/rules/api-view'
import { builtinRules, builtinRulesPath } from '@narthex/rules/builtin-rules'
import { systemClock } from '@narthex/service/clock'
import type { BeginAppend, QueryFunction, SelectLastSamples } from '@narthex/rules/interfaces'
import { Notifier, type AlertDestination } from '@narthex/rules/notifier'
import { RuleManager } from '@narthex/rules/rule-manager'
import type { Logger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { UserError } from '@narthex/service/user-error'
import type { FastifyInstance } from 'fastify'
import { noDestinations, openDestinations, type AlertDestinations } from './alert-destinations.ts'
import { mountAlertmanager } from './alertmanager-routes.ts'
import { toParseOptions } from './feature-flags.ts'
import { createRuleChecks } from './rule-checks.ts'
import type { ServerSettings } from './server.ts'

export interface AlertmanagerSettings {
  /** Empty: the built-in configuration, which keeps what it delivers in memory. */
  readonly configFile: string
  readonly storagePath: string
  /** Rules that run besides the configured ones (`up`). */
  readonly builtinRules?: boolean
}

export interface AlertingOptions {
  readonly log: Logger
  readonly registry: Registry
  readonly settings: ServerSettings
  readonly query: QueryFunction
  readonly selectLastSamples: SelectLastSamples
  readonly beginAppend: BeginAppend
}

const embeddedUrl = 'embedded:///alertmanager/api/v2/alerts'

/** Rules, the notifier, and the embedded alertmanager (off while the configuration names others). */
export class AlertingParts {
  readonly #options: AlertingOptions
  readonly #rules: RuleManager
  readonly #notifier: Notifier
  readonly #poster = createHttpPoster()
  #destinations = noDestinations
  #embedded: Alertmanager | undefined
  // A new alertmanager registers its metrics anew.
  #alertmanagerRegistry = new Registry()

  constructor(options: AlertingOptions) {
    const { log, registry, settings, query, selectLastSamples, beginAppend } = options
    this.#options = options
    this.#notifier = new Notifier({
      clock: systemClock,
      log,
      registry,
      queueCapacity: settings.notificationQueue,
      batchSize: settings.notificationBatch,
    })
    const parse = toParseOptions(settings.features)
    this.#rules = new RuleManager({
      query,
      beginAppend,
      selectLastSamples,
      sender: this.#notifier,
      parseOptions: parse,
      clock: systemClock,
      log,
      registry,
      resendDelayMs: settings.resendDelayMs,
      outageToleranceMs: settings.outageToleranceMs,
      gracePeriodMs: settings.gracePeriodMs,
    })
  }

  /** Loads rule files and destinations; throws ConfigError or UserError for a wrong file, before anything has changed. */
  async apply(config: PrometheusConfig): Promise<void> {
    const { settings } = this.#options
    const groups = this.#loadRules(config)
    const externalLabels = config.global.externalLabels.toRecord()
    const opened = await this.#openDestinations(config)
    const replaced = this.#destinations
    this.#destinations = opened
    this.#notifier.update({ externalLabels, relabelRules: config.alerting.alertRelabelConfigs, destinations: opened.destinations })
    if (config.alerting.alertmanagers.length > 0) {
      await this.#embedded?.stop()
      this.#embedded = undefined
    }
    await this.#rules.update({
      groups,
      evaluationIntervalMs: config.global.evaluationIntervalMs,
      queryOffsetMs: config.global.ruleQueryOffsetMs,
      externalLabels,
      externalUrl: settings.externalUrl,
    })
    await replaced.close()
  }

  start(): void {
    this.#rules.start()
  }

  async stop(drainMs: number): Promise<void> {
    await this.#rules.stop()
    await this.#notifier.stop(drainMs)
    await this.#embedded?.stop()
    await this.#destinations.close()
    await this.#poster.close()
  }

  registerRoutes(app: FastifyInstance): void {
    mountAlertmanager(app, '/alertmanager', { registry: () => this.#alertmanagerRegistry, alertmanager: () => this.#embedded })
  }

  viewRules(filter: RuleFilter): RuleGroupsView {
    return viewRuleGroups(this.#rules.groups(), {
      type: filter.type === 'alert' || filter.type === 'record' ? filter.type : undefined,
      ruleNames: filter.names,
      ruleGroups: filter.groups,
      files: filter.files,
      excludeAlerts: filter.excludeAlerts,
      matcherSets: filter.matcherSets,
    })
  }

  viewAlerts(): unknown {
    return viewAlerts(this.#rules.groups())
  }

  destinationUrls(): string[] {
    return this.#notifier.destinationUrls()
  }

  /** What the embedded alertmanager delivered, newest first. */
  recentNotifications(): unknown {
    return this.#embedded?.recentNotifications() ?? []
  }

  #loadRules(config: PrometheusConfig): RuleGroupConfig[] {
    const checks = createRuleChecks(this.#options.settings.features)
    const groups: RuleGroupConfig[] = []
    if (this.#options.settings.alertmanager.builtinRules) groups.push(...parseRuleFile(builtinRules, builtinRulesPath, checks))
    for (const pattern of config.ruleFiles) {
      for (const path of globSync(pattern).sort()) groups.push(...parseRuleFile(readText(path, 'rule file'), path, checks))
    }
    return groups
  }

  async #openDestinations({ alerting }: PrometheusConfig): Promise<AlertDestinations> {
    const { log, settings } = this.#options
    if (alerting.alertmanagers.length === 0) return { ...noDestinations, destinations: [await this.#useEmbedded()] }
    return openDestinations(alerting, { log, userAgent: `Prometheus/${settings.compatibleVersion}` })
  }

  async #useEmbedded(): Promise<AlertDestination> {
    const { log, settings } = this.#options
    const { configFile } = settings.alertmanager
    const parsed = parseAlertmanagerConfig(
      configFile === '' ? builtinAlertmanagerConfig : readText(configFile, 'alertmanager config file'),
      configFile === '' ? 'built-in alertmanager configuration' : configFile,
    )
    const config = adaptConfig(parsed)
    if (this.#embedded) {
      this.#embedded.reload(config)
    } else {
      const { version, compatibleVersion, externalUrl } = settings
      this.#alertmanagerRegistry = new Registry()
      this.#embedded = await createAlertmanager({
        config,
        storagePath: settings.alertmanager.storagePath,
        log: log.with({ component: 'alertmanager' }),
        registry: this.#alertmanagerRegistry,
        clock: systemClock,
        externalUrl: `${externalUrl}/alertmanager`,
        versionInfo: {
          version: compatibleVersion,
          revision: `narthex-${version}`,
          branch: 'narthex',
          buildDate: '',
          buildUser: '',
          goVersion: `node ${process.version}`,
        },
        httpPost: this.#poster.post,
      })
    }
    return createDirectDestination(embeddedUrl, (alerts) => this.#embedded?.receive(alerts) ?? undefined)
  }
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new UserError(`cannot read ${what} ${path}: ${code === 'ENOENT' ? 'no such file or directory' : message}`, 2, { cause })
  }
}
