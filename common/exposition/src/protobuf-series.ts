import type { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { formatOpenMetricsFloat } from '@narthex/model/number'
import { ExpositionError, quoteBytes } from './exposition-error.ts'
import { beginBlock, endBlock, exemplarsFlag, linesBytesMax, putEscaped, putValue, startFlag, timestampFlag } from './lines.ts'
import { readTag, skipBytes, skipField } from './protobuf-fields.ts'
import { byteClasses, isUtf8Range, labelByte, labelStart, nameByte, nameStart } from './scan.ts'

export const noBytes = new Uint8Array(0)

/** Writes the lines of one metric after the other: `beginFamily`, `beginMetric` with its labels, then its series and samples. */
export class SeriesWriter {
  readonly #body: Uint8Array
  readonly #out: ByteWriter
  #nameStart = 0
  #nameEnd = 0
  #nameIsQuoted = false
  // The metric's labels as `a="b",c="d"`, written once for all of its series.
  readonly #labels = new ByteWriter(256)

  /** Of the metric, in milliseconds; 0 = none. */
  timestampMs = 0
  startMs = 0
  /** Ranges of the Exemplar messages that the next sample gets: start, end, start, end, … */
  exemplars: number[] = []

  constructor(body: Uint8Array, out: ByteWriter) {
    this.#body = body
    this.#out = out
  }

  /** The family's name stands at [start, end). */
  beginFamily(start: number, end: number): void {
    this.#nameStart = start
    this.#nameEnd = end
    this.#nameIsQuoted = start === end || !isLegacy(this.#body, start, end, nameStart, nameByte)
  }

  beginMetric(): void {
    this.#labels.reset()
    this.timestampMs = 0
    this.startMs = 0
    this.exemplars.length = 0
  }

  /** Adds the LabelPair in [reader.offset, end) to the metric. */
  addLabel(reader: ByteReader, end: number): void {
    const body = this.#body
    const labels = this.#labels
    let [nameFrom, nameTo, valueFrom, valueTo] = [0, 0, 0, 0]
    while (reader.offset < end) {
      const tag = readTag(reader)
      if (tag >>> 3 === 1) {
        nameFrom = skipBytes(reader, tag)
        nameTo = reader.offset
      } else if (tag >>> 3 === 2) {
        valueFrom = skipBytes(reader, tag)
        valueTo = reader.offset
      } else {
        skipField(reader, tag)
      }
    }
    if (nameFrom === nameTo || !isUtf8Range(body, nameFrom, nameTo)) {
      this.refuse(`invalid label name: ${quoteBytes(body, nameFrom, nameTo)}`)
    }
    if (!isUtf8Range(body, valueFrom, valueTo)) this.refuse(`invalid label value: ${quoteBytes(body, valueFrom, valueTo)}`)
    if (labels.length > 0) labels.u8(44)
    if (isLegacy(body, nameFrom, nameTo, labelStart, labelByte)) {
      labels.raw(body, nameFrom, nameTo)
    } else {
      labels.u8(34)
      putEscaped(labels, body, nameFrom, nameTo)
      labels.u8(34)
    }
    labels.u8(61)
    labels.u8(34)
    putEscaped(labels, body, valueFrom, valueTo)
    labels.u8(34)
  }

  /** Begins a line: name and labels, with `le` or `quantile` last where there is one. */
  putSeries(suffix: Uint8Array, extraName: Uint8Array, extraValue: Uint8Array): void {
    const out = this.#out
    const labels = this.#labels
    if (out.length > linesBytesMax) this.refuse(`body expands to more than ${linesBytesMax} bytes`)
    if (this.#nameIsQuoted) {
      out.u8(123)
      out.u8(34)
      putEscaped(out, this.#body, this.#nameStart, this.#nameEnd)
      out.raw(suffix)
      out.u8(34)
      if (labels.length > 0 || extraName.length > 0) out.u8(44)
    } else {
      out.raw(this.#body, this.#nameStart, this.#nameEnd)
      out.raw(suffix)
      if (labels.length === 0 && extraName.length === 0) return
      out.u8(123)
    }
    out.raw(labels.bytes, 0, labels.length)
    if (extraName.length > 0) {
      if (labels.length > 0) out.u8(44)
      out.raw(extraName)
      out.raw(extraValue)
      out.u8(34)
    }
    out.u8(125)
  }

  /** Ends a line. */
  putSample(value: number): void {
    putValue(this.#out, this.flags(), value, this.timestampMs, this.startMs)
    this.putExemplars()
  }

  /** What of the line is there, for `putValue`. */
  flags(): number {
    return (
      (this.timestampMs !== 0 ? timestampFlag : 0) | (this.startMs !== 0 ? startFlag : 0) | (this.exemplars.length > 0 ? exemplarsFlag : 0)
    )
  }

  /** The last block of a line, if there are exemplars. */
  putExemplars(): void {
    if (this.exemplars.length === 0) return
    const out = this.#out
    const block = beginBlock(out)
    for (let i = 0; i < this.exemplars.length; i += 2) {
      out.uvarint(this.exemplars[i + 1]! - this.exemplars[i]!)
      out.raw(this.#body, this.exemplars[i]!, this.exemplars[i + 1]!)
    }
    endBlock(out, block)
  }

  /** Throws, with the family as the place. */
  refuse(problem: string): never {
    const name = quoteBytes(this.#body, this.#nameStart, this.#nameEnd)
    throw new ExpositionError(problem, 0, `metric family ${name} at byte ${this.#nameStart}`)
  }
}

// Bounds and quantiles are few and come again with every metric and scrape; a target that makes up new ones starts the table over.
const boundsMax = 4096
const boundTexts = new Map<number, Uint8Array>()

/** The value of an `le` or `quantile` label. */
export function boundBytes(bound: number): Uint8Array {
  let bytes = boundTexts.get(bound)
  if (bytes === undefined) {
    if (boundTexts.size >= boundsMax) boundTexts.clear()
    bytes = Buffer.from(formatOpenMetricsFloat(bound))
    boundTexts.set(bound, bytes)
  }
  return bytes
}

function isLegacy(bytes: Uint8Array, start: number, end: number, first: number, rest: number): boolean {
  if ((byteClasses[bytes[start]!]! & first) === 0) return false
  for (let i = start + 1; i < end; i++) if ((byteClasses[bytes[i]!]! & rest) === 0) return false
  return true
}
