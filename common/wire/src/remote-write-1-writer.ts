import { ByteWriter } from '@narthex/bytes/byte-writer'
import { codeOfMetricType } from './metric-type-codes.ts'
import type { WireMetadata } from './remote-write-1.ts'
import {
  putExemplarValue,
  putInt64,
  putUvarint,
  SampleField,
  sampleFieldBytesMax,
  timestampBytesMax,
  uvarintBytes,
} from './sample-field.ts'

/**
 * Builds a remote-write 1.0 request (FORMAT.md, "1.0") from columns: series as references into a table of 2.0 `symbols`
 * fields, or as ready label fields; nothing is allocated per sample.
 */
export class RemoteWrite1Writer {
  #out = new ByteWriter(64 * 1024)
  #sample = new SampleField()
  #scratch = new ByteWriter(1024)
  #timeMs = 0
  /** Where the series that `openSeries` began starts. */
  #opened = 0
  sampleCount = 0
  histogramCount = 0
  exemplarCount = 0

  /** Uncompressed bytes so far. */
  get length(): number {
    return this.#out.length
  }

  reset(): void {
    this.#out.reset()
    this.sampleCount = 0
    this.histogramCount = 0
    this.exemplarCount = 0
  }

  /** The time of the samples and histograms that are appended from now on. */
  setTime(timeMs: number): void {
    this.#timeMs = timeMs
    this.#sample.setTime(timeMs)
  }

  /** `setTime` and `seriesNow` in one. */
  series(
    symbolBytes: Uint8Array,
    symbolOffsets: Uint32Array,
    refs: Uint8Array,
    start: number,
    end: number,
    timeMs: number,
    low: number,
    high: number,
  ): void {
    this.setTime(timeMs)
    this.seriesNow(symbolBytes, symbolOffsets, refs, start, end, low, high)
  }

  /**
   * Appends a series with one sample. [start, end) of `refs` is a 2.0 `labels_refs` field with references into
   * `symbolBytes`, whose places `locateSymbols` gave. The halves of the value are taken with or without sign.
   */
  seriesNow(
    symbolBytes: Uint8Array,
    symbolOffsets: Uint32Array,
    refs: Uint8Array,
    start: number,
    end: number,
    low: number,
    high: number,
  ): void {
    const fieldStart = this.#out.length
    this.#putLabels(symbolBytes, symbolOffsets, refs, start, end)
    this.#close(fieldStart, low, high)
  }

  /** Appends a series with one sample whose `labels` fields lie ready in [start, end). */
  labelled(labels: Uint8Array, start: number, end: number, timeMs: number, low: number, high: number): void {
    const out = this.#out
    const fieldStart = out.length
    this.setTime(timeMs)
    out.reserve(3 + end - start)
    out.length += 3
    out.raw(labels, start, end)
    this.#close(fieldStart, low, high)
  }

  /**
   * Begins a series that is not one float alone: samples, exemplars and histograms in this order, at least one of them, then `closeSeries`.
   * Arguments as of `seriesNow`, which is the quick way for all other series.
   */
  openSeries(symbolBytes: Uint8Array, symbolOffsets: Uint32Array, refs: Uint8Array, start: number, end: number): void {
    this.#opened = this.#out.length
    this.#putLabels(symbolBytes, symbolOffsets, refs, start, end)
  }

  addSample(low: number, high: number): void {
    const out = this.#out
    out.reserve(sampleFieldBytesMax)
    out.length = this.#sample.put(out.bytes, out.length, low, high)
    this.sampleCount++
  }

