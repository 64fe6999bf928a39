import { fnv1a64 } from '@narthex/bytes/fnv'
import { describeConfig } from '@narthex/config/describe-config'
import type { ScrapeConfig } from '@narthex/config/scrape-config'
import type { Labels } from '@narthex/model/labels'
import type { TargetGroup } from '../discovery/target-groups.ts'
import { createClients } from '../http/clients.ts'
import type { Clients } from '../http/clients.ts'
import { FamilyInterner, FamilyTable } from './family-table.ts'
import { schemaOfFactor } from './limit-histogram.ts'
import { makeScrapeUrl, populateLabels } from './populate-labels.ts'
import { makeReportSeries } from './report-series.ts'
import { makeSampleLabels } from './sample-labels.ts'
import { ScrapeLoop } from './scrape-loop.ts'
import type { ScrapeContext } from './scrape-loop.ts'
import { hashTarget, makePublicLabels } from './target.ts'
import type { Target } from './target.ts'
import { TargetSeries } from './target-series.ts'

/** What a scrape must not be torn from its series by: everything but when, how and where targets are asked. */
const timingKeys: ReadonlySet<string> = new Set([
  'scrapeIntervalMs',
  'scrapeTimeoutMs',
  'http',
  'discovery',
  'relabelConfigs',
  'scrapeProtocols',
  'fallbackScrapeProtocol',
  'enableCompression',
  'bodySizeLimitBytes',
  'targetLimit',
  'keepDroppedTargets',
  'metricsPath',
  'scheme',
  'params',
  'scrapeFailureLogFile',
])

/** Discovery is the discovery stage's: the pool gets its groups. */
const discoveryKeys: ReadonlySet<string> = new Set(['discovery'])

/** The targets of one job. */
export class ScrapePool {
  readonly #context: ScrapeContext
  readonly #families = new FamilyInterner()
  #config: ScrapeConfig
  #configKey: string
  #seriesKey: string
  #clients: Clients
  #groups: readonly TargetGroup[] = []
  // By identity: public labels and URL.
  #loops = new Map<string, ScrapeLoop>()
  #ending = new Map<string, ScrapeLoop>()
  #dropped: Labels[] = []
  #droppedCount = 0

  constructor(config: ScrapeConfig, context: ScrapeContext) {
    this.#context = context
    this.#config = config
    this.#configKey = describeConfig(config, discoveryKeys)
    this.#seriesKey = describeConfig(config, timingKeys)
    this.#clients = createClients(config.http, { userAgent: context.userAgent })
    context.metrics.pools.inc()
  }

  get config(): ScrapeConfig {
    return this.#config
  }

  get loops(): IterableIterator<ScrapeLoop> {
    return this.#loops.values()
  }

  /** Discovered labels of targets that relabeling dropped, as many as the job keeps. */
  get dropped(): readonly Labels[] {
    return this.#dropped
  }

  get droppedCount(): number {
    return this.#droppedCount
  }

