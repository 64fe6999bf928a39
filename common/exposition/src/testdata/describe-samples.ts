import type { NativeHistogram } from '@narthex/model/native-histogram'
import { entryComment, entryEnd, entryHelp, entrySample, entryType, entryUnit } from '../parser.ts'
import type { ExpositionParser, ScrapedExemplar } from '../parser.ts'
import { parseSeriesText } from '../series-text.ts'

/** Every entry of a body as one line of text, for comparing in tests. */
export function describeSamples(parser: ExpositionParser, body: Uint8Array): string[] {
  // A longer buffer shows a parser that reads past its end.
  const padded = new Uint8Array(body.length + 8).fill(0x31)
  padded.set(body)
  parser.begin(padded, 0, body.length)
  const out: string[] = []
  for (;;) {
    const kind = parser.next()
    if (kind === entryEnd) return out
    if (kind === entryComment) continue
    if (kind === entryHelp) out.push(`HELP ${parser.name()} ${parser.text()}`)
    if (kind === entryType) out.push(`TYPE ${parser.name()} ${parser.type}`)
    if (kind === entryUnit) out.push(`UNIT ${parser.name()} ${parser.text()}`)
    if (kind === entrySample) out.push(describeSample(parser, padded))
  }
}

function describeSample(parser: ExpositionParser, body: Uint8Array): string {
  let text = parseSeriesText(body, parser.seriesStart, parser.seriesEnd, parser.type).metricString()
  text += parser.hasHistogram ? ` ${describeHistogram(parser.histogram())}` : ` ${parser.value}`
  if (parser.hasTimestamp) text += ` @${parser.timestampMs}`
  if (parser.startTimestampMs !== 0) text += ` from ${parser.startTimestampMs}`
  for (const exemplar of parser.exemplars()) text += ` # ${describeExemplar(exemplar)}`
  return text
}

function describeExemplar({ labels, value, timestampMs }: ScrapedExemplar): string {
  const pairs: string[] = []
  for (let i = 0; i < labels.length; i += 2) pairs.push(`${labels[i]!}=${labels[i + 1]!}`)
  return `{${pairs.join(',')}} ${value}${timestampMs === undefined ? '' : ` @${timestampMs}`}`
}

/** `[float] [gauge] schema count sum zero+threshold offset:length… counts…`, with the deltas of integers added up. */
export function describeHistogram(histogram: NativeHistogram): string {
  const side = (name: string, spans: NativeHistogram['positiveSpans'], deltas: readonly number[], counts: readonly number[]) => {
    let sum = 0
    const absolute = histogram.isFloat ? counts : deltas.map((delta) => (sum += delta))
    return spans.length === 0
      ? ''
      : ` ${name}[${spans.map(({ offset, length }) => `${offset}:${length}`).join(' ')} = ${absolute.join(' ')}]`
  }
  const bounds = histogram.customValues.length > 0 ? ` bounds[${histogram.customValues.join(' ')}]` : ''
  const kind = `${histogram.isFloat ? 'float' : 'int'}${histogram.isGauge ? ' gauge' : ''}`
  const zero = histogram.zeroCount === 0 && histogram.zeroThreshold === 0 ? '' : ` zero ${histogram.zeroCount}<=${histogram.zeroThreshold}`
  return (
    `{${kind} schema ${histogram.schema} count ${histogram.count} sum ${histogram.sum}${zero}` +
    side('+', histogram.positiveSpans, histogram.positiveDeltas, histogram.positiveCounts) +
    `${side('-', histogram.negativeSpans, histogram.negativeDeltas, histogram.negativeCounts)}${bounds}}`
  )
}
