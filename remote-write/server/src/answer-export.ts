import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { formatFloat } from '@narthex/model/number'
import { SampleColumns } from '@narthex/model/sample-columns'
import { isStaleWords } from '@narthex/model/stale'
import type { ExportFormat } from '@narthex/api/backend'
import type { Queryable } from '@narthex/tsdb/select/queryable'

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
}

const partBytes = 64 * 1024
const samplesPerCheck = 4096
/** Keeps so many samples of a series for the next one. */
const keptSamplesMax = 1024 * 1024

/**
 * Sends all samples of the selected series, each series once, in the order of each selector. Native histograms are left out: neither format has a form for
 * them.
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
  let columns = new SampleColumns()
  for (const set of selected) {
    while (set.next()) {
      sink.check()
      const labels = set.labels()
      if (selected.length > 1) {
        const key = labels.key()
        if (seen.has(key)) continue
        seen.add(key)
      }
      columns.clear()
      set.samples(columns)
      if (format.kind === 'json') writeJson(labels, columns, format.rowsMax, writer, flush)
      else writeCsv(labels, columns, format, writer, flush)
      if (columns.times.length > keptSamplesMax) columns = new SampleColumns()
    }
  }
  flush(1)
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

const comma = 44

function isStaleAt(columns: SampleColumns, i: number): boolean {
  return isStaleWords(columns.words[2 * i]!, columns.words[2 * i + 1]!)
}

/** A number of JSON; null for NaN, texts for what JSON has no number for. */
function describeValue(columns: SampleColumns, i: number): string {
  if (isStaleAt(columns, i)) return '"stale"'
  const value = columns.values[i]!
  if (Number.isNaN(value)) return 'null'
  if (!Number.isFinite(value)) return value > 0 ? '"Infinity"' : '"-Infinity"'
  return formatFloat(value)
}

function writeCsv(labels: Labels, columns: SampleColumns, format: ExportFormat & { kind: 'csv' }, writer: ByteWriter, flush: Flush): void {
  const fields = format.columns.map((column) => (column.kind === 'label' ? quoteField(labels.get(column.name)) : ''))
  for (let i = 0; i < columns.length; i++) {
    format.columns.forEach((column, at) => {
      if (column.kind === 'value') fields[at] = isStaleAt(columns, i) ? 'stale' : formatFloat(columns.values[i]!)
      if (column.kind === 'time') fields[at] = describeTime(columns.times[i]!, column.unit)
    })
    writer.utf8(fields.join(','))
    writer.u8(lineFeed)
    if (i % samplesPerCheck === 0) flush(partBytes)
  }
  flush(partBytes)
}

const lineFeed = 10

function describeTime(ms: number, unit: string): string {
  if (unit === 'unix_s') return String(Math.floor(ms / 1000))
  if (unit === 'unix_ns') return `${ms}000000`
  if (unit === 'rfc3339') return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
  return String(ms)
}

function quoteField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
