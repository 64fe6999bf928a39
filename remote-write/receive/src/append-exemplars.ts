import { Labels } from '@narthex/model/labels'
import { readExemplar1, readExemplar2 } from '@narthex/wire/exemplar-message'
import { LabelPairs } from '@narthex/wire/label-pairs'
import type { RemoteWrite1Reader } from '@narthex/wire/remote-write-1'
import type { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { appendResult, exemplarResult } from './appender.ts'
import type { ExemplarSink, HeadAppender } from './appender.ts'
import { failedSeriesText } from './request-report.ts'
import type { RequestReport } from './request-report.ts'

const pairs = new LabelPairs()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const value = new Float64Array(1)
const valueWords = new Uint32Array(value.buffer)

/**
 * Appends the exemplars of a request whose samples were appended, without commit. As in Prometheus none of 1.0 fails the request, and one of a
 * series that the head does not have is dropped: senders of 1.0 put exemplars into series of their own. Throws WireError for malformed ones.
 */
export function appendExemplars1(
  reader: RemoteWrite1Reader,
  appender: HeadAppender,
  sink: ExemplarSink,
  latestMs: number,
  report: RequestReport,
): void {
  const { exemplars, refs } = reader
  for (let k = 0; k < exemplars.count; k++) {
    const { labels, value: number, timestampMs } = readExemplar1(reader.bytes, exemplars.starts[k]!, exemplars.ends[k]!)
    const i = exemplars.series[k]!
    const ref = refs[i]! > 0 ? refs[i]! : findSeries(reader, i, appender, sink)
    count(report, append(sink, ref, timestampMs, number, Labels.fromPairs(labels), latestMs))
  }
}

/** As `appendExemplars1`; `refs` are the series' references, not positive for one that was left out. One out of order is reported. */
export function appendExemplars2(
  reader: RemoteWrite2Reader,
  refs: Int32Array,
  sink: ExemplarSink,
  latestMs: number,
  report: RequestReport,
): void {
  const { exemplars, symbolCount } = reader
  for (let k = 0; k < exemplars.count; k++) {
    const { labelRefs, value: number, timestampMs } = readExemplar2(reader.bytes, exemplars.starts[k]!, exemplars.ends[k]!, symbolCount)
    const i = exemplars.series[k]!
    const labels = Labels.fromPairs(labelRefs.map((ref) => symbolText(reader, ref)))
    const result = append(sink, refs[i]!, timestampMs, number, labels, latestMs)
    count(report, result)
    if (result === exemplarResult.outOfOrder) report.fail(() => failedSeriesText('out of order exemplar', labelsOfSeries(reader, i)))
  }
}

/** One of the far future is dropped: it would keep all of its series out until then. */
function append(sink: ExemplarSink, ref: number, timeMs: number, number: number, labels: Labels, latestMs: number): number {
  if (timeMs > latestMs) return appendResult.tooFarInFuture
  value[0] = number
  return sink.append(ref, timeMs, valueWords[0]!, valueWords[1]!, labels)
}

function count({ counts }: RequestReport, result: number): void {
  // One that comes again counts as written, as in Prometheus: its sender has nothing to do.
  if (result === exemplarResult.accepted || result === exemplarResult.duplicate) counts.exemplars++
  else counts.refusedExemplars++
}

function findSeries(reader: RemoteWrite1Reader, i: number, appender: HeadAppender, sink: ExemplarSink): number {
  const source = reader.labelSource(i)
  const start = reader.labelsStart[i]!
  const end = reader.labelsEnd[i]!
  // A series of this request may have made it known.
  const known = end > start ? appender.refByWire(source, start, end) : 0
  if (known > 0) return known
  pairs.read(source, start, end)
  const texts: string[] = []
  for (let k = 0; k < 4 * pairs.count; k += 2) texts.push(decoder.decode(source.subarray(pairs.offsets[k], pairs.offsets[k + 1])))
  return sink.findSeries(Labels.fromPairs(texts))
}

function symbolText(reader: RemoteWrite2Reader, ref: number): string {
  return decoder.decode(reader.bytes.subarray(reader.symbolStart[ref], reader.symbolEnd[ref]))
}

function labelsOfSeries(reader: RemoteWrite2Reader, i: number): Labels {
  const texts: string[] = []
  for (let at = i === 0 ? 0 : reader.labelRefsEnd[i - 1]!; at < reader.labelRefsEnd[i]!; at++)
    texts.push(symbolText(reader, reader.labelRefs[at]!))
  return Labels.fromPairs(texts)
}