  /** Takes a new configuration of the same job. Targets that are still there keep their series when the new one makes the same. */
  reload(config: ScrapeConfig): void {
    const configKey = describeConfig(config, discoveryKeys)
    if (configKey === this.#configKey) return
    const seriesKey = describeConfig(config, timingKeys)
    const keepsSeries = seriesKey === this.#seriesKey
    const clients = createClients(config.http, { userAgent: this.#context.userAgent })
    const before = this.#clients
    this.#config = config
    this.#configKey = configKey
    this.#seriesKey = seriesKey
    this.#clients = clients
    this.#context.metrics.reloads.inc()
    this.#sync(true, keepsSeries)
    void before.close()
  }

  /** Takes all groups of the job: new targets start, gone ones end. */
  sync(groups: readonly TargetGroup[]): void {
    this.#groups = groups
    this.#sync(false, true)
  }

  /** Stops all scrapes. With `ends`, series are ended with stale markers later: the job is gone, not the process. */
  async stop(ends: boolean): Promise<void> {
    if (ends) for (const [identity, loop] of this.#loops) this.#end(identity, loop)
    else for (const loop of [...this.#loops.values(), ...this.#ending.values()]) loop.stop()
    if (!ends) this.#ending.clear()
    this.#loops.clear()
    await this.#clients.close()
  }

  #sync(isReload: boolean, keepsSeries: boolean): void {
    const { clock, metrics } = this.#context
    const { jobName } = this.#config
    const started = clock.elapsed()
    const wanted = this.#findTargets()
    for (const [identity, target] of wanted) {
      const running = this.#loops.get(identity)
      if (running !== undefined && !isReload && isAskedAlike(running.target, target)) {
        running.target = target
        continue
      }
      const before = running ?? this.#ending.get(identity)
      before?.stop()
      this.#ending.delete(identity)
      const loop = this.#createLoop(target, keepsSeries ? before : undefined)
      this.#loops.set(identity, loop)
      loop.start()
    }
    for (const [identity, loop] of this.#loops) {
      if (wanted.has(identity)) continue
      this.#loops.delete(identity)
      this.#end(identity, loop)
    }
    this.#applyTargetLimit()
    metrics.syncs.inc(1, jobName)
    metrics.syncLength.observe((clock.elapsed() - started) / 1000, jobName)
  }

  #findTargets(): Map<string, Target> {
    const config = this.#config
    const wanted = new Map<string, Target>()
    this.#dropped = []
    this.#droppedCount = 0
    for (const group of this.#groups) {
      group.targets.forEach((found, index) => {
        const populated = populateLabels(config, found, group.labels)
        if (populated.kind === 'failed') {
          this.#context.metrics.syncsFailed.inc(1, config.jobName)
          const err = `instance ${index} in group ${group.source}: ${populated.reason}`
          this.#context.log.error('Creating target failed', { scrape_pool: config.jobName, err })
        } else if (populated.kind === 'dropped') {
          this.#droppedCount++
          if (config.keepDroppedTargets === 0 || this.#dropped.length < config.keepDroppedTargets) this.#dropped.push(populated.discovered)
        } else {
          const { discovered, intervalMs, timeoutMs, histograms } = populated
          const labels = makePublicLabels(populated.labels)
          const url = makeScrapeUrl(populated.labels, config.params)
          const hash = hashTarget(populated.labels, url)
          const socket = populated.labels.get('__unix_socket__')
          const socketPath = socket === '' ? undefined : socket
          const target = { discovered, labels, url, intervalMs, timeoutMs, hash, histograms, socketPath }
          wanted.set(`${url}\n${labels.key()}\n${socket}`, target)
        }
      })
    }
    return wanted
  }

  #createLoop(target: Target, before: ScrapeLoop | undefined): ScrapeLoop {
    const config = this.#config
    const families = before?.families ?? new FamilyTable(this.#families)
    const series = before?.series ?? this.#createSeries(target, families)
    const loop = new ScrapeLoop({ config, target, series, families, clients: this.#clients, context: this.#context })
    if (before !== undefined) loop.takeOver(before)
    return loop
  }

  #createSeries(target: Target, families: FamilyTable): TargetSeries {
    const config = this.#config
    const rules = {
      targetLabels: target.labels,
      honorLabels: config.honorLabels,
      metricRelabelConfigs: config.metricRelabelConfigs,
      limits: config,
      legacyNames: config.metricNameValidationScheme === 'legacy',
    }
    return new TargetSeries({
      target: numberOf(target.labels),
      reportSeries: makeReportSeries(target.labels, config.extraScrapeMetrics),
      families,
      honorTimestamps: config.honorTimestamps,
      trackTimestampsStaleness: config.trackTimestampsStaleness,
      sampleLimit: config.sampleLimit,
      histogramLimits: {
        bucketLimit: config.nativeHistogramBucketLimit,
        schemaMax: schemaOfFactor(config.nativeHistogramMinBucketFactor),
      },
      startTimestamps: this.#context.startTimestamps,
      makeLabels: (scraped) => makeSampleLabels(scraped, rules),
    })
  }

  #end(identity: string, loop: ScrapeLoop): void {
    this.#ending.set(identity, loop)
    loop.end(() => this.#ending.delete(identity))
  }

  #applyTargetLimit(): void {
    const { targetLimit } = this.#config
    const isOver = targetLimit > 0 && this.#loops.size > targetLimit
    if (isOver) this.#context.metrics.targetLimit.inc()
    const error = isOver ? `target_limit exceeded (number of targets: ${this.#loops.size}, limit: ${targetLimit})` : undefined
    for (const loop of this.#loops.values()) loop.forcedError = error
  }
}

/** Whether a loop may go on as it is: it differs at most in what it was discovered with. */
function isAskedAlike(a: Target, b: Target): boolean {
  const { nativeHistograms, alwaysClassic, convertClassic } = a.histograms
  return (
    a.intervalMs === b.intervalMs &&
    a.timeoutMs === b.timeoutMs &&
    nativeHistograms === b.histograms.nativeHistograms &&
    alwaysClassic === b.histograms.alwaysClassic &&
    convertClassic === b.histograms.convertClassic
  )
}

/** The same for the same labels, after a reload and a restart too: so their samples stay in one queue, in order. Others may share it. */
function numberOf(labels: Labels): number {
  return Number(fnv1a64(Buffer.from(labels.key())) & 0xffffffffn)
}