  /** [start, end) of `bytes` is a `Histogram` message without its timestamps and custom bounds. */
  addHistogram(bytes: Uint8Array, start: number, end: number): void {
    const out = this.#out
    const time = new Uint8Array(timestampBytesMax)
    time[0] = 0x78
    const length = putInt64(time, 1, this.#timeMs)
    out.u8(0x22)
    out.uvarint(end - start + length)
    out.raw(bytes, start, end)
    out.raw(time, 0, length)
    this.histogramCount++
  }

  /** [start, end) of `labels` is name, value, …, per text a uvarint length and UTF-8. */
  addExemplar(labels: Uint8Array, start: number, end: number, low: number, high: number, timeMs: number): void {
    const body = this.#scratch
    body.reset()
    for (let at = start; at < end;) {
      const valueStart = textEnd(labels, at)
      const next = textEnd(labels, valueStart)
      // A text with its length is what a protobuf field holds: only tags come before it.
      body.u8(0x0a)
      body.uvarint(next - at + 2)
      body.u8(0x0a)
      body.raw(labels, at, valueStart)
      body.u8(0x12)
      body.raw(labels, valueStart, next)
      at = next
    }
    putExemplarValue(body, low, high, timeMs)
    const out = this.#out
    out.u8(0x1a)
    out.uvarint(body.length)
    out.raw(body.bytes, 0, body.length)
    this.exemplarCount++
  }

  /** Ends the series that `openSeries` began. */
  closeSeries(): void {
    this.#out.reserve(8)
    this.#closeField(this.#opened, this.#out.length)
  }

  /** A `metadata` field. */
  metadata(entry: WireMetadata): void {
    const body = this.#scratch
    body.reset()
    const code = codeOfMetricType(entry.type)
    if (code !== 0) {
      body.u8(0x08)
      body.u8(code)
    }
    putText(body, 0x12, entry.family)
    putText(body, 0x22, entry.help)
    putText(body, 0x2a, entry.unit)
    this.#out.u8(0x1a)
    this.#out.uvarint(body.length)
    this.#out.raw(body.bytes, 0, body.length)
  }

  /** The whole request, valid until the next call. */
  view(): Uint8Array {
    return this.#out.view()
  }

  /** Leaves three bytes for tag and length of the series, then writes its labels. */
  #putLabels(symbolBytes: Uint8Array, symbolOffsets: Uint32Array, refs: Uint8Array, start: number, end: number): void {
    const out = this.#out
    out.reserve(3)
    out.length += 3
    let from = start + 1
    while (refs[from++]! >= 0x80);
    while (from < end) {
      let name = refs[from++]!
      if (name >= 0x80) {
        name &= 0x7f
        for (let shift = 7; ; shift += 7) {
          const byte = refs[from++]!
          name |= (byte & 0x7f) << shift
          if (byte < 0x80) break
        }
      }
      let value = refs[from++]!
      if (value >= 0x80) {
        value &= 0x7f
        for (let shift = 7; ; shift += 7) {
          const byte = refs[from++]!
          value |= (byte & 0x7f) << shift
          if (byte < 0x80) break
        }
      }
      putLabel(out, symbolBytes, symbolOffsets, name, value)
    }
  }

  /** Adds the sample behind the labels and writes tag and length before them; three bytes were left for that, which nearly always fit. */
  #close(fieldStart: number, low: number, high: number): void {
    const out = this.#out
    out.reserve(sampleFieldBytesMax + 8)
    this.#closeField(fieldStart, this.#sample.put(out.bytes, out.length, low, high))
    this.sampleCount++
  }

  #closeField(fieldStart: number, end: number): void {
    const out = this.#out
    const { bytes } = out
    const bodyStart = fieldStart + 3
    const bodyBytes = end - bodyStart
    const lengthBytes = uvarintBytes(bodyBytes)
    bytes[fieldStart] = 0x0a
    if (lengthBytes !== 2) bytes.copyWithin(fieldStart + 1 + lengthBytes, bodyStart, end)
    putUvarint(bytes, fieldStart + 1, bodyBytes)
    out.length = end + lengthBytes - 2
  }
}

/** Texts go through here for their length in bytes. */
const textBytes = new ByteWriter(256)

// Label: ┌ 0x0a length ┬ 0x0a name length, name ┬ 0x12 value length, value ┐; a symbol field is 0x22 length bytes, so it is copied with another tag.
function putLabel(out: ByteWriter, symbolBytes: Uint8Array, offsets: Uint32Array, name: number, value: number): void {
  const nameStart = name === 0 ? 0 : offsets[name - 1]! + 1
  const nameEnd = name === 0 ? 0 : offsets[name]!
  const valueStart = value === 0 ? 0 : offsets[value - 1]! + 1
  const valueEnd = value === 0 ? 0 : offsets[value]!
  const nameBytes = nameEnd - nameStart
  const valueBytes = valueEnd - valueStart
  const labelBytes = (nameBytes === 0 ? 0 : 1 + nameBytes) + (valueBytes === 0 ? 0 : 1 + valueBytes)
  out.reserve(labelBytes + 6)
  const { bytes } = out
  let at = out.length
  bytes[at++] = 0x0a
  if (labelBytes < 0x80) bytes[at++] = labelBytes
  else at = putUvarint(bytes, at, labelBytes)
  if (nameBytes > 0) {
    bytes[at++] = 0x0a
    for (let i = nameStart; i < nameEnd; i++) bytes[at++] = symbolBytes[i]!
  }
  if (valueBytes > 0) {
    bytes[at++] = 0x12
    if (valueBytes < 64) for (let i = valueStart; i < valueEnd; i++) bytes[at++] = symbolBytes[i]!
    else {
      bytes.set(symbolBytes.subarray(valueStart, valueEnd), at)
      at += valueBytes
    }
  }
  out.length = at
}

/** Behind the text at `at`: a uvarint length and as many bytes. */
function textEnd(bytes: Uint8Array, at: number): number {
  let length = 0
  let next = at
  for (let unit = 1; ; unit *= 128) {
    const byte = bytes[next++]!
    length += (byte & 0x7f) * unit
    if (byte < 0x80) return next + length
  }
}

function putText(out: ByteWriter, tag: number, text: string): void {
  if (text === '') return
  textBytes.reset()
  out.u8(tag)
  out.uvarint(textBytes.utf8(text))
  out.raw(textBytes.bytes, 0, textBytes.length)
}
