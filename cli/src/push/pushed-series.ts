import { entryEnd, entryHelp, entrySample, entryType, entryUnit, type ExpositionParser } from '@narthex/exposition/parser'
import { parseSeriesText } from '@narthex/exposition/series-text'
import { Labels } from '@narthex/model/labels'
import { formatFloatG, parseGoFloat } from '@narthex/model/number'
import type { MetricType } from '@narthex/model/metric-type'

/** A sample of a page of metrics, as it is sent. */
export interface PushedSample {
  readonly labels: Labels
  readonly value: number
  readonly timeMs: number
  readonly family: PushedFamily
}

export interface PushedFamily {
  readonly name: string
  type: MetricType
  help: string
  unit: string
}

export interface PushedPage {
  readonly samples: readonly PushedSample[]
  /** Those with a HELP, TYPE or UNIT line. */
  readonly families: readonly PushedFamily[]
}

/** What the names of samples have behind that of their family. */
const suffixes = ['_bucket', '_sum', '_count', '_total', '_info', '_gcount', '_gsum'] as const

/**
 * Reads a whole page. `added` are labels for every series, which lose against its own; its own `job` is `exported_job` then. Samples without a
 * time are of `nowMs`; a histogram without a bucket for +Inf gets one. Throws ExpositionError or SeriesTextError.
 */
export function readPushedPage(
  body: Uint8Array,
  parser: ExpositionParser,
  added: Readonly<Record<string, string>>,
  nowMs: number,
): PushedPage {
  const samples: PushedSample[] = []
  const families = new Map<string, PushedFamily>()
  const familyNamed = (name: string): PushedFamily => {
    const known = families.get(name)
    if (known !== undefined) return known
    const made: PushedFamily = { name, type: 'unknown', help: '', unit: '' }
    families.set(name, made)
    return made
  }
  parser.begin(body, 0, body.length)
  for (let kind = parser.next(); kind !== entryEnd; kind = parser.next()) {
    if (kind === entryType) familyNamed(parser.name()).type = parser.type
    else if (kind === entryHelp) familyNamed(parser.name()).help = parser.text()
    else if (kind === entryUnit) familyNamed(parser.name()).unit = parser.text()
    if (kind !== entrySample || parser.isCreated) continue
    const own = parseSeriesText(body, parser.seriesStart, parser.seriesEnd, 'unknown')
    const name = own.get('__name__')
    const family = families.get(familyNameOf(name, families)) ?? { name, type: 'unknown', help: '', unit: '' }
    samples.push({
      labels: addLabels(own, added, partLabels[family.type]),
      value: parser.value,
      timeMs: parser.hasTimestamp ? parser.timestampMs : nowMs,
      family,
    })
  }
  return { samples: [...samples, ...missingBuckets(samples)], families: [...families.values()] }
}

function familyNameOf(name: string, families: ReadonlyMap<string, PushedFamily>): string {
  if (families.has(name)) return name
  const suffix = suffixes.find((candidate) => name.endsWith(candidate) && families.has(name.slice(0, -candidate.length)))
  return suffix === undefined ? name : name.slice(0, -suffix.length)
}

/** The label whose value is a number, printed as Go prints it: `1`, where a scrape makes `1.0` of it. */
const partLabels: Readonly<Partial<Record<MetricType, string>>> = { histogram: 'le', gaugehistogram: 'le', summary: 'quantile' }

function addLabels(own: Labels, added: Readonly<Record<string, string>>, partLabel = ''): Labels {
  const { job, [partLabel]: part, ...others } = own.toRecord()
  const number = part === undefined ? undefined : parseGoFloat(part)
  return Labels.from({
    ...added,
    ...others,
    ...(part === undefined ? {} : { [partLabel]: number === undefined ? part : formatFloatG(number) }),
    ...(job === undefined ? {} : { exported_job: job }),
  })
}

/** For each `_count` of a histogram whose buckets do not go to +Inf. */
function missingBuckets(samples: readonly PushedSample[]): PushedSample[] {
  const counts = samples.filter(({ family, labels }) => family.type === 'histogram' && labels.get('__name__') === `${family.name}_count`)
  if (counts.length === 0) return []
  const known = new Set(samples.filter(({ labels }) => labels.get('le') === '+Inf').map(({ labels }) => labels.key()))
  const wanted = counts.map((sample) => {
    const labels = Labels.from({ ...sample.labels.toRecord(), __name__: `${sample.family.name}_bucket`, le: '+Inf' })
    return { ...sample, labels }
  })
  return wanted.filter(({ labels }) => !known.has(labels.key()))
}
