import type { Labels } from '@narthex/model/labels'
import type { MetricType } from '@narthex/model/metric-type'
import { parseGoFloat } from '@narthex/model/number'
import { ExpositionError } from './exposition-error.ts'
import { HistogramRules } from './histogram-rules.ts'
import { OpenMetricsParser } from './openmetrics-parser.ts'
import { entryEnd, entryHelp, entrySample, entryType, entryUnit } from './parser.ts'
import { countLines, skipQuoted } from './scan.ts'
import { parseSeriesText, SeriesTextError } from './series-text.ts'
import { parseTimestampNanos } from './timestamp-nanos.ts'

export interface OpenMetricsProblem {
  /** 1 for the first line. */
  readonly line: number
  readonly text: string
}

/** More problems than this help nobody. */
const problemsMax = 100

/** Name and value of an exemplar's labels together, in characters. */
const exemplarCharsMax = 128

/** What a family of each type may put behind its name; all of these names belong to it. */
const suffixes: Readonly<Record<MetricType, readonly string[]>> = {
  unknown: [''],
  gauge: [''],
  stateset: [''],
  info: ['_info'],
  counter: ['_total', '_created'],
  summary: ['', '_count', '_sum', '_created'],
  histogram: ['_bucket', '_count', '_sum', '_created'],
  gaugehistogram: ['_bucket', '_gcount', '_gsum'],
}

/** Samples that count something are never NaN. */
const countingSuffixes: readonly string[] = ['_total', '_bucket', '_count', '_sum', '_gcount', '_gsum']

interface Family {
  readonly name: string
  type: MetricType
  hasType: boolean
  hasHelp: boolean
  hasUnit: boolean
  unit: string
  hasSamples: boolean
  readonly seenGroups: Set<string>
}

/** One metric of a family, as long as its lines follow each other. */
interface Group {
  readonly key: string
  timestamp: bigint | undefined
  /** The series seen at this time. */
  readonly series: Set<string>
  hasTotal: boolean
}

/**
 * Checks a body by all the rules of OpenMetrics 1.0, of which a scrape needs few: order and grouping of lines, names, labels and values of
 * each type, buckets, exemplars, units, timestamps. Quoted UTF-8 names, Prometheus' addition to the format, are allowed. Returns what is
 * wrong, in order of lines; the first line that cannot be read ends the check.
 */
export function validateOpenMetrics(body: Uint8Array): readonly OpenMetricsProblem[] {
  return new Validator(body).run()
}

class Validator {
  readonly #body: Uint8Array
  readonly #parser = new OpenMetricsParser()
  readonly #problems: OpenMetricsProblem[] = []
  /** Every name that a family has or could have used. */
  readonly #names = new Set<string>()
  #family: Family | undefined
  #group: Group | undefined
  #histogram: HistogramRules | undefined
  #line = 1
  #start = 0

  constructor(body: Uint8Array) {
    this.#body = body
  }

  run(): readonly OpenMetricsProblem[] {
    const parser = this.#parser
    parser.begin(this.#body, 0, this.#body.length)
    try {
      while (this.#problems.length < problemsMax) {
        this.#start = parser.offset
        const kind = parser.next()
        if (kind === entryEnd) {
          this.#endFamily()
          break
        }
        if (kind === entrySample) this.#checkSample()
        else this.#checkMetadata(kind)
        this.#line += countLines(this.#body, this.#start, parser.offset) - 1
      }
    } catch (error) {
      if (!(error instanceof ExpositionError)) throw error
      this.#problems.push({ line: error.line, text: error.problem })
    }
    return this.#problems
  }

  #report(text: string): void {
    this.#problems.push({ line: this.#line, text })
  }

  #checkMetadata(kind: number): void {
    const parser = this.#parser
    const name = parser.name()
    if (this.#family?.name !== name) this.#beginFamily(name)
    const family = this.#family!
    const word = kind === entryType ? 'TYPE' : kind === entryHelp ? 'HELP' : 'UNIT'
    if (family.hasSamples) this.#report(`${word} of ${name} stands behind its samples`)
    if (kind === entryType ? family.hasType : kind === entryHelp ? family.hasHelp : family.hasUnit) {
      this.#report(`${word} of ${name} stands there twice`)
    }
    if (kind === entryType) {
      family.hasType = true
      family.type = parser.type
    } else if (kind === entryHelp) {
      family.hasHelp = true
    } else {
      family.hasUnit ||= kind === entryUnit
      if (parser.text() !== '') family.unit = parser.text()
    }
  }

