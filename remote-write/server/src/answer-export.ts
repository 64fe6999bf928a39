import { ByteWriter } from '@narthex/bytes/byte-writer'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { formatFloat } from '@narthex/model/number'
import { SampleColumns } from '@narthex/model/sample-columns'
import { isStaleWords } from '@narthex/model/stale'
import { formatTimeIn } from '@narthex/model/time-unit'
import { QueryError } from '@narthex/promql/query-error'
import type { ExportFormat } from '@narthex/api/backend'
import type { Queryable, SeriesSet } from '@narthex/tsdb/select/queryable'
import { describeHistogramObject, describeNumber } from './export-histograms.ts'

// Raw samples as lines, piece by piece.

export interface Export {
  /** One set of matchers a selector. */
  readonly sets: readonly (readonly Matcher[])[]
  readonly startMs: number
  readonly endMs: number
  readonly format: ExportFormat
}

interface Sink {
  send(part: Uint8Array<ArrayBuffer>): void
  /** Throws when the export has to end. */
  check(): void
  /** Makes sure that the export may hold so many bytes; gives the reason if it may not. */
  cover(bytes: number): string | undefined
}

const partBytes = 64 * 1024
const samplesPerCheck = 4096
/** Keeps so many samples of a series for the next one. */
const keptSamplesMax = 1024 * 1024

/**
 * Sends all samples of the selected series, each series once, in the order of each selector. Native histograms are in lines of their own behind the floats of
 * their series; CSV has none. One series at a time is held: throws a QueryError if that is more than the query may hold.
 */
export function answerExport({ sets, startMs, endMs, format }: Export, reader: Queryable, sink: Sink): void {
  // All are selected before the first byte goes: a block that has gone meanwhile lets the export begin anew.
  const selected = sets.map((matchers) => reader.select(matchers, startMs, endMs))
  const writer = new ByteWriter(2 * partBytes)
  const flush = (bytesMin: number): void => {
    if (writer.length < bytesMin || writer.length === 0) return
    sink.check()
    sink.send(writer.view().slice())
    writer.reset()
  }
  const seen = new Set<string>()
  const readColumns = new ExportColumns(sink, partBytes * 2)
  for (const set of selected) {
    while (set.next()) {
      sink.check()
      const labels = set.labels()
      if (selected.length > 1) {
        const key = labels.key()
        if (seen.has(key)) continue
        seen.add(key)
      }
      const { floats, histograms } = readColumns.read(set, format.kind === 'json')
      if (format.kind === 'csv') writeCsv(labels, floats, format, writer, flush)
      else {
        writeJson(labels, floats, format.rowsMax, writer, flush)
        writeJsonHistograms(labels, histograms, format.rowsMax, writer, flush)
      }
    }
  }
  flush(1)
}

/** The samples of a series; what they take counts before it is there. */
class ExportColumns {
  readonly #sink: Sink
  readonly #besideBytes: number
  readonly #bytes = { floats: 0, histograms: 0 }
  #floats = this.#makeFloats()
  #histograms = this.#makeHistograms()

  constructor(sink: Sink, besideBytes: number) {
    this.#sink = sink
    this.#besideBytes = besideBytes
  }

  read(set: SeriesSet, wantsHistograms: boolean): { floats: SampleColumns; histograms: HistogramColumns } {
    if (this.#floats.times.length > keptSamplesMax) this.#floats = this.#makeFloats()
    if (this.#histograms.buckets.length > keptSamplesMax) this.#histograms = this.#makeHistograms()
    this.#floats.clear()
    this.#histograms.clear()
    set.samples(this.#floats)
    if (wantsHistograms && set.hasHistograms?.() !== false) set.histograms?.(this.#histograms)
    return { floats: this.#floats, histograms: this.#histograms }
  }

  #makeFloats(): SampleColumns {
    return new SampleColumns(128, (bytes) => this.#cover({ floats: bytes }))
  }

  #makeHistograms(): HistogramColumns {
    return new HistogramColumns(16, 256, (bytes) => this.#cover({ histograms: bytes }))
  }

  #cover(change: Partial<{ floats: number; histograms: number }>): void {
    Object.assign(this.#bytes, change)
    const refusal = this.#sink.cover(this.#besideBytes + this.#bytes.floats + this.#bytes.histograms)
    if (refusal !== undefined) throw new QueryError('execution', `a series of the export is too large, ask for less time: ${refusal}`)
  }
}

type Flush = (bytesMin: number) => void

function writeJson(labels: Labels, columns: SampleColumns, rowsMax: number, writer: ByteWriter, flush: Flush): void {
  const head = `{"metric":${JSON.stringify(labels.toRecord())},"values":[`
  for (let from = 0; from < columns.length; from += rowsMax) {
    const to = Math.min(columns.length, from + rowsMax)
    writer.utf8(head)
    for (let i = from; i < to; i++) {
      if (i > from) writer.u8(comma)
      writer.utf8(describeValue(columns, i))
      if (i % samplesPerCheck === 0) flush(partBytes)
    }
    writer.utf8('],"timestamps":[')
    for (let i = from; i < to; i++) {
      if (i > from) writer.u8(comma)
      writer.utf8(String(columns.times[i]!))
      if (i % samplesPerCheck === 0) flush(partBytes)
    }
    writer.utf8(']}\n')
    flush(partBytes)
  }
}

/** Lines of histograms end when they have so many bytes: who imports them reads a line whole. */
const histogramLineBytes = 256 * 1024

function writeJsonHistograms(labels: Labels, columns: HistogramColumns, rowsMax: number, writer: ByteWriter, flush: Flush): void {
  const head = `{"metric":${JSON.stringify(labels.toRecord())},"histograms":[`
  for (let from = 0; from < columns.length;) {
    writer.utf8(head)
    let to = from
    for (let lineBytes = 0; to < columns.length && to - from < rowsMax && lineBytes < histogramLineBytes; to++) {
      if (to > from) writer.u8(comma)
      lineBytes += writer.utf8(describeHistogramObject(columns, to))
      flush(partBytes)
    }
    writer.utf8(`],"timestamps":[${columns.times.subarray(from, to).join()}]}\n`)
    flush(partBytes)
    from = to
  }
}

const comma = 44

function isStaleAt(columns: SampleColumns, i: number): boolean {
  return isStaleWords(columns.words[2 * i]!, columns.words[2 * i + 1]!)
}

function describeValue(columns: SampleColumns, i: number): string {
  return isStaleAt(columns, i) ? '"stale"' : describeNumber(columns.values[i]!)
}

function writeCsv(labels: Labels, columns: SampleColumns, format: ExportFormat & { kind: 'csv' }, writer: ByteWriter, flush: Flush): void {
  const fields = format.columns.map((column) => (column.kind === 'label' ? quoteField(labels.get(column.name)) : ''))
  for (let i = 0; i < columns.length; i++) {
    format.columns.forEach((column, at) => {
      if (column.kind === 'value') fields[at] = isStaleAt(columns, i) ? 'stale' : formatFloat(columns.values[i]!)
      if (column.kind === 'time') fields[at] = formatTimeIn(column.unit, columns.times[i]!)
    })
    writer.utf8(fields.join(','))
    writer.u8(lineFeed)
    if (i % samplesPerCheck === 0) flush(partBytes)
  }
  flush(partBytes)
}

const lineFeed = 10

function quoteField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
