import type { ScrapeConfig } from '@narthex/config/scrape-config'
import { formatDuration, parseDuration } from '@narthex/model/duration'
import { Labels } from '@narthex/model/labels'
import { quoteText } from '@narthex/model/quote'
import { applyRelabel } from '@narthex/relabel/relabel'

/** What of histograms a target's answers are read as. */
export interface HistogramReading {
  readonly nativeHistograms: boolean
  readonly alwaysClassic: boolean
  readonly convertClassic: boolean
}

/** A found target before and after relabeling. */
export type PopulatedTarget =
  | {
      readonly kind: 'kept'
      readonly discovered: Labels
      readonly labels: Labels
      readonly intervalMs: number
      readonly timeoutMs: number
      readonly histograms: HistogramReading
    }
  /** A relabel rule dropped it. */
  | { readonly kind: 'dropped'; readonly discovered: Labels }
  /** It cannot be scraped; the text is Prometheus'. */
  | { readonly kind: 'failed'; readonly discovered: Labels; readonly reason: string }

/**
 * The labels of a target as Prometheus makes them: its own over its group's over the job's defaults, then relabel_configs, then the checks of
 * address, interval and timeout; `__meta_*` goes, `instance` defaults to the address. Other `__` labels stay: they make the URL.
 */
export function populateLabels(
  config: ScrapeConfig,
  target: Readonly<Record<string, string>>,
  group: Readonly<Record<string, string>>,
): PopulatedTarget {
  const discovered = discoverLabels(config, target, group)
  const relabeled = applyRelabel(config.relabelConfigs, discovered)
  if (relabeled === undefined) return { kind: 'dropped', discovered }
  const address = relabeled.get('__address__')
  if (address === '') return fail('no address')
  if (address.includes('/')) return fail(`${quoteText(address)} is not a valid hostname`)
  const interval = relabeled.get('__scrape_interval__')
  const timeout = relabeled.get('__scrape_timeout__')
  const intervalMs = readDuration(interval)
  if (typeof intervalMs === 'string') return fail(`error parsing scrape interval: ${intervalMs}`)
  if (intervalMs === 0) return fail('scrape interval cannot be 0')
  const timeoutMs = readDuration(timeout)
  if (typeof timeoutMs === 'string') return fail(`error parsing scrape timeout: ${timeoutMs}`)
  if (timeoutMs === 0) return fail('scrape timeout cannot be 0')
  if (timeoutMs > intervalMs) {
    return fail(`scrape timeout cannot be greater than scrape interval (${quoteText(timeout)} > ${quoteText(interval)})`)
  }
  const flags = readHistogramFlags(relabeled)
  if (typeof flags === 'string') return fail(flags)
  const kept = relabeled.pairs.filter((_, i) => !relabeled.pairs[i & ~1]!.startsWith('__meta_'))
  const labels = Labels.fromPairs(relabeled.has('instance') ? kept : [...kept, 'instance', address])
  return { kind: 'kept', discovered, labels, intervalMs, timeoutMs, histograms: flags }

  function fail(reason: string): PopulatedTarget {
    return { kind: 'failed', discovered, reason }
  }
}

/** What the job's settings say unless relabeling said something else; the text says what is wrong. */
function readHistogramFlags(labels: Labels): HistogramReading | string {
  const values: boolean[] = []
  for (const name of ['scrape_native_histograms', 'always_scrape_classic_histograms', 'convert_classic_histograms_to_nhcb']) {
    const text = labels.get(`__${name}__`)
    const value = text === '' ? false : readBoolean(text)
    if (value === undefined) return `error parsing ${name}: strconv.ParseBool: parsing ${quoteText(text)}: invalid syntax`
    values.push(value)
  }
  return { nativeHistograms: values[0]!, alwaysClassic: values[1]!, convertClassic: values[2]! }
}

/** As Go's ParseBool. */
function readBoolean(text: string): boolean | undefined {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true
  return /^(?:0|f|F|FALSE|false|False)$/.test(text) ? false : undefined
}

function discoverLabels(config: ScrapeConfig, target: Readonly<Record<string, string>>, group: Readonly<Record<string, string>>): Labels {
  const merged: Record<string, string> = { ...group, ...target }
  for (const [name, value] of defaultLabels(config)) if ((merged[name] ?? '') === '') merged[name] = value
  return Labels.from(merged)
}

const knownDefaults = new WeakMap<ScrapeConfig, readonly (readonly [string, string])[]>()

/** Made once per configuration: a job may have ten thousand targets. */
function defaultLabels(config: ScrapeConfig): readonly (readonly [string, string])[] {
  let defaults = knownDefaults.get(config)
  if (defaults === undefined) knownDefaults.set(config, (defaults = makeDefaultLabels(config)))
  return defaults
}

function makeDefaultLabels(config: ScrapeConfig): readonly (readonly [string, string])[] {
  return [
    ['job', config.jobName],
    ['__scrape_interval__', formatDuration(config.scrapeIntervalMs)],
    ['__scrape_timeout__', formatDuration(config.scrapeTimeoutMs)],
    ['__metrics_path__', config.metricsPath],
    ['__scheme__', config.scheme],
    ['__convert_classic_histograms_to_nhcb__', String(config.convertClassicHistogramsToNhcb)],
    ['__always_scrape_classic_histograms__', String(config.alwaysScrapeClassicHistograms)],
    ['__scrape_native_histograms__', String(config.scrapeNativeHistograms)],
    ...Object.entries(config.params).flatMap(([name, values]) => (values.length > 0 ? [[`__param_${name}`, values[0]!] as const] : [])),
  ]
}

function readDuration(text: string): number | string {
  try {
    return parseDuration(text)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** The address that is scraped: scheme, address and path of the labels, `params` with the first value of each overridden by `__param_…`. */
export function makeScrapeUrl(labels: Labels, params: Readonly<Record<string, readonly string[]>>): string {
  const query = new Map<string, string[]>()
  for (const [name, values] of Object.entries(params)) query.set(name, [...values])
  const { pairs } = labels
  for (let i = 0; i < pairs.length; i += 2) {
    if (!pairs[i]!.startsWith('__param_')) continue
    const name = pairs[i]!.slice('__param_'.length)
    const values = query.get(name)
    if (values === undefined || values.length === 0) query.set(name, [pairs[i + 1]!])
    else values[0] = pairs[i + 1]!
  }
  const encoded = [...query.keys()].sort().flatMap((name) => query.get(name)!.map((value) => `${escapeQuery(name)}=${escapeQuery(value)}`))
  const path = labels.get('__metrics_path__')
  const rooted = path === '' || path.startsWith('/') ? path : `/${path}`
  return `${labels.get('__scheme__')}://${labels.get('__address__')}${escapePath(rooted)}${encoded.length > 0 ? `?${encoded.join('&')}` : ''}`
}

/** As Go's url.QueryEscape. */
function escapeQuery(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%20/g, '+')
}

/** As Go prints a URL's path: what may stand in a path stays. */
function escapePath(path: string): string {
  return encodeURI(path).replace(/[?#'[\]]/g, (char) => (char === "'" ? '%27' : `%${char.charCodeAt(0).toString(16).toUpperCase()}`))
}
