import type { AlertmanagerConfig, IntegrationConfig, ReceiverConfig } from './config-shape.ts'
import type { ApiAnswer } from './api/api-answer.ts'
import type { ApiParts, ApiRequest, VersionInfo } from './api/handle-api.ts'
import type { Clock } from '@narthex/service/clock'
import type { HttpPost } from './notify/http-post.ts'
import type { Integration, Receiver } from './notify/integration.ts'
import type { Logger } from '@narthex/service/logger'
import type { NotificationRecord } from './history/notification-history.ts'
import type { Registry } from '@narthex/service/metrics'
import { AlertStore } from './alert-store.ts'
import { buildRoute, collectReceivers } from './routing/route.ts'
import { createMemoryIntegration, memoryReceiverName } from './integrations/memory/memory.ts'
import { createMetrics, showIntegrationMetrics } from './alertmanager-metrics.ts'
import { createUnbuilt } from './integrations/unbuilt/unbuilt.ts'
import { createWebhook } from './integrations/webhook/webhook.ts'
import { describeStatus, storeAlerts } from './api/alerts-api.ts'
import { Dispatcher } from './grouping/dispatcher.ts'
import { handleApi } from './api/handle-api.ts'
import { Inhibitor } from './inhibit/inhibitor.ts'
import { join } from 'node:path'
import { NotificationHistory } from './history/notification-history.ts'
import { NotificationLog } from './notify/notification-log.ts'
import { parseRfc3339 } from './rfc3339.ts'
import { Pipeline } from './notify/pipeline.ts'
import { SilenceStore } from './silence/silence-store.ts'
import { Suppression } from './notify/suppression.ts'
import { xxhash64 } from '@narthex/bytes/xxhash64'

export interface AlertmanagerOptions {
  readonly config: AlertmanagerConfig
  /** Holds the files `silences` and `nflog`. */
  readonly storagePath: string
  readonly log: Logger
  readonly registry: Registry
  readonly clock: Clock
  readonly httpPost: HttpPost
  /** Without a trailing slash. */
  readonly externalUrl: string
  readonly versionInfo: VersionInfo
  /** How long ended silences and log entries are kept (`--data.retention`), default 120 h. */
  readonly retentionMs?: number
  /** How often ended alerts are forgotten (`--alerts.gc-interval`), default 30 min. */
  readonly alertsGcIntervalMs?: number
  /** `--silences.max-silences`, 0 is no limit. */
  readonly silencesMax?: number
  /** Most alerts known at once, default 1,000,000. */
  readonly alertsMax?: number
  /** A number in [0, 1) for the jitter of retries. */
  readonly random?: () => number
}

/** An alert that comes by function call; times in RFC 3339. */
export interface IncomingAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly startsAt: string
  readonly endsAt: string
  readonly generatorURL: string
}

export interface Alertmanager {
  handleApi(request: ApiRequest): ApiAnswer
  /** Takes alerts without HTTP. Gives the problems of those that were refused, or undefined. */
  receive(alerts: readonly IncomingAlert[]): string | undefined
  /** Replaces the configuration: routes and groups are built anew from the alerts in memory; what was told is not told again. */
  reload(config: AlertmanagerConfig): void
  /** Says that a new configuration could not be loaded. */
  noteReloadFailure(): void
  /** The newest messages first, at most 200. */
  recentNotifications(): NotificationRecord[]
  /** Ends deliveries and saves silences and notification log. */
  stop(): Promise<void>
}

interface Running {
  readonly config: AlertmanagerConfig
  readonly dispatcher: Dispatcher
  readonly inhibitor: Inhibitor
  readonly suppression: Suppression
  readonly receiverNames: readonly string[]
}

const retentionMsDefault = 120 * 3_600_000
const alertsGcIntervalMsDefault = 30 * 60_000

