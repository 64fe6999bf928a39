import type { MetadataEntry } from '@narthex/api/backend'
import type { ActiveTargetStatus, TargetMetadata, TargetsStatus } from '@narthex/agent/scrape/scrape-manager'
import { printScrapeConfig, type ScrapeConfig } from '@narthex/config/scrape-config'
import { formatDuration } from '@narthex/model/duration'
import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { parseAnySelector } from '@narthex/promql/parse/parse'
import { applyRelabel } from '@narthex/relabel/relabel'
import type { RelabelRule } from '@narthex/relabel/relabel-rule'
import type { ScrapeView } from './server-state.ts'

/** What the views ask of a scrape stage, be it the server's own or an agent's. */
export interface ScrapeSource {
  targets(): TargetsStatus
  metadata(): Iterable<TargetMetadata>
  jobConfig(jobName: string): ScrapeConfig | undefined
}

/** A request for relabel steps that makes no sense; the text is for whoever asked. */
export class RelabelRequestError extends Error {
  override name = 'RelabelRequestError'
}

/** Longest `labels` parameter: a target has a few dozen labels. */
const labelsTextMax = 256 * 1024

// Go's zero time: never scraped.
const neverText = '0001-01-01T00:00:00Z'

/** How others reach this machine. */
export interface OwnAddress {
  readonly externalUrl: string
  /** On which this process listens. */
  readonly port: string
}

/** The Targets API's JSON shapes over a scrape stage. Without an address of its own targets on this machine are shown as they are. */
export function createScrapeView(source: ScrapeSource, own?: OwnAddress): ScrapeView {
  return {
    targets(state, scrapePool) {
      const { active, dropped, droppedCounts, otherShardCounts } = source.targets()
      const isWanted = (target: { scrapePool: string }) => scrapePool === '' || target.scrapePool === scrapePool
      const shown = ['', 'any', 'active'].includes(state) ? active.filter(isWanted) : []
      const left = ['', 'any', 'dropped'].includes(state) ? dropped.filter(isWanted) : []
      return {
        activeTargets: shown
          .map((target) => viewActive(target, own))
          .sort((a, b) => (a.scrapePool === b.scrapePool ? 0 : a.scrapePool < b.scrapePool ? -1 : 1)),
        droppedTargets: left.map((target) => ({ discoveredLabels: target.discoveredLabels.toRecord(), scrapePool: target.scrapePool })),
        // Of those that are not asked for nothing is told.
        droppedTargetCounts: ['', 'any', 'dropped'].includes(state) ? droppedCounts : null,
        // Ours, and only where there are some.
        ...(Object.keys(otherShardCounts).length === 0 ? {} : { otherShardTargetCounts: otherShardCounts }),
      }
    },
    scrapePools: () => ({ scrapePools: [...new Set(source.targets().active.map((target) => target.scrapePool))].sort() }),
    relabelSteps(scrapePool, labelsText) {
      if (scrapePool === '') throw new RelabelRequestError('no scrapePool parameter provided')
      if (labelsText === '') throw new RelabelRequestError('no labels parameter provided')
      const labels = readLabels(labelsText)
      const rules = findJob(source, scrapePool).relabelConfigs
      return { steps: rules.map((rule, index) => viewStep(rule, applyRelabel(rules.slice(0, index + 1), labels))) }
    },
    scrapePoolConfig(scrapePool) {
      if (scrapePool === '') throw new RelabelRequestError('no scrapePool parameter provided')
      return { yaml: printScrapeConfig(findJob(source, scrapePool)) }
    },
    targetMetadata(matchTarget, metric, limit) {
      const matchers: readonly Matcher[] = matchTarget === '' ? [] : parseAnySelector(matchTarget)
      const found: unknown[] = []
      for (const { target, families } of source.metadata()) {
        if (!matchers.every((matcher) => matcher.matches(target.get(matcher.name)))) continue
        // As in Prometheus, a target that was begun is told of whole.
        if (limit >= 0 && found.length >= limit) return found
        for (const { name, type, help, unit } of families) {
          if (metric !== '' && name !== metric) continue
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

function findJob(source: ScrapeSource, scrapePool: string): ScrapeConfig {
  const config = source.jobConfig(scrapePool)
  if (config !== undefined) return config
  throw new RelabelRequestError(`error retrieving scrape config: scrape pool ${JSON.stringify(scrapePool)} not found`)
}

/** `output` is empty once a rule dropped the target. */
function viewStep(rule: RelabelRule, output: Labels | undefined) {
  const { action, sourceLabels, separator, regexText, modulus, targetLabel, replacement } = rule
  return {
    rule: {
      ...(sourceLabels.length === 0 ? {} : { source_labels: sourceLabels }),
      separator,
      regex: regexText,
      ...(modulus === 0 ? {} : { modulus }),
      ...(targetLabel === '' ? {} : { target_label: targetLabel }),
      replacement,
      action,
    },
    output: output?.toRecord() ?? {},
    keep: output !== undefined,
  }
}

function readLabels(text: string): Labels {
  try {
    if (text.length > labelsTextMax) throw new Error(`want at most ${labelsTextMax} characters, got ${text.length}`)
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('want an object of texts')
    const bad = Object.entries(value).find(([, label]) => typeof label !== 'string')
    if (bad !== undefined) throw new Error(`want a text for label ${JSON.stringify(bad[0])}`)
    return Labels.from(value as Record<string, string>)
  } catch (cause) {
    throw new RelabelRequestError(`error parsing labels: ${lowerFirst((cause as Error).message)}`, { cause })
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

const loopbackNames = ['127.0.0.1', 'localhost', '[::1]']

/**
 * The address of a target for somebody on another machine, as Prometheus guesses it: of this process its external URL, of others on this machine the
 * host of that.
 */
function toGlobalUrl(scrapeUrl: string, own: OwnAddress | undefined): string {
  if (own === undefined || !URL.canParse(scrapeUrl) || !URL.canParse(own.externalUrl)) return scrapeUrl
  const url = new URL(scrapeUrl)
  if (url.port === '' || !loopbackNames.includes(url.hostname)) return scrapeUrl
  const external = new URL(own.externalUrl)
  const place = url.port === own.port ? `${external.protocol}//${external.host}` : `${url.protocol}//${external.hostname}:${url.port}`
  return place + scrapeUrl.slice(scrapeUrl.indexOf(url.host) + url.host.length)
}

function viewActive(target: ActiveTargetStatus, own: OwnAddress | undefined) {
  return {
    discoveredLabels: target.discoveredLabels.toRecord(),
    labels: target.labels.toRecord(),
    scrapePool: target.scrapePool,
    scrapeUrl: target.scrapeUrl,
    globalUrl: toGlobalUrl(target.scrapeUrl, own),
    lastError: target.lastError,
    lastScrape: target.lastScrapeMs === 0 ? neverText : new Date(target.lastScrapeMs).toISOString(),
    lastScrapeDuration: target.lastScrapeDurationSeconds,
    health: target.health,
    scrapeInterval: formatDuration(target.scrapeIntervalMs),
    scrapeTimeout: formatDuration(target.scrapeTimeoutMs),
  }
}
