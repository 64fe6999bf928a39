import { describeConfig } from '@narthex/config/describe-config'
import type { DiscoveryConfig } from '@narthex/config/discovery-config'
import type { ScrapeConfig } from '@narthex/config/scrape-config'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import type { Clock, Timer } from '../clock.ts'
import { createDiscoveryMetrics } from './discovery-metrics.ts'
import type { DiscoveryMetrics } from './discovery-metrics.ts'
import { createDiscoverer } from './mechanisms.ts'
import type { LocalSurroundings } from './local/surroundings.ts'
import type { Discoverer, TargetGroup } from './target-groups.ts'

/** Prometheus' own pace: the first update goes out at once, later ones are gathered this long. */
const updateIntervalMs = 5000

export interface DiscoveryManagerOptions {
  readonly log: Logger
  readonly registry: Registry
  readonly clock: Clock
  /** `name` label of the metrics: `scrape` or `notify`. */
  readonly name: string
  readonly userAgent?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly local?: LocalSurroundings
  /** Takes all groups of the jobs that changed. */
  readonly onUpdate: (groupsByJob: ReadonlyMap<string, readonly TargetGroup[]>) => void
}

interface Job {
  readonly key: string
  readonly discoverers: readonly Discoverer[]
  /** Per discoverer: source → group. */
  readonly groups: readonly Map<string, TargetGroup>[]
}

type JobConfig = Pick<ScrapeConfig, 'jobName' | 'discovery'>

/** Runs the mechanisms of all jobs and hands on what they find, at most every five seconds. */
export class DiscoveryManager {
  readonly #options: DiscoveryManagerOptions
  readonly #metrics: DiscoveryMetrics
  #jobs = new Map<string, Job>()
  #dirty = new Set<string>()
  #timer: Timer | undefined
  #lastUpdateMs = -Infinity
  #starting = false
  #stopped = false

  constructor(options: DiscoveryManagerOptions) {
    this.#options = options
    this.#metrics = createDiscoveryMetrics(options.registry, options.name, () => this.#countTargets())
  }

  /** Starts and stops jobs to match; a job whose discovery is unchanged keeps running. */
  apply(configs: readonly JobConfig[]): void {
    const before = this.#jobs
    this.#jobs = new Map()
    // What the mechanisms report while they start is one update.
    this.#starting = true
    for (const config of configs) {
      const key = describeConfig(config.discovery)
      const known = before.get(config.jobName)
      if (known?.key === key) {
        this.#jobs.set(config.jobName, known)
        before.delete(config.jobName)
      } else {
        this.#jobs.set(config.jobName, this.#startJob(config, key))
      }
      this.#dirty.add(config.jobName)
    }
    for (const job of before.values()) for (const discoverer of job.discoverers) discoverer.stop()
    this.#starting = false
    this.#flush()
  }

  stop(): void {
    this.#stopped = true
    this.#options.clock.clearTimer(this.#timer)
    this.#timer = undefined
    for (const job of this.#jobs.values()) for (const discoverer of job.discoverers) discoverer.stop()
    this.#jobs.clear()
  }

  #startJob(config: JobConfig, key: string): Job {
    const discoverers: Discoverer[] = []
    for (const mechanism of config.discovery) {
      const discoverer = this.#createDiscoverer(mechanism, config.jobName)
      if (discoverer !== undefined) discoverers.push(discoverer)
    }
    const job: Job = { key, discoverers, groups: discoverers.map(() => new Map()) }
    discoverers.forEach((discoverer, index) => {
      discoverer.start((groups) => this.#take(config.jobName, job, index, groups))
    })
    return job
  }

  /** A mechanism that cannot be made is told in one line and costs its own targets only. */
  #createDiscoverer(config: DiscoveryConfig, jobName: string): Discoverer | undefined {
    const { log, clock, registry, userAgent, env, local } = this.#options
    try {
      return createDiscoverer(config, {
        log: log.with({
          discovery: config.mechanism === 'other' ? config.key.replace('_sd_configs', '') : config.mechanism,
          config: jobName,
        }),
        clock,
        registry,
        metrics: this.#metrics,
        userAgent: userAgent ?? 'Narthex',
        jobName,
        env: env ?? process.env,
        ...(local === undefined ? {} : { local }),
      })
    } catch (error) {
      this.#metrics.failedConfigs.inc()
      log.error(`cannot discover targets: ${error instanceof Error ? error.message : String(error)}`, { config: jobName })
      return undefined
    }
  }

  #take(jobName: string, job: Job, index: number, groups: readonly TargetGroup[]): void {
    // An answer that was on its way when its mechanism was stopped.
    if (this.#stopped) return
    this.#metrics.received.inc()
    const known = job.groups[index]!
    let isChanged = false
    for (const group of groups) {
      const before = known.get(group.source)
      if (group.targets.length === 0) {
        if (known.delete(group.source)) isChanged = true
      } else if (before === undefined || !isSameGroup(before, group)) {
        // Sources are unique within a mechanism only, so each mechanism's get its number in front.
        known.set(group.source, { ...group, source: `${index}/${group.source}` })
        isChanged = true
      }
    }
    if (!isChanged && !this.#starting) return
    this.#dirty.add(jobName)
    if (!this.#starting) this.#flushSoon()
  }

  #flushSoon(): void {
    if (this.#timer !== undefined) return
    const { clock } = this.#options
    const waitMs = this.#lastUpdateMs + updateIntervalMs - clock.elapsed()
    if (waitMs <= 0) this.#flush()
    else this.#timer = clock.setTimer(() => this.#flush(), waitMs)
  }

  #flush(): void {
    const { clock, onUpdate } = this.#options
    clock.clearTimer(this.#timer)
    this.#timer = undefined
    this.#lastUpdateMs = clock.elapsed()
    const changed = new Map<string, readonly TargetGroup[]>()
    for (const jobName of this.#dirty) {
      const job = this.#jobs.get(jobName)
      if (job !== undefined) changed.set(jobName, allGroups(job))
    }
    this.#dirty.clear()
    this.#metrics.sent.inc()
    onUpdate(changed)
  }

  #countTargets(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const [jobName, job] of this.#jobs)
      counts.set(
        jobName,
        allGroups(job).reduce((sum, group) => sum + group.targets.length, 0),
      )
    return counts
  }
}

function allGroups(job: Job): TargetGroup[] {
  return job.groups.flatMap((groups) => [...groups.values()])
}

/** What is asked for again and again mostly says the same: the group that is known then stays, and nobody has to look at it. */
function isSameGroup(a: TargetGroup, b: TargetGroup): boolean {
  return (
    isSameRecord(a.labels, b.labels) &&
    a.targets.length === b.targets.length &&
    a.targets.every((target, i) => isSameRecord(target, b.targets[i]!))
  )
}

function isSameRecord(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  let size = 0
  for (const name in a) {
    if (a[name] !== b[name]) return false
    size++
  }
  for (const _name in b) size--
  return size === 0
}
