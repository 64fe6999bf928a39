import type { MetricType } from '@narthex/model/metric-type'
import { entryEnd, entryHelp, entrySample, entryType } from './parser.ts'
import { parseSeriesText } from './series-text.ts'
import { TextParser } from './text-parser.ts'

/** Values are numbers as the page has them; labels are left out where there are none. */
export interface JsonMetric {
  readonly labels?: Readonly<Record<string, string>>
  value?: string
  /** Of a summary, by quantile. */
  quantiles?: Record<string, string>
  /** Of a histogram, by upper bound. */
  buckets?: Record<string, string>
  count?: string
  sum?: string
}

/** A family in the form of prom2json, Prometheus' own tool. */
export interface JsonFamily {
  readonly name: string
  readonly help: string
  /** COUNTER, GAUGE, HISTOGRAM, SUMMARY, UNTYPED. */
  readonly type: string
  readonly metrics: readonly JsonMetric[]
}

const textDecoder = new TextDecoder()
const newline = 0x0a

/** The families of a page as `FamilyWriter` makes it (text 0.0.4, HELP and TYPE in front of a family's samples) whose name is wanted, in their order. */
export function describeFamilies(page: Uint8Array, isWanted: (name: string) => boolean): JsonFamily[] {
  const families: JsonFamily[] = []
  const parser = new TextParser()
  parser.begin(page, 0, page.length)
  let help = ''
  let draft: FamilyDraft | undefined
  for (let kind = parser.next(); kind !== entryEnd; kind = parser.next()) {
    if (kind === entryHelp) help = parser.text()
    else if (kind === entryType) {
      draft = isWanted(parser.name()) ? new FamilyDraft(parser.name(), help, parser.type) : undefined
      if (draft !== undefined) families.push(draft.family)
      help = ''
    } else if (kind === entrySample && draft !== undefined) {
      const labels = parseSeriesText(page, parser.seriesStart, parser.seriesEnd, parser.type)
      draft.add(labels.toRecord(), textDecoder.decode(page.subarray(parser.valueStart, page.indexOf(newline, parser.valueStart))))
    }
  }
  return families.filter(({ metrics }) => metrics.length > 0)
}

class FamilyDraft {
  readonly family: JsonFamily
  readonly #metrics: JsonMetric[] = []
  /** Of a histogram or summary, by the labels that their parts share. */
  readonly #byLabels = new Map<string, JsonMetric>()

  constructor(name: string, help: string, type: MetricType) {
    this.family = { name, help, type: type === 'unknown' ? 'UNTYPED' : type.toUpperCase(), metrics: this.#metrics }
  }

  add({ __name__: name = '', ...labels }: Record<string, string>, value: string): void {
    const { type } = this.family
    if (type === 'HISTOGRAM' || type === 'SUMMARY') this.#addPart(name.slice(this.family.name.length), labels, value)
    else this.#metrics.push({ ...labelsOf(labels), value })
  }

  #addPart(suffix: string, labels: Record<string, string>, value: string): void {
    const { le, quantile, ...shared } = labels
    const key = JSON.stringify(shared)
    let metric = this.#byLabels.get(key)
    if (metric === undefined) {
      metric = { ...labelsOf(shared), ...(this.family.type === 'HISTOGRAM' ? { buckets: {} } : { quantiles: {} }) }
      this.#byLabels.set(key, metric)
      this.#metrics.push(metric)
    }
    if (suffix === '_sum') metric.sum = value
    else if (suffix === '_count') metric.count = value
    else if (suffix === '_bucket') metric.buckets![le ?? ''] = value
    else metric.quantiles![quantile ?? ''] = value
  }
}

function labelsOf(labels: Record<string, string>): Pick<JsonMetric, 'labels'> {
  return Object.keys(labels).length === 0 ? {} : { labels }
}
