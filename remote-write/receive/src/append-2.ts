import { Labels } from '@narthex/model/labels'
import { metricTypeOfCode } from '@narthex/wire/metric-type-codes'
import type { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { appendHistograms } from './append-histograms.ts'
import { appendResult, describeAppendResult, HeadFullError } from './appender.ts'
import type { HeadAppender, MetadataSink } from './appender.ts'
import { failedSeriesText } from './request-report.ts'
import type { RequestReport } from './request-report.ts'
import { hasDuplicateName, isMetricName } from './series-symbols.ts'
import { SymbolHashes, seriesKeyBytes } from './symbol-hashes.ts'
import { isUtf8Range } from './utf8.ts'

const unseen = 0xffffffff
const invalid = 0xfffffffe
/** The head's own number for a symbol that it did not take. */
const refused = 0
const empty = 0xfffffffc

/** Appends 2.0 requests. A series seen before is known by a key made of its symbols; for others each symbol of a request is checked and interned at most once, on its first use. */
export class Version2Appender {
  #headSymbols = new Uint32Array(1024)
  #pairs = new Uint32Array(2 * 64)
  readonly #hashes = new SymbolHashes()
  /** References of the request's series, 0 where no sample was to be appended or the series was left out; until the next request. */
  refs: Int32Array = new Int32Array(1024)
  /** Symbol reference of `__name__` in this request, found on first use. */
  #nameRef = -1

  /**
   * Appends what a reader found, without commit. Series with invalid labels, without samples, and samples that the head
   * refuses are reported; the rest is appended.
   */
  append(reader: RemoteWrite2Reader, appender: HeadAppender, latestMs: number, report: RequestReport): void {
    this.#begin(reader.symbolCount)
    if (this.refs.length < reader.seriesCount || this.refs.length > 64 * 1024)
      this.refs = new Int32Array(Math.max(1024, reader.seriesCount))
    this.#hashes.begin(reader)
    const { key } = this.#hashes
    const { samples, sampleEnd, labelRefsEnd, seriesCount, histogramsOf, histograms } = reader
    const { times, words } = samples
    const { counts } = report
    let firstSample = 0
    let firstRef = 0
    let firstHistogram = 0
    for (let i = 0; i < seriesCount; i++) {
      const end = sampleEnd[i]!
      const refsEnd = labelRefsEnd[i]!
      const histogramCount = histogramsOf[i]!
      const sampleCount = end - firstSample + histogramCount
      let ref = 0
      if (sampleCount > 0) {
        this.#hashes.put(reader, firstRef, refsEnd)
        ref = appender.refByWire(key, 0, seriesKeyBytes)
      }
      if (ref === 0) {
        ref = this.#resolve(reader, i, firstRef, refsEnd, appender, report, sampleCount)
        if (ref > 0 && sampleCount > 0) appender.rememberWire(key, 0, seriesKeyBytes, ref)
      }
      this.refs[i] = sampleCount > 0 && ref > 0 ? ref : 0
      if (ref > 0) {
        if (sampleCount === 0) {
          report.fail(() => failedSeriesText('TimeSeries must contain at least one sample or histogram', labelsOf(reader, i)))
        }
        for (let s = firstSample; s < end; s++) {
          const time = times[s]!
          const result = time > latestMs ? appendResult.tooFarInFuture : appender.append(ref, time, words[2 * s]!, words[2 * s + 1]!)
          if (result === appendResult.accepted) counts.samples++
          else {
            if (result === appendResult.memoryCeiling) throw new HeadFullError(describeAppendResult(result))
            counts.refusedSamples++
            report.fail(() => failedSeriesText(describeAppendResult(result), labelsOf(reader, i)))
          }
        }
        if (histogramCount > 0) {
          const labels = (): Labels => labelsOf(reader, i)
          appendHistograms(histograms, reader.bytes, firstHistogram, histogramCount, ref, appender, latestMs, report, labels)
        }
      }
      firstHistogram += histogramCount
      firstSample = end
      firstRef = refsEnd
    }
  }

  #begin(symbolCount: number): void {
    if (this.#headSymbols.length < symbolCount || this.#headSymbols.length > 1024 * 1024) {
      this.#headSymbols = new Uint32Array(Math.max(1024, symbolCount * 2))
    }
    this.#headSymbols.fill(unseen, 0, symbolCount)
    this.#nameRef = -1
  }

  /** The series' reference; not positive if it is left out, which is then reported. */
  #resolve(
    reader: RemoteWrite2Reader,
    i: number,
    from: number,
    to: number,
    appender: HeadAppender,
    report: RequestReport,
    sampleCount: number,
  ): number {
    const { labelRefs } = reader
    if (this.#pairs.length < to - from) this.#pairs = new Uint32Array(2 * (to - from))
    const pairs = this.#pairs
    let count = 0
    let hasName = false
    let isInvalid = false
    let isRefused = false
    for (let at = from; at < to; at += 2) {
      const nameRef = labelRefs[at]!
      const name = this.#symbol(reader, nameRef, appender)
      const value = this.#symbol(reader, labelRefs[at + 1]!, appender)
      if (name === empty || name === invalid || value === invalid) isInvalid = true
      else if (value !== empty) {
        if (name === refused || value === refused) isRefused = true
        pairs[2 * count] = name
        pairs[2 * count + 1] = value
        count++
        if (nameRef === this.#nameRef || this.#isMetricName(reader, nameRef)) hasName = true
      }
    }
    if (isInvalid || !hasName) {
      report.counts.invalidLabelSamples += sampleCount
      report.fail(() => `invalid metric name or labels, got ${labelsOf(reader, i).toString()}`)
      return 0
    }
    // Refused symbols are all 0, so they say nothing about names.
    if (!isRefused && hasDuplicateName(pairs, count)) {
      report.counts.invalidLabelSamples += sampleCount
      report.fail(() => `invalid labels for series, labels ${labelsOf(reader, i).toString()}: a label name comes twice`)
      return 0
    }
    // A series without anything to store is not made; its report comes from the caller.
    if (sampleCount === 0) return 1
    const ref = appender.refBySymbols(pairs, count)
    if (ref <= 0) {
      report.counts.refusedSamples += sampleCount
      report.fail(() => failedSeriesText(appender.refusal(), labelsOf(reader, i)))
    }
    return ref
  }

  #symbol(reader: RemoteWrite2Reader, ref: number, appender: HeadAppender): number {
    const known = this.#headSymbols[ref]!
    if (known !== unseen) return known
    const start = reader.symbolStart[ref]!
    const end = reader.symbolEnd[ref]!
    let symbol = empty
    if (start !== end) {
      if (!isUtf8Range(reader.bytes, start, end)) symbol = invalid
      else {
        symbol = appender.internSymbol(reader.bytes, start, end)
      }
    }
    this.#headSymbols[ref] = symbol
    return symbol
  }

  #isMetricName(reader: RemoteWrite2Reader, ref: number): boolean {
    if (!isMetricName(reader.bytes, reader.symbolStart[ref]!, reader.symbolEnd[ref]!)) return false
    this.#nameRef = ref
    return true
  }
}