  #beginFamily(name: string): void {
    this.#endFamily()
    this.#family = {
      name,
      type: 'unknown',
      hasType: false,
      hasHelp: false,
      hasUnit: false,
      unit: '',
      hasSamples: false,
      seenGroups: new Set(),
    }
  }

  #endFamily(): void {
    const family = this.#family
    if (family === undefined) return
    this.#endPoint()
    this.#group = undefined
    const names = new Set(['', ...suffixes[family.type]].map((suffix) => family.name + suffix))
    for (const name of names) {
      if (this.#names.has(name))
        this.#report(`name ${name} of metric family ${family.name} is another family's, or its lines are not together`)
    }
    for (const name of names) this.#names.add(name)
    if (family.unit !== '' && (family.type === 'info' || family.type === 'stateset')) {
      this.#report(`metric family ${family.name} of type ${family.type} has a unit`)
    }
    this.#family = undefined
  }

  #checkSample(): void {
    const labels = this.#readLabels()
    if (labels === undefined) return
    const name = labels.get('__name__')
    if (this.#suffixOf(name) === undefined) this.#beginFamily(name)
    const family = this.#family!
    family.hasSamples = true
    const suffix = this.#suffixOf(name)!
    this.#checkLabels(family.type, suffix, labels)
    this.#checkValue(family.type, suffix)
    if (this.#parser.hasExemplar) this.#checkExemplar(family.type, suffix)
    const isNew = this.#placeInGroup(family, suffix, labels)
    if (isNew && this.#histogram !== undefined) this.#checkHistogramLine(this.#histogram, suffix, labels)
  }

  /** Label values as they are written: an `le` of 1 is not the text 1.0. */
  #readLabels(): Labels | undefined {
    const parser = this.#parser
    if (this.#hasTrailingComma()) this.#report('comma behind the last label')
    try {
      return parseSeriesText(this.#body, parser.seriesStart, parser.seriesEnd, 'unknown')
    } catch (error) {
      if (!(error instanceof SeriesTextError)) throw error
      this.#report(error.message)
      return undefined
    }
  }

  /** The one thing in a line that the parser takes and the format does not have. */
  #hasTrailingComma(): boolean {
    const body = this.#body
    const end = this.#parser.offset
    for (let i = this.#start; i >= 0 && i < end;) {
      if (body[i] === 34) i = skipQuoted(body, i, end, false)
      else if (body[i++] === 44 && body[i] === 125) return true
    }
    return false
  }

  /** What the name has behind that of the family; undefined when it does not belong to it. */
  #suffixOf(name: string): string | undefined {
    const family = this.#family
    if (family === undefined || !name.startsWith(family.name)) return undefined
    const suffix = name.slice(family.name.length)
    return suffixes[family.type].includes(suffix) ? suffix : undefined
  }

  #checkLabels(type: MetricType, suffix: string, labels: Labels): void {
    if (suffix === '_bucket') {
      const text = labels.get('le')
      const bound = parseGoFloat(text)
      if (bound === undefined || Number.isNaN(bound)) this.#report(`le of a bucket is ${JSON.stringify(text)}, want a number`)
      else if (bound === Infinity && text !== '+Inf') this.#report(`le is written ${text}, want +Inf`)
    } else if (type === 'summary' && suffix === '') {
      const quantile = parseGoFloat(labels.get('quantile'))
      if (quantile === undefined || !(quantile >= 0 && quantile <= 1)) {
        this.#report(`quantile is ${JSON.stringify(labels.get('quantile'))}, want a number from 0 to 1`)
      }
    } else if (type === 'stateset' && !labels.has(this.#family!.name)) {
      this.#report(`no label ${this.#family!.name} with the state`)
    }
  }

  #checkValue(type: MetricType, suffix: string): void {
    const { value } = this.#parser
    if (type === 'stateset' && value !== 0 && value !== 1) this.#report(`value of a stateset is ${value}, want 0 or 1`)
    if (type === 'info' && value !== 1) this.#report(`value of an info is ${value}, want 1`)
    if (type === 'summary' && suffix === '' && value < 0) this.#report('quantile has a negative value')
    if (suffix === '_created' && !Number.isFinite(value)) this.#report('_created is no time')
    if (!countingSuffixes.includes(suffix)) return
    if (Number.isNaN(value)) this.#report(`value of ${suffix} is NaN`)
    // Where buckets may be of negative le, their rules say whether the sum may be negative.
    if (value < 0 && suffix !== '_gsum' && !(suffix === '_sum' && type === 'histogram')) this.#report(`value of ${suffix} is negative`)
  }

  #checkExemplar(type: MetricType, suffix: string): void {
    if (suffix !== '_bucket' && !(type === 'counter' && suffix === '_total')) {
      this.#report('exemplar on a sample that is neither a bucket nor the total of a counter')
    }
    for (const { labels } of this.#parser.exemplars()) {
      let chars = 0
      for (const text of labels) for (const _ of text) chars++
      if (chars > exemplarCharsMax) this.#report(`labels of the exemplar have ${chars} characters, want at most ${exemplarCharsMax}`)
      const names = labels.filter((_, i) => i % 2 === 0)
      if (new Set(names).size < names.length) this.#report('label of the exemplar stands there twice')
    }
  }

  /** Checks that the lines of a metric are together and their times ascend; false for a repeated sample of one time. */
  #placeInGroup(family: Family, suffix: string, labels: Labels): boolean {
    const key = this.#groupKey(family, suffix, labels)
    const timestamp = this.#timestamp()
    if (this.#group?.key !== key) {
      this.#endPoint()
      if (family.seenGroups.has(key)) this.#report(`lines of ${family.name}${describe(key)} are not together`)
      family.seenGroups.add(key)
      this.#group = { key, timestamp, series: new Set(), hasTotal: false }
    } else if ((this.#group.timestamp === undefined) !== (timestamp === undefined)) {
      this.#report('some lines of the metric have a timestamp and some have none')
      this.#beginPoint(timestamp)
    } else if (timestamp !== undefined && timestamp !== this.#group.timestamp) {
      // The labels of an info are not told from those of its metric, so any line may be another metric's.
      if (timestamp < this.#group.timestamp! && family.type !== 'info') this.#report('timestamps of the metric go backwards')
      this.#beginPoint(timestamp)
    }
    if (this.#histogram === undefined && (family.type === 'histogram' || family.type === 'gaugehistogram')) {
      this.#histogram = new HistogramRules(family.type === 'gaugehistogram')
    }
    const series = labels.key()
    if (suffix === '_total') this.#group!.hasTotal = true
    const { series: seen } = this.#group!
    if (!seen.has(series)) {
      seen.add(series)
      return true
    }
    // Times may have become equal by rounding.
    if (timestamp === undefined) this.#report('sample stands there twice without timestamps')
    return false
  }

  #groupKey(family: Family, suffix: string, labels: Labels): string {
    const own = labels.without('__name__')
    if (family.type === 'info') return ''
    if (family.type === 'stateset') return own.without(family.name).key()
    if (suffix === '_bucket') return own.without('le').key()
    return family.type === 'summary' && suffix === '' ? own.without('quantile').key() : own.key()
  }

  #beginPoint(timestamp: bigint | undefined): void {
    this.#endPoint()
    const group = this.#group!
    group.timestamp = timestamp
    group.series.clear()
    group.hasTotal = false
  }

  /** The lines of a metric at one time are all read. */
  #endPoint(): void {
    const group = this.#group
    if (this.#histogram !== undefined) for (const problem of this.#histogram.end()) this.#report(problem)
    this.#histogram = undefined
    if (group === undefined || this.#family?.type !== 'counter' || group.hasTotal) return
    this.#report(`counter without ${this.#family.name}_total`)
  }

  #checkHistogramLine(rules: HistogramRules, suffix: string, labels: Labels): void {
    const { value } = this.#parser
    if (suffix === '_count' || suffix === '_gcount') rules.count(value)
    else if (suffix === '_sum' || suffix === '_gsum') rules.sum(value)
    else if (suffix === '_bucket') {
      const bound = parseGoFloat(labels.get('le'))
      const problem = bound === undefined || Number.isNaN(bound) ? undefined : rules.bucket(bound, value)
      if (problem !== undefined) this.#report(problem)
    }
  }

  /** The parser cuts times to milliseconds; order is checked in nanoseconds. */
  #timestamp(): bigint | undefined {
    const parser = this.#parser
    if (!parser.hasTimestamp) return undefined
    const rest = Buffer.from(this.#body.subarray(parser.valueStart, parser.offset)).toString('latin1')
    return parseTimestampNanos(rest.split(/[ \n]/, 2)[1] ?? '')
  }
}

function describe(key: string): string {
  return key === '' ? '' : ` with ${JSON.stringify(key.replaceAll('\0', ' '))}`
}
