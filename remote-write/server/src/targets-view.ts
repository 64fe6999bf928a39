import type { MetadataEntry } from '@narthex/api/backend'
import type { ActiveTargetStatus, TargetMetadata, TargetsStatus } from '@narthex/agent/scrape/scrape-manager'
import { formatDuration } from '@narthex/model/duration'
import type { Matcher } from '@narthex/model/matcher'
import { parseMetricSelector } from '@narthex/promql/parse/parse'
import type { ScrapeView } from './server-state.ts'

/** What the views ask of a scrape stage, be it the server's own or an agent's. */
export interface ScrapeSource {
  targets(): TargetsStatus
  metadata(): Iterable<TargetMetadata>
}

// Go's zero time: never scraped.
const neverText = '0001-01-01T00:00:00Z'

/** The Targets API's JSON shapes over a scrape stage. */
export function createScrapeView(source: ScrapeSource): ScrapeView {
  return {
    targets(state, scrapePool) {
      const { active, dropped, droppedCounts } = source.targets()
      const isWanted = (target: { scrapePool: string }) => scrapePool === '' || target.scrapePool === scrapePool
      const shown = ['', 'any', 'active'].includes(state) ? active.filter(isWanted) : []
      const left = ['', 'any', 'dropped'].includes(state) ? dropped.filter(isWanted) : []
      return {
        activeTargets: shown.map(viewActive).sort((a, b) => (a.scrapePool === b.scrapePool ? 0 : a.scrapePool < b.scrapePool ? -1 : 1)),
        droppedTargets: left.map((target) => ({ discoveredLabels: target.discoveredLabels.toRecord(), scrapePool: target.scrapePool })),
        droppedTargetCounts: droppedCounts,
      }
    },
    scrapePools: () => ({ scrapePools: [...new Set(source.targets().active.map((target) => target.scrapePool))].sort() }),
    targetMetadata(matchTarget, metric, limit) {
      const matchers: readonly Matcher[] = matchTarget === '' ? [] : parseMetricSelector(matchTarget)
      const found: unknown[] = []
      for (const { target, families } of source.metadata()) {
        if (!matchers.every((matcher) => matcher.matches(target.get(matcher.name)))) continue
        for (const { name, type, help, unit } of families) {
          if (metric !== '' && name !== metric) continue
          if (limit >= 0 && found.length >= limit) return found
          found.push({ target: target.toRecord(), ...(metric === '' ? { metric: name } : {}), type, help, unit })
        }
      }
      return found
    },
    metadata() {
      const merged = new Map<string, MetadataEntry[]>()
      for (const { families } of source.metadata()) {
        for (const { name, type, help, unit } of families) {
          const known = merged.get(name)
          if (!known) merged.set(name, [{ type, help, unit }])
          else if (!known.some((entry) => entry.type === type && entry.help === help && entry.unit === unit))
            known.push({ type, help, unit })
        }
      }
      return merged
    },
  }
}

function viewActive(target: ActiveTargetStatus) {
  return {
    discoveredLabels: target.discoveredLabels.toRecord(),
    labels: target.labels.toRecord(),
    scrapePool: target.scrapePool,
    scrapeUrl: target.scrapeUrl,
    globalUrl: target.scrapeUrl,
    lastError: target.lastError,
    lastScrape: target.lastScrapeMs === 0 ? neverText : new Date(target.lastScrapeMs).toISOString(),
    lastScrapeDuration: target.lastScrapeDurationSeconds,
    health: target.health,
    scrapeInterval: formatDuration(target.scrapeIntervalMs),
    scrapeTimeout: formatDuration(target.scrapeTimeoutMs),
  }
}
