import { Labels } from '@narthex/model/labels'
import { LabelPairs } from '@narthex/wire/label-pairs'
import type { RemoteWrite1Reader } from '@narthex/wire/remote-write-1'
import { appendHistograms, countHistograms } from './append-histograms.ts'
import { appendResult, describeAppendResult, HeadFullError } from './appender.ts'
import type { HeadAppender, MetadataSink } from './appender.ts'
import { failedSeriesText } from './request-report.ts'
import type { RequestReport } from './request-report.ts'
import { SeriesSymbols } from './series-symbols.ts'

const pairs = new LabelPairs()
const symbols = new SeriesSymbols()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Appends what a reader found, without commit. Series with invalid labels are left out and counted, as Prometheus does for
 * 1.0; samples that the head refuses are reported, the rest is appended.
 */
export function appendVersion1(reader: RemoteWrite1Reader, appender: HeadAppender, latestMs: number, report: RequestReport): void {
  const { samples, sampleEnd, refs, seriesCount, histograms } = reader
  const { times, words } = samples
  const { counts } = report
  let first = 0
  let firstHistogram = 0
  // The one before may have ended in an error.
  symbols.forget()
  for (let i = 0; i < seriesCount; i++) {
    const end = sampleEnd[i]!
    let ref = refs[i]!
    const histogramCount = countHistograms(histograms, firstHistogram, i)
    const sampleCount = end - first + histogramCount
    if (ref === 0 && sampleCount > 0) {
      ref = resolveSeries(reader, i, appender, report, sampleCount)
      // For the series' exemplars.
      refs[i] = ref
    }
    if (ref > 0) {
      for (let s = first; s < end; s++) {
        const time = times[s]!
        const result = time > latestMs ? appendResult.tooFarInFuture : appender.append(ref, time, words[2 * s]!, words[2 * s + 1]!)
        if (result === appendResult.accepted) counts.samples++
        else {
          if (result === appendResult.memoryCeiling) throw new HeadFullError(describeAppendResult(result))
          counts.refusedSamples++
          report.fail(() => failedSeriesText(describeAppendResult(result), labelsOf(reader, i)))
        }
      }
    }
    if (ref > 0 && histogramCount > 0) {
      appendHistograms(histograms, reader.bytes, firstHistogram, histogramCount, ref, appender, latestMs, report, () => labelsOf(reader, i))
    }
    firstHistogram += histogramCount
    first = end
  }
  symbols.forget()
}

/** Hands metadata on; a family that is named twice keeps the last entry. */
export function handOnMetadata1(reader: RemoteWrite1Reader, sink: MetadataSink, report: RequestReport): void {
  for (let i = 0; i < reader.metadataCount; i++) {
    const { family, type, help, unit } = reader.metadata(i)
    if (family === '') continue
    sink.setMetadata(family, type, help, unit)
    sink.series?.noteFamily(family, type, unit, help)
    report.counts.metadata++
  }
}

/** The reference of a series that was not known by its bytes; not positive if it is left out, which is then counted. */
function resolveSeries(reader: RemoteWrite1Reader, i: number, appender: HeadAppender, report: RequestReport, sampleCount: number): number {
  const source = reader.labelSource(i)
  const start = reader.labelsStart[i]!
  const end = reader.labelsEnd[i]!
  if (end > start) {
    // An earlier series of this request may have made it known.
    const known = appender.refByWire(source, start, end)
    if (known > 0) return known
  }
  pairs.read(source, start, end)
  symbols.begin(appender)
  const { offsets, count } = pairs
  for (let k = 0; k < 4 * count; k += 4) symbols.add(source, offsets[k]!, offsets[k + 1]!, offsets[k + 2]!, offsets[k + 3]!)
  const ref = symbols.resolve()
  if (ref > 0) {
    appender.rememberWire(source, start, end, ref)
    return ref
  }
  if (symbols.problem !== undefined) {
    report.counts.invalidLabelSamples += sampleCount
    return 0
  }
  report.counts.refusedSamples += sampleCount
  report.fail(() => failedSeriesText(appender.refusal(), labelsOf(reader, i)))
  return 0
}

function labelsOf(reader: RemoteWrite1Reader, i: number): Labels {
  const source = reader.labelSource(i)
  pairs.read(source, reader.labelsStart[i]!, reader.labelsEnd[i]!)
  const flat: string[] = []
  for (let k = 0; k < 4 * pairs.count; k += 2) flat.push(decoder.decode(source.subarray(pairs.offsets[k], pairs.offsets[k + 1])))
  return Labels.fromPairs(flat)
}