/** Starts an alertmanager. Rejects if its files are there and cannot be read. */
export async function createAlertmanager(options: AlertmanagerOptions): Promise<Alertmanager> {
  const { clock, externalUrl, log, registry, storagePath, versionInfo, retentionMs = retentionMsDefault, random = Math.random } = options
  const startedAtMs = clock.now()
  const metrics = createMetrics(registry)
  const alerts = new AlertStore(clock, options.alertsMax)
  const history = new NotificationHistory()
  const stores = { clock, log, registry, retentionMs }
  const silencesMax = options.silencesMax ?? 0
  const silences = await SilenceStore.open({ ...stores, path: join(storagePath, 'silences'), silencesMax })
  const notificationLog = await NotificationLog.open({ ...stores, path: join(storagePath, 'nflog') })
  let running = run(options.config)
  let cancelGarbage = () => {}
  armGarbage()
  collectMetrics()

  function run(config: AlertmanagerConfig): Running {
    const route = buildRoute(config.route)
    const used = collectReceivers(route)
    const receivers = new Map(config.receivers.filter(({ name }) => used.has(name)).map((receiver) => [receiver.name, build(receiver)]))
    const inhibitor = new Inhibitor(config.inhibitRules, alerts, clock)
    const suppression = new Suppression(inhibitor, silences, config.timeIntervals)
    const pipeline = new Pipeline({ receivers, suppression, notificationLog, history, externalUrl, clock, random, log, metrics })
    const { processingDuration } = metrics
    const flushGroup = pipeline.notifyGroup.bind(pipeline)
    const dispatcher = new Dispatcher({ route, alerts, clock, flushGroup, processingDuration })
    metrics.receivers.set(receivers.size)
    metrics.integrations.set([...receivers.values()].reduce((sum, receiver) => sum + receiver.integrations.length, 0))
    metrics.inhibitionRules.set(config.inhibitRules.length)
    // 48 bits, as Alertmanager has it: they fit a float.
    metrics.configHash.set(Number(xxhash64(Buffer.from(config.text)) & 0xffff_ffff_ffffn))
    metrics.reloadSuccessful.set(1)
    metrics.reloadTime.set(clock.now() / 1000)
    return { config, dispatcher, inhibitor, suppression, receiverNames: config.receivers.map(({ name }) => name) }
  }

  function build(receiver: ReceiverConfig): Receiver {
    const counts = new Map<string, number>()
    const integrations = receiver.integrations.map((config) => {
      const kind = config.kind === 'webhook' ? 'webhook' : config.integration
      const index = counts.get(kind) ?? 0
      counts.set(kind, index + 1)
      if (config.kind === 'unbuilt' && index === 0) log.warn(`receiver ${receiver.name}: ${kind}_configs is not built yet`)
      return buildIntegration(config, index, options.httpPost, versionInfo.version)
    })
    if (receiver.name === memoryReceiverName) integrations.push(createMemoryIntegration())
    for (const { name } of integrations) showIntegrationMetrics(metrics, name)
    return { name: receiver.name, integrations }
  }

  function halt(parts: Running): void {
    parts.dispatcher.stop()
    parts.inhibitor.stop()
  }

  function armGarbage(): void {
    cancelGarbage = clock.setTimer(() => {
      alerts.collectGarbage()
      armGarbage()
    }, options.alertsGcIntervalMs ?? alertsGcIntervalMsDefault)
  }

  function apiParts(): ApiParts {
    const { config, dispatcher, receiverNames, suppression } = running
    const { resolveTimeoutMs, text: configText } = config
    return {
      alerts,
      clock,
      configText,
      dispatcher,
      metrics,
      receiverNames,
      resolveTimeoutMs,
      silences,
      startedAtMs,
      suppression,
      versionInfo,
    }
  }

  function collectMetrics(): void {
    const { branch, goVersion, revision, version } = versionInfo
    const buildLabels = ['branch', 'goarch', 'goos', 'goversion', 'revision', 'version']
    const build = registry.gauge('alertmanager_build_info', 'The version that runs.', buildLabels)
    build.set(1, branch, process.arch, process.platform, goVersion, revision, version)
    const byState = registry.gauge('alertmanager_alerts', 'Alerts by state.', ['state'])
    const marked = registry.gauge('alertmanager_marked_alerts', 'Alerts by state, ended ones included.', ['state'])
    const groups = registry.gauge('alertmanager_dispatcher_aggregation_groups', 'Groups of alerts.')
    registry.onCollect(() => {
      const counts = { active: 0, suppressed: 0, unprocessed: 0 }
      for (const alert of alerts.all()) counts[describeStatus(running, alert, []).state]++
      for (const [state, count] of Object.entries(counts)) {
        byState.set(count, state)
        marked.set(count, state)
      }
      groups.set(running.dispatcher.groupCount)
    })
  }

  return {
    handleApi: (request) => handleApi(apiParts(), request),
    receive(incoming) {
      const posted = incoming.map(({ startsAt, endsAt, ...rest }) => ({
        ...rest,
        startsAtNs: parseRfc3339(startsAt),
        endsAtNs: parseRfc3339(endsAt),
      }))
      const problems = storeAlerts(apiParts(), posted)
      return problems.length > 0 ? problems.join('; ') : undefined
    },
    reload(config) {
      halt(running)
      running = run(config)
    },
    noteReloadFailure: () => metrics.reloadSuccessful.set(0),
    recentNotifications: () => history.recent(),
    async stop() {
      cancelGarbage()
      halt(running)
      await Promise.all([silences.close(), notificationLog.close()])
    },
  }
}

function buildIntegration(config: IntegrationConfig, index: number, httpPost: HttpPost, version: string): Integration {
  if (config.kind === 'unbuilt') return createUnbuilt(config, index)
  return createWebhook({ config, index, httpPost, userAgent: `Alertmanager/${version}` })
}
