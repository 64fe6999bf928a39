import { Labels } from '@narthex/model/labels'
import { quoteText } from '@narthex/model/quote'
import { boolean, convert, durationMs, filePath, map, string } from './codec.ts'
import { convertObject, field, inline, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import type { GlobalConfig } from './prometheus-config.ts'
import {
  scrapeLimits,
  type NameEscapingScheme,
  type NameValidationScheme,
  type ScrapeLimits,
  type ScrapeProtocol,
} from './scrape-config.ts'
import {
  checkScrapeProtocols,
  defaultScrapeProtocols,
  nameEscapingScheme,
  nameValidationScheme,
  protocolNames,
} from './scrape-protocols.ts'
import type { Codec } from './yaml-decode.ts'

interface RawGlobal {
  readonly scrapeIntervalMs: number
  readonly scrapeTimeoutMs: number
  readonly scrapeProtocols?: readonly ScrapeProtocol[]
  readonly evaluationIntervalMs: number
  readonly ruleQueryOffsetMs: number
  readonly queryLogFile: string
  readonly scrapeFailureLogFile: string
  readonly externalLabels: Labels
  readonly limits: ScrapeLimits
  readonly metricNameValidationScheme: NameValidationScheme | ''
  readonly metricNameEscapingScheme: NameEscapingScheme | ''
  readonly scrapeNativeHistograms: boolean
  readonly alwaysScrapeClassicHistograms: boolean
  readonly convertClassicHistogramsToNhcb: boolean
  readonly extraScrapeMetrics: boolean
}

const labelSet: Codec<Labels> = convert(
  map(string, { checkKey: (name) => (name === '' ? `${quoteText(name)} is not a valid label name` : undefined) }),
  (record) => Labels.from(record),
  (labels) => labels.toRecord(),
)

const rawGlobal = object<RawGlobal>('config.plain', {
  scrapeIntervalMs: field('scrape_interval', durationMs, 0),
  scrapeTimeoutMs: field('scrape_timeout', durationMs, 0),
  scrapeProtocols: optional('scrape_protocols', protocolNames),
  evaluationIntervalMs: field('evaluation_interval', durationMs, 0),
  ruleQueryOffsetMs: field('rule_query_offset', durationMs, 0),
  queryLogFile: field('query_log_file', filePath, ''),
  scrapeFailureLogFile: field('scrape_failure_log_file', filePath, ''),
  externalLabels: field('external_labels', labelSet, Labels.empty),
  limits: inline(scrapeLimits),
  metricNameValidationScheme: field('metric_name_validation_scheme', nameValidationScheme, ''),
  metricNameEscapingScheme: field('metric_name_escaping_scheme', nameEscapingScheme, ''),
  scrapeNativeHistograms: field('scrape_native_histograms', boolean, false, { always: true }),
  alwaysScrapeClassicHistograms: field('always_scrape_classic_histograms', boolean, false),
  convertClassicHistogramsToNhcb: field('convert_classic_histograms_to_nhcb', boolean, false),
  extraScrapeMetrics: field('extra_scrape_metrics', boolean, false, { always: true }),
})

const defaultIntervalMs = 60_000
const defaultTimeoutMs = 10_000

/** `global`, with Prometheus' defaults. */
export const globalConfig: ObjectCodec<GlobalConfig> = convertObject<RawGlobal, GlobalConfig>(
  rawGlobal,
  complete,
  ({ scrapeProtocols, ...global }) => ({
    ...global,
    // As Prometheus prints it: only what the file has.
    ...(global.hasOwnProtocols ? { scrapeProtocols } : {}),
    queryLogFile: global.queryLogFile ?? '',
    scrapeFailureLogFile: global.scrapeFailureLogFile ?? '',
    metricNameEscapingScheme: global.metricNameEscapingScheme ?? '',
    limits: global,
  }),
  complete(rawGlobal.defaults(), {
    fail: (text) => {
      throw new Error(text)
    },
  }),
)

function complete(raw: RawGlobal, { fail }: Pick<Checker, 'fail'>): GlobalConfig {
  const scrapeIntervalMs = raw.scrapeIntervalMs === 0 ? defaultIntervalMs : raw.scrapeIntervalMs
  if (raw.scrapeTimeoutMs > scrapeIntervalMs) fail('global scrape timeout greater than scrape interval', 'scrape_timeout')
  const scrapeTimeoutMs = raw.scrapeTimeoutMs === 0 ? Math.min(defaultTimeoutMs, scrapeIntervalMs) : raw.scrapeTimeoutMs
  const problem = raw.scrapeProtocols === undefined ? undefined : checkScrapeProtocols(raw.scrapeProtocols)
  if (problem !== undefined) fail(`${problem} for global config`, 'scrape_protocols')
  const validation = raw.metricNameValidationScheme === '' ? 'utf8' : raw.metricNameValidationScheme
  const escaping = raw.metricNameEscapingScheme
  if (validation === 'legacy' && escaping === 'allow-utf-8') {
    fail('utf8 metric names requested but validation scheme is not set to UTF8', 'metric_name_escaping_scheme')
  }
  const { limits, queryLogFile, scrapeFailureLogFile, metricNameEscapingScheme: _escaping, ...rest } = raw
  return {
    ...rest,
    ...limits,
    scrapeIntervalMs,
    scrapeTimeoutMs,
    scrapeProtocols: raw.scrapeProtocols ?? defaultScrapeProtocols,
    hasOwnProtocols: raw.scrapeProtocols !== undefined,
    evaluationIntervalMs: raw.evaluationIntervalMs === 0 ? defaultIntervalMs : raw.evaluationIntervalMs,
    metricNameValidationScheme: validation,
    ...(queryLogFile === '' ? {} : { queryLogFile }),
    ...(scrapeFailureLogFile === '' ? {} : { scrapeFailureLogFile }),
    ...(escaping === '' ? {} : { metricNameEscapingScheme: escaping }),
  }
}
