import type { Labels } from '@narthex/model/labels'
import type { MetricType } from '@narthex/model/metric-type'
import { quoteText } from '@narthex/model/quote'
import { ExpositionError } from './exposition-error.ts'
import { entryEnd, entryHelp, entrySample, entryType } from './parser.ts'
import type { ExpositionParser } from './parser.ts'
import { countLines } from './scan.ts'
import { parseSeriesText, SeriesTextError } from './series-text.ts'

/** One metric of a family: of a histogram or summary, all series with the same labels but `le` and `quantile`. */
export interface Metric {
  readonly labelNames: readonly string[]
  /** The buckets or quantiles. */
  parts: number
}

/** A family with its samples, as a person reads the page. Names are as in text 0.0.4: that of a counter has its `_total`. */
export interface MetricFamily {
  readonly name: string
  readonly type: MetricType
  readonly help: string | undefined
  readonly metrics: readonly Metric[]
  /** Samples that repeat the name and labels of one before. */
  readonly duplicates: number
}

interface Draft {
  readonly name: string
  type: MetricType | undefined
  help: string | undefined
  readonly metrics: Metric[]
  readonly metricsByKey: Map<string, Metric>
  duplicates: number
}

/** What samples have behind their family's name. */
const suffixes: Readonly<Partial<Record<MetricType, readonly string[]>>> = {
  summary: ['_count', '_sum'],
  histogram: ['_count', '_sum', '_bucket'],
}
const openMetricsSuffixes: typeof suffixes = {
  counter: ['_total', '_created'],
  info: ['_info'],
  summary: ['_count', '_sum', '_created'],
  histogram: ['_count', '_sum', '_bucket', '_created'],
  gaugehistogram: ['_gcount', '_gsum', '_bucket'],
}

/** The label that tells the parts of a metric apart. */
const partLabels: Readonly<Partial<Record<MetricType, string>>> = { summary: 'quantile', histogram: 'le', gaugehistogram: 'le' }

/**
 * Reads a whole body into families, in the order of their first line, without those that have no samples; for tools, not for scrapes.
 * Throws ExpositionError, in text 0.0.4 also for a second HELP or TYPE of a family and a TYPE behind its samples.
 */
export function readFamilies(body: Uint8Array, parser: ExpositionParser, isOpenMetrics: boolean): MetricFamily[] {
  return new FamilyReader(body, parser, isOpenMetrics).run()
}

class FamilyReader {
  readonly #body: Uint8Array
  readonly #parser: ExpositionParser
  readonly #isOpenMetrics: boolean
  readonly #families = new Map<string, Draft>()

  constructor(body: Uint8Array, parser: ExpositionParser, isOpenMetrics: boolean) {
    this.#body = body
    this.#parser = parser
    this.#isOpenMetrics = isOpenMetrics
  }

  run(): MetricFamily[] {
    const parser = this.#parser
    parser.begin(this.#body, 0, this.#body.length)
    for (;;) {
      const kind = parser.next()
      if (kind === entryEnd) break
      if (kind === entrySample) this.#addSample()
      else if (kind === entryType || kind === entryHelp) this.#addMetadata(kind)
    }
    const drafts = [...this.#families.values()].filter(({ metrics }) => metrics.length > 0)
    return drafts.map((draft) => ({ ...draft, name: this.#sampleName(draft), type: draft.type ?? 'unknown' }))
  }

  #sampleName({ name, type }: Draft): string {
    return this.#isOpenMetrics && type === 'counter' ? `${name}_total` : name
  }

  #addMetadata(kind: number): void {
    const parser = this.#parser
    const name = parser.name()
    const family = this.#familyNamed(name)
    if (kind === entryHelp) {
      if (family.help !== undefined) this.#fail(`second HELP line for metric name ${quoteText(name)}`)
      family.help = parser.text()
      return
    }
    if (family.type !== undefined) this.#fail(`second TYPE line for metric name ${quoteText(name)}, or TYPE reported after samples`)
    family.type = parser.type
  }

  #addSample(): void {
    const labels = this.#readLabels()
    const name = labels.get('__name__')
    const family = this.#familyOf(name)
    const type = (family.type ??= 'unknown')
    if (name.endsWith('_created') && family.name !== name) return
    const partLabel = partLabels[type]
    const own = partLabel === undefined ? labels.without('__name__') : labels.without('__name__', partLabel)
    const key = own.key()
    const known = family.metricsByKey.get(key)
    const isPart = partLabel !== undefined && labels.has(partLabel)
    if (known !== undefined && partLabel !== undefined) {
      if (isPart) known.parts++
      return
    }
    const metric = { labelNames: own.pairs.filter((_, i) => i % 2 === 0), parts: isPart ? 1 : 0 }
    family.metrics.push(metric)
    if (known === undefined) family.metricsByKey.set(key, metric)
    else family.duplicates++
  }

  #familyNamed(name: string): Draft {
    let family = this.#families.get(name)
    if (family === undefined) {
      family = { name, type: undefined, help: undefined, metrics: [], metricsByKey: new Map(), duplicates: 0 }
      this.#families.set(name, family)
    }
    return family
  }

  #familyOf(name: string): Draft {
    const exact = this.#families.get(name)
    if (exact !== undefined) return exact
    for (let at = name.lastIndexOf('_'); at > 0; at = name.lastIndexOf('_', at - 1)) {
      const family = this.#families.get(name.slice(0, at))
      const endings = family?.type === undefined ? undefined : (this.#isOpenMetrics ? openMetricsSuffixes : suffixes)[family.type]
      if (family !== undefined && endings?.includes(name.slice(at)) === true) return family
    }
    return this.#familyNamed(name)
  }

  #readLabels(): Labels {
    const parser = this.#parser
    try {
      return parseSeriesText(this.#body, parser.seriesStart, parser.seriesEnd, parser.type)
    } catch (error) {
      if (error instanceof SeriesTextError) this.#fail(error.message)
      throw error
    }
  }

  #fail(problem: string): never {
    throw new ExpositionError(problem, countLines(this.#body, 0, this.#parser.offset - 1))
  }
}
