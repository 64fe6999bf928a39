import { formatByteSize } from '@narthex/config/byte-size'
import { hostname } from 'node:os'
import type { MetadataEntry, RuleFilter, RuleGroupsView, StateBackend } from '@narthex/api/backend'
import type { PrometheusConfig } from '@narthex/config/prometheus-config'
import { formatDuration } from '@narthex/model/duration'
import { Labels } from '@narthex/model/labels'
import type { Store } from '@narthex/tsdb/store'
import type { AlertingParts } from './alerting.ts'
import { listFeatures } from './features-view.ts'
import type { QueryPool } from './query-pool.ts'
import type { ServerSettings } from './server.ts'

/** Who scrapes: the server's own scrape stage, or the agent that runs beside it in `up`. */
export interface ScrapeView {
  targets(state: string, scrapePool: string): unknown
  scrapePools(): unknown
  /** What each relabel rule of a job makes of these labels, a JSON object. Throws `RelabelRequestError`. */
  relabelSteps(scrapePool: string, labelsText: string): unknown
  /** The job as YAML. Throws `RelabelRequestError`. */
  scrapePoolConfig(scrapePool: string): unknown
  targetMetadata(matchTarget: string, metric: string, limit: number): unknown
  /** Metadata by family, as the targets said it. */
  metadata(): ReadonlyMap<string, readonly MetadataEntry[]>
}

interface Parts {
  readonly settings: ServerSettings
  readonly store: Store
  readonly alerting: AlertingParts
  readonly pool: QueryPool
  /** Ceiling of the whole process. */
  readonly memoryBytesMax: number
}

/** What the API tells of the server's state, in the JSON shapes of Prometheus. */
export class ServerState implements StateBackend {
  readonly #parts: Parts
  readonly #startTime = new Date()
  #config: PrometheusConfig | undefined
  #scrape: ScrapeView | undefined
  /** False after a reload that failed. */
  reloadSucceeded = true
  lastConfigTime = new Date()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  setConfig(config: PrometheusConfig): void {
    this.#config = config
    this.reloadSucceeded = true
    this.lastConfigTime = new Date()
  }

  setScrapeView(view: ScrapeView): void {
    this.#scrape = view
  }

  targets(state: string, scrapePool: string): unknown {
    return this.#scrape?.targets(state, scrapePool) ?? { activeTargets: [], droppedTargets: [], droppedTargetCounts: {} }
  }

  scrapePools(): unknown {
    return this.#scrape?.scrapePools() ?? { scrapePools: [] }
  }

  relabelSteps(scrapePool: string, labelsText: string): unknown {
    return this.#scrape?.relabelSteps(scrapePool, labelsText) ?? { steps: [] }
  }

  scrapePoolConfig(scrapePool: string): unknown {
    if (this.#scrape === undefined) throw new Error(`error retrieving scrape config: scrape pool ${JSON.stringify(scrapePool)} not found`)
    return this.#scrape.scrapePoolConfig(scrapePool)
  }

  blocks(): unknown {
    return { blocks: this.#parts.store.blocks.blocks.map(({ meta }) => meta) }
  }

  targetMetadata(matchTarget: string, metric: string, limit: number): unknown {
    return this.#scrape?.targetMetadata(matchTarget, metric, limit) ?? []
  }

  /** What targets said of their families, and what came with remote write. */
  metadata(): ReadonlyMap<string, readonly MetadataEntry[]> {
    const merged = new Map<string, readonly MetadataEntry[]>(this.#scrape?.metadata() ?? [])
    for (const [family, entry] of this.#parts.store.head.metadata.entries()) {
      const known = merged.get(family)
      if (known?.some(({ type, help, unit }) => type === entry.type && help === entry.help && unit === entry.unit)) continue
      merged.set(family, [...(known ?? []), { type: entry.type, help: entry.help, unit: entry.unit }])
    }
    return merged
  }

  rules(filter: RuleFilter): RuleGroupsView {
    return this.#parts.alerting.viewRules(filter)
  }

  alerts(): unknown {
    return this.#parts.alerting.viewAlerts()
  }

  alertmanagers(): unknown {
    return { activeAlertmanagers: this.#parts.alerting.destinationUrls().map((url) => ({ url })), droppedAlertmanagers: [] }
  }

  externalLabels(): Labels {
    return this.#config?.global.externalLabels ?? Labels.empty
  }

  configYaml(): string {
    return this.#config?.redactedYaml() ?? ''
  }

  flags(): Readonly<Record<string, string>> {
    return this.#parts.settings.flags
  }

  runtimeInformation(): Record<string, unknown> {
    const { settings, store, pool, memoryBytesMax } = this.#parts
    return {
      startTime: this.#startTime.toISOString(),
      CWD: process.cwd(),
      hostname: hostname(),
      serverTime: new Date().toISOString(),
      reloadConfigSuccess: this.reloadSucceeded,
      lastConfigTime: this.lastConfigTime.toISOString(),
      corruptionCount: store.replay.damages.length,
      // Prometheus tells its Go threads here; ours are the main thread and the query workers that run now.
      goroutineCount: 1 + pool.threadIds.length,
      GOMAXPROCS: 1 + pool.threadIds.length,
      GOMEMLIMIT: memoryBytesMax,
      GOGC: '',
      GODEBUG: '',
      storageRetention: formatRetention(settings.retentionMs, settings.retentionBytesMax),
    }
  }

  buildInformation(): Record<string, string> {
    const { compatibleVersion, version } = this.#parts.settings
    return {
      version: compatibleVersion,
      revision: `narthex-${version}`,
      branch: 'narthex',
      buildUser: '',
      buildDate: '',
      goVersion: `node ${process.version}`,
    }
  }

  walReplay(): { min: number; max: number; current: number } {
    // As long as it is being read, the routes of the start answer.
    const last = Math.max(0, this.#parts.store.replay.nextSegment - 1)
    return { min: 0, max: last, current: last }
  }

  features(): Record<string, Record<string, boolean>> {
    return listFeatures(this.#parts.settings)
  }
}

/** `15d`, `10GB`, or both with `or`, as Prometheus shows it. */
function formatRetention(timeMs: number, bytesMax: number): string {
  const parts = [...(timeMs > 0 ? [formatDuration(timeMs)] : []), ...(bytesMax > 0 ? [formatByteSize(bytesMax)] : [])]
  return parts.join(' or ')
}
