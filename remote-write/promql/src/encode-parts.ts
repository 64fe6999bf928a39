import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { Labels } from '@narthex/model/labels'
import { TimeTexts, writeFloatList, writeHistogramList } from './matrix-texts.ts'
import type { ResultSeries } from './query-result.ts'
import { LabelsWriter } from './write-labels.ts'

/** The texts of some steps of a matrix, series after series in the order of their labels: plain bytes, so that threads can give them to each other. */
export interface MatrixPart {
  readonly bytes: Uint8Array
  /** For each series where its labels, its floats and its histograms end; each text begins where the one before it ends. */
  readonly ends: Uint32Array
}

const endsPerSeries = 3

/** Writes the texts of a part; gives their ends, as in `MatrixPart`, counted from the begin of the writer. */
export function encodePart(result: ResultSeries, writer: ByteWriter): Uint32Array<ArrayBuffer> {
  const { labels, offsets } = result
  const ends = new Uint32Array(endsPerSeries * labels.length)
  const metrics = new LabelsWriter(writer)
  const timeTexts = new TimeTexts()
  for (let i = 0; i < labels.length; i++) {
    const from = offsets[i]!
    const to = offsets[i + 1]!
    metrics.write(labels[i]!)
    ends[endsPerSeries * i] = writer.length
    const floats = writeFloatList(writer, result, from, to, timeTexts)
    ends[endsPerSeries * i + 1] = writer.length
    if (floats < to - from) writeHistogramList(writer, result, from, to)
    ends[endsPerSeries * i + 2] = writer.length
  }
  return ends
}

/**
 * Writes the `data` of an API answer as `encodeResult` would for the whole, from its parts in the order of their steps. At most `limit` series, 0 = all;
 * gives how many there are.
 */
export function encodeJoined(parts: readonly MatrixPart[], writer: ByteWriter, limit: number): number {
  const cursors = parts.filter(({ ends }) => ends.length > 0).map((part) => new PartCursor(part))
  writer.reserve(parts.reduce((bytes, part) => bytes + part.bytes.length, 0))
  writer.utf8('{"resultType":"matrix","result":[')
  let count = 0
  for (let next = firstOf(cursors); next !== undefined; next = firstOf(cursors), count++) {
    const together = cursors.filter((cursor) => cursor === next || (!cursor.isAtEnd && cursor.hasLabelsOf(next)))
    if (limit === 0 || count < limit) {
      writer.utf8(count === 0 ? '{"metric":' : ',{"metric":')
      writer.raw(next.labelBytes)
      writeList(writer, 'values', together, floatsAt)
      writeList(writer, 'histograms', together, histogramsAt)
      writer.utf8('}')
    }
    for (const cursor of together) cursor.advance()
  }
  writer.utf8(']}')
  return count
}

/** What a series has in several parts, one after the other; nothing if no part has any. */
function writeList(writer: ByteWriter, name: string, cursors: readonly PartCursor[], text: typeof floatsAt | typeof histogramsAt): void {
  let hasAny = false
  for (const cursor of cursors) {
    const from = cursor.beginOf(text)
    const end = cursor.endOf(text)
    if (from === end) continue
    writer.utf8(hasAny ? ',' : `,"${name}":[`)
    writer.raw(cursor.bytes.subarray(from, end))
    hasAny = true
  }
  if (hasAny) writer.utf8(']')
}

const floatsAt = 1
const histogramsAt = 2

/** The one whose series comes first. */
function firstOf(cursors: readonly PartCursor[]): PartCursor | undefined {
  let first: PartCursor | undefined
  for (const cursor of cursors) {
    if (cursor.isAtEnd) continue
    if (first === undefined || (!cursor.hasLabelsOf(first) && Labels.compare(cursor.labels, first.labels) < 0)) first = cursor
  }
  return first
}

/** Goes over the series of a part. */
class PartCursor {
  readonly bytes: Uint8Array
  readonly #ends: Uint32Array
  #at = 0
  #labels: Labels | undefined
  labelBytes: Uint8Array

  constructor({ bytes, ends }: MatrixPart) {
    this.bytes = bytes
    this.#ends = ends
    this.labelBytes = bytes.subarray(0, ends[0]!)
  }

  get isAtEnd(): boolean {
    return this.#at === this.#ends.length
  }

  /** Read only where the texts of two parts differ. */
  get labels(): Labels {
    return (this.#labels ??= Labels.from(JSON.parse(decoder.decode(this.labelBytes)) as Record<string, string>))
  }

  /** One label set has one text. */
  hasLabelsOf({ labelBytes }: PartCursor): boolean {
    return Buffer.compare(this.labelBytes, labelBytes) === 0
  }

  endOf(text: number): number {
    return this.#ends[this.#at + text]!
  }

  beginOf(text: number): number {
    return this.#ends[this.#at + text - 1]!
  }

  advance(): void {
    this.#at += endsPerSeries
    this.#labels = undefined
    if (!this.isAtEnd) this.labelBytes = this.bytes.subarray(this.#ends[this.#at - 1]!, this.#ends[this.#at]!)
  }
}

const decoder = new TextDecoder()
