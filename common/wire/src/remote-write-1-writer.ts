import { ByteWriter } from '@narthex/bytes/byte-writer'
import { codeOfMetricType } from './metric-type-codes.ts'
import type { WireMetadata } from './remote-write-1.ts'
import { putUvarint, SampleField, sampleFieldBytesMax, uvarintBytes } from './sample-field.ts'

/**
 * Builds a remote-write 1.0 request (FORMAT.md, "1.0") from columns: series as references into a table of 2.0 `symbols`
 * fields, or as ready label fields; nothing is allocated per sample.
 */
export class RemoteWrite1Writer {
  #out = new ByteWriter(64 * 1024)
  #sample = new SampleField()
  #scratch = new ByteWriter(1024)
  sampleCount = 0

  /** Uncompressed bytes so far. */
  get length(): number {
    return this.#out.length
  }

  reset(): void {
    this.#out.reset()
    this.sampleCount = 0
  }

  /** The time of the samples that `seriesNow` appends from now on. */
  setTime(timeMs: number): void {
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
    const out = this.#out
    const fieldStart = out.length
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

  /** Adds the sample behind the labels and writes tag and length before them; three bytes were left for that, which nearly always fit. */
  #close(fieldStart: number, low: number, high: number): void {
    const out = this.#out
    out.reserve(sampleFieldBytesMax + 8)
    const { bytes } = out
    const bodyStart = fieldStart + 3
    const end = this.#sample.put(bytes, out.length, low, high)
    const bodyBytes = end - bodyStart
    const lengthBytes = uvarintBytes(bodyBytes)
    bytes[fieldStart] = 0x0a
    if (lengthBytes !== 2) bytes.copyWithin(fieldStart + 1 + lengthBytes, bodyStart, end)
    putUvarint(bytes, fieldStart + 1, bodyBytes)
    out.length = end + lengthBytes - 2
    this.sampleCount++
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

function putText(out: ByteWriter, tag: number, text: string): void {
  if (text === '') return
  textBytes.reset()
  out.u8(tag)
  out.uvarint(textBytes.utf8(text))
  out.raw(textBytes.bytes, 0, textBytes.length)
}
