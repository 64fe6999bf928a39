import { ByteReader } from '@narthex/bytes/byte-reader'
import type { ByteWriter } from '@narthex/bytes/byte-writer'
import type { MetricType } from '@narthex/model/metric-type'

/** Type, help and unit of one series, as metadata records have them. */
export interface SeriesMetadata {
  readonly type: MetricType
  readonly unit: string
  readonly help: string
}

// The place is the code in the log.
const metricTypes: readonly MetricType[] = ['unknown', 'counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset']

/** Labels of a series or an exemplar (`RecordEntries.starts` and `ends`): name and value by turns; not UTF-8 becomes U+FFFD. */
export function readLabels(record: Uint8Array, start: number, end: number): string[] {
  const reader = new ByteReader(record, start, end)
  const texts: string[] = []
  for (let count = reader.uvarint() * 2; count > 0; count--) texts.push(reader.utf8(reader.uvarint()))
  return texts
}

/** Name and value by turns, as `readLabels` gives them. */
export function putLabels(writer: ByteWriter, texts: readonly string[]): void {
  writer.uvarint(texts.length / 2)
  for (const text of texts) putText(writer, text)
}

/** ┌ type 1 B ┬ fields uvarint ┬ (name ┬ value)* ┐; fields other than UNIT and HELP are passed over, unknown types are 'unknown'. */
export function readMetadata(record: Uint8Array, start: number, end: number): SeriesMetadata {
  const reader = new ByteReader(record, start, end)
  const type = metricTypes[reader.u8()] ?? 'unknown'
  const found = { unit: '', help: '' }
  for (let count = reader.uvarint(); count > 0; count--) {
    const name = reader.utf8(reader.uvarint())
    const text = reader.utf8(reader.uvarint())
    if (name === 'UNIT') found.unit = text
    else if (name === 'HELP') found.help = text
  }
  return { type, ...found }
}

export function putMetadata(writer: ByteWriter, metadata: SeriesMetadata): void {
  writer.u8(Math.max(0, metricTypes.indexOf(metadata.type)))
  writer.uvarint(2)
  putText(writer, 'UNIT')
  putText(writer, metadata.unit)
  putText(writer, 'HELP')
  putText(writer, metadata.help)
}

const encoder = new TextEncoder()

// Texts of so many characters have a length of one byte, whatever they are.
const shortTextMax = 42

function putText(writer: ByteWriter, text: string): void {
  if (text.length <= shortTextMax) {
    writer.u8(0)
    const at = writer.length - 1
    // Before the array is looked at, which it may replace.
    const length = writer.utf8(text)
    writer.bytes[at] = length
    return
  }
  const bytes = encoder.encode(text)
  writer.uvarint(bytes.length)
  writer.raw(bytes)
}
