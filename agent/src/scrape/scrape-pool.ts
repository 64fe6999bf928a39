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
import { inProcessKey } from './in-process.ts'
import { makeReportSeries } from './report-series.ts'
import { makeSampleLabels, onlyJoinedLabels } from './sample-labels.ts'
import { ScrapeLoop } from './scrape-loop.ts'
import type { ScrapeContext } from './scrape-loop.ts'
import { isOfShard, isOfThisMachine } from './target-shard.ts'
import { hashTarget, makePublicLabels } from './target.ts'
import type { Target } from './target.ts'
import { TargetSeries } from './target-series.ts'
import type { TargetSeriesOptions } from './target-series.ts'

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
  'compression',
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

/** Longest that relabelling and starting targets keep the event loop in one go: scrapes are due meanwhile. */
const sliceMs = 10

/** A group as it was applied. */
interface AppliedGroup {
  readonly group: TargetGroup
  /** What it was relabelled by. */
  readonly config: ScrapeConfig
  readonly identities: readonly string[]
  readonly dropped: readonly Labels[]
  /** How many other agents scrape. */
  readonly otherShards: number
}

/** Targets of a group that are not scraped. */
interface LeftOut {
  readonly dropped: Labels[]
  otherShards: number
}

/** The targets of one job. */
export class ScrapePool {
  readonly #context: ScrapeContext
  readonly #families = new FamilyInterner()
  #config: ScrapeConfig
  #configKey: string
  #seriesKey: string
  #clients: Clients
  #groups: readonly TargetGroup[] = []
  // By source. Work is done for groups that changed only: another object is another group.
  readonly #applied = new Map<string, AppliedGroup>()
  // By identity: public labels and URL; how many groups have it, and which may have none any more.
  readonly #holders = new Map<string, number>()
  readonly #released = new Set<string>()
  #loops = new Map<string, ScrapeLoop>()
  #ending = new Map<string, ScrapeLoop>()
  // By labels: the identity that has no group any more. A target of the same labels, asked elsewhere, goes on with its series.
  readonly #leaving = new Map<string, string>()
  readonly #seriesKeys = new WeakMap<ScrapeLoop, string>()
  #droppedCount = 0
  /** Targets of applied groups whose loops are still to be looked after. */
  readonly #waiting: [identity: string, target: Target][] = []
  /** The sync that is under way. */
  #steps: Iterator<void> | undefined
  readonly #oldClients: Clients[] = []
  /** Set while the job is gone. */
  #onEnded: (() => void) | undefined

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
    const dropped: Labels[] = []
    const { keepDroppedTargets } = this.#config
    for (const group of this.#applied.values()) {
      for (const labels of group.dropped) {
        if (keepDroppedTargets > 0 && dropped.length >= keepDroppedTargets) return dropped
        dropped.push(labels)
      }
    }
    return dropped
  }

  get droppedCount(): number {
    return this.#droppedCount
  }

  /** Targets that other agents scrape: they are of other shards. */
  get otherShardCount(): number {
    let count = 0
    for (const group of this.#applied.values()) count += group.otherShards
    return count
  }

  /** Takes a new configuration of the same job. Targets that are still there keep their series when the new one makes the same. */
  reload(config: ScrapeConfig): void {
    if (describeConfig(config, discoveryKeys) === this.#configKey) return
    const clients = this.#clients
    this.#takeConfig(config)
    this.#oldClients.push(clients)
    this.#context.metrics.reloads.inc()
    this.#sync()
  }

  /** Takes all groups of the job: new targets start, gone ones end. What takes longer than a moment goes on in later turns of the event loop. */
  sync(groups: readonly TargetGroup[]): void {
    this.#groups = groups
    this.#sync()
  }

  /** Whether everything of the last sync is applied. */
  get isSynced(): boolean {
    return this.#steps === undefined
  }

  /** Stops all scrapes and writes nothing more: the process stops and will be back. */
  async stop(): Promise<void> {
    this.#forgetGroups()
    for (const loop of [...this.#loops.values(), ...this.#ending.values()]) loop.stop()
    this.#loops.clear()
    this.#ending.clear()
    await this.#closeClients()
  }

  /**
   * Stops all scrapes: the job is gone, not the process. Series are ended with stale markers later, and `onEnded` is called when all are. Until
   * then the job may come back: `resume`.
   */
  end(onEnded: () => void): void {
    this.#forgetGroups()
    for (const [identity, loop] of this.#loops) {
      this.#leaving.set(loop.target.labels.key(), identity)
      this.#end(identity, loop)
    }
    this.#loops.clear()
    void this.#closeClients()
    this.#onEnded = onEnded
    if (this.#ending.size === 0) onEnded()
  }

  /** The job is back before its series ended: targets that are found again go on with theirs, the others' end. Throws as the constructor does. */
  resume(config: ScrapeConfig): void {
    this.#takeConfig(config)
    this.#onEnded = undefined
    this.#context.metrics.pools.inc()
  }

  #takeConfig(config: ScrapeConfig): void {
    this.#clients = createClients(config.http, { userAgent: this.#context.userAgent })
    this.#config = config
    this.#configKey = describeConfig(config, discoveryKeys)
    this.#seriesKey = describeConfig(config, timingKeys)
  }

  /** As if nothing had ever been found. */
  #forgetGroups(): void {
    this.#steps = undefined
    this.#groups = []
    this.#applied.clear()
    this.#holders.clear()
    this.#released.clear()
    this.#waiting.length = 0
    this.#droppedCount = 0
  }

  async #closeClients(): Promise<void> {
    await Promise.all([this.#clients, ...this.#oldClients.splice(0)].map((clients) => clients.close()))
  }

  #sync(): void {
    const steps = this.#syncSteps()
    this.#steps = steps
    this.#turn(steps)
  }

  #turn(steps: Iterator<void>): void {
    const { clock } = this.#context
    const until = clock.elapsed() + sliceMs
    while (this.#steps === steps) {
      if (steps.next().done === true) {
        this.#steps = undefined
        return
      }
      if (clock.elapsed() >= until) {
        setImmediate(() => this.#turn(steps))
        return
      }
    }
  }

  /** One step per group that changed. A later sync takes over from wherever this one is. */
  *#syncSteps(): Generator<void, void, void> {
    const { clock, metrics } = this.#context
    const { jobName } = this.#config
    const started = clock.elapsed()
    const sources = new Set<string>()
    for (; this.#waiting.length > 0; yield) this.#runTarget(...this.#waiting.pop()!)
    for (const group of this.#groups) {
      sources.add(group.source)
      const applied = this.#applied.get(group.source)
      if (applied?.group === group && applied.config === this.#config) continue
      yield* this.#applyGroup(group, applied)
      yield
    }
    for (const [source, applied] of this.#applied) {
      if (sources.has(source)) continue
      this.#applied.delete(source)
      this.#release(applied)
    }
    for (const identity of this.#released) {
      const loop = this.#loops.get(identity)
      if (this.#holders.has(identity)) {
        if (loop !== undefined) this.#forgetLeaving(identity, loop)
        continue
      }
      this.#loops.delete(identity)
      if (loop !== undefined) this.#end(identity, loop)
      yield
    }
    this.#released.clear()
    this.#applyTargetLimit()
    for (const clients of this.#oldClients.splice(0)) void clients.close()
    metrics.syncs.inc(1, jobName)
    metrics.syncsFailed.inc(0, jobName)
    metrics.syncLength.observe((clock.elapsed() - started) / 1000, jobName)
  }

  *#applyGroup(group: TargetGroup, before: AppliedGroup | undefined): Generator<void, void, void> {
    const config = this.#config
    const found = new Map<string, Target>()
    const leftOut: LeftOut = { dropped: [], otherShards: 0 }
    for (const [index, discovered] of group.targets.entries()) {
      const target = this.#findTarget(group, discovered, index, leftOut)
      if (target !== undefined) found.set(`${target.url}\n${target.labels.key()}\n${target.socketPath ?? ''}`, target)
      yield
    }
    // From here to the end of the books in one go, so that a sync that takes over finds a group applied whole or not at all.
    for (const identity of found.keys()) this.#holders.set(identity, (this.#holders.get(identity) ?? 0) + 1)
    this.#applied.set(group.source, { group, config, identities: [...found.keys()], ...leftOut })
    this.#droppedCount += leftOut.dropped.length
    if (before !== undefined) this.#release(before)
    this.#waiting.push(...found)
    while (this.#waiting.length > 0) {
      this.#runTarget(...this.#waiting.pop()!)
      yield
    }
  }

  #release(applied: AppliedGroup): void {
    this.#droppedCount -= applied.dropped.length
    for (const identity of applied.identities) {
      const holders = this.#holders.get(identity)! - 1
      this.#released.add(identity)
      if (holders > 0) this.#holders.set(identity, holders)
      else {
        this.#holders.delete(identity)
        const loop = this.#loops.get(identity)
        if (loop !== undefined) this.#leaving.set(loop.target.labels.key(), identity)
      }
    }
  }

  #findTarget(group: TargetGroup, found: Readonly<Record<string, string>>, index: number, leftOut: LeftOut): Target | undefined {
    const config = this.#config
    const populated = populateLabels(config, found, group.labels)
    if (populated.kind === 'failed') {
      this.#context.metrics.syncsFailed.inc(1, config.jobName)
      const err = `instance ${index} in group ${group.source}: ${populated.reason}`
      this.#context.log.error('Creating target failed', { scrape_pool: config.jobName, err })
      return undefined
    }
    if (populated.kind === 'dropped') {
      leftOut.dropped.push(populated.discovered)
      return undefined
    }
    const { discovered, intervalMs, timeoutMs, histograms } = populated
    const labels = makePublicLabels(populated.labels)
    const url = makeScrapeUrl(populated.labels, config.params)
    if (!this.#isOurs(populated, url)) {
      leftOut.otherShards++
      return undefined
    }
    const hash = hashTarget(populated.labels, url)
    const socket = populated.labels.get('__unix_socket__')
    return { discovered, labels, url, intervalMs, timeoutMs, hash, histograms, socketPath: socket === '' ? undefined : socket }
  }

  /** What only this machine can reach is of every shard. */
  #isOurs({ labels, discovered }: { readonly labels: Labels; readonly discovered: Labels }, url: string): boolean {
    const { shard, inProcess } = this.#context
    if (shard === undefined || isOfShard(labels, shard) || isOfThisMachine(discovered)) return true
    return URL.canParse(url) && inProcess.find(inProcessKey(new URL(url))) !== undefined
  }

  #runTarget(identity: string, target: Target): void {
    // Its group may have gone before its turn came.
    if (!this.#holders.has(identity)) return
    const running = this.#loops.get(identity)
    if (running !== undefined && running.config === this.#config && isAskedAlike(running.target, target)) {
      running.target = target
      return
    }
    const before = running ?? this.#ending.get(identity) ?? this.#takeLeaving(target.labels)
    before?.stop()
    this.#ending.delete(identity)
    if (before !== undefined) this.#forgetLeaving(identity, before)
    const loop = this.#createLoop(target, before)
    this.#seriesKeys.set(loop, this.#seriesKey)
    this.#loops.set(identity, loop)
    loop.start()
  }

  /** The loop of a target that had the same labels and another URL: its series would end in the middle of the new one's. */
  #takeLeaving(labels: Labels): ScrapeLoop | undefined {
    const identity = this.#leaving.get(labels.key())
    if (identity === undefined || this.#holders.has(identity)) return undefined
    const loop = this.#loops.get(identity) ?? this.#ending.get(identity)
    this.#leaving.delete(labels.key())
    this.#loops.delete(identity)
    this.#ending.delete(identity)
    return loop
  }

  #forgetLeaving(identity: string, loop: ScrapeLoop): void {
    const key = loop.target.labels.key()
    if (this.#leaving.get(key) === identity) this.#leaving.delete(key)
  }

  #createLoop(target: Target, before: ScrapeLoop | undefined): ScrapeLoop {
    const config = this.#config
    const keepsSeries = before !== undefined && this.#seriesKeys.get(before) === this.#seriesKey
    const families = before?.families ?? new FamilyTable(this.#families)
    const series = keepsSeries ? before.series : this.#createSeries(target, families, before?.series)
    const loop = new ScrapeLoop({ config, target, series, families, clients: this.#clients, context: this.#context })
    if (before !== undefined) loop.takeOver(before)
    return loop
  }

  #createSeries(target: Target, families: FamilyTable, before: TargetSeries | undefined): TargetSeries {
    const config = this.#config
    const rules = {
      targetLabels: target.labels,
      honorLabels: config.honorLabels,
      metricRelabelConfigs: config.metricRelabelConfigs,
      limits: config,
      legacyNames: config.metricNameValidationScheme === 'legacy',
    }
    const options: TargetSeriesOptions = {
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
      joinedLabels: onlyJoinedLabels(rules),
    }
    return new TargetSeries(options, before)
  }

  #end(identity: string, loop: ScrapeLoop): void {
    this.#ending.set(identity, loop)
    loop.end(() => {
      this.#ending.delete(identity)
      this.#forgetLeaving(identity, loop)
      if (this.#ending.size === 0) this.#onEnded?.()
    })
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