/** Hands the metadata of each metric name on, once per name and request. */
export function handOnMetadata2(reader: RemoteWrite2Reader, sink: MetadataSink, report: RequestReport): void {
  let seen: Set<number> | undefined
  let from = 0
  for (let i = 0; i < reader.seriesCount; i++) {
    const to = reader.labelRefsEnd[i]!
    const code = reader.metadata[3 * i]!
    const helpRef = reader.metadata[3 * i + 1]!
    const unitRef = reader.metadata[3 * i + 2]!
    if (code !== 0 || helpRef !== 0 || unitRef !== 0) {
      const nameRef = findMetricName(reader, from, to)
      seen ??= new Set()
      if (nameRef !== 0 && !seen.has(nameRef)) {
        seen.add(nameRef)
        const type = metricTypeOfCode(code)
        sink.setMetadata(familyOf(symbolText(reader, nameRef), type), type, symbolText(reader, helpRef), symbolText(reader, unitRef))
        report.counts.metadata++
      }
    }
    from = to
  }
}

/** The family whose series carry these suffixes in their names. */
function familyOf(name: string, type: string): string {
  return type === 'histogram' || type === 'summary' || type === 'gaugehistogram'
    ? name.replace(/_(bucket|sum|count|gsum|gcount)$/, '')
    : name
}

function findMetricName(reader: RemoteWrite2Reader, from: number, to: number): number {
  for (let at = from; at < to; at += 2) {
    const ref = reader.labelRefs[at]!
    if (isMetricName(reader.bytes, reader.symbolStart[ref]!, reader.symbolEnd[ref]!)) return reader.labelRefs[at + 1]!
  }
  return 0
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function symbolText(reader: RemoteWrite2Reader, ref: number): string {
  return decoder.decode(reader.bytes.subarray(reader.symbolStart[ref], reader.symbolEnd[ref]))
}

function labelsOf(reader: RemoteWrite2Reader, i: number): Labels {
  const flat: string[] = []
  for (let at = i === 0 ? 0 : reader.labelRefsEnd[i - 1]!; at < reader.labelRefsEnd[i]!; at++)
    flat.push(symbolText(reader, reader.labelRefs[at]!))
  return Labels.fromPairs(flat)
}
