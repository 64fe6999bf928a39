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
  #labels = new ByteWriter(1024)
  sampleCount = 0

  /** Uncompressed bytes so far. */
  get length(): number {
    return this.#out.length
  }

  reset(): void {
    this.#out.reset()
    this.sampleCount = 0
  }

  /**
   * Appends a series with one sample. [start, end) of `refs` is a 2.0 `labels_refs` field with references into
   * `symbolBytes`, whose places `locateSymbols` gave.
   */
  series(symbolBytes: Uint8Array, symbolOffsets: Uint32Array, refs: Uint8Array, start: number, end: number, timeMs: number, low: number, high: number): void {
    const labels = this.#labels
    labels.reset()
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
      putLabel(labels, symbolBytes, symbolOffsets, name, value)
    }
    this.labelled(labels.bytes, 0, labels.length, timeMs, low, high)
  }

  /** Appends a series with one sample whose `labels` fields lie ready in [start, end). */
  labelled(labels: Uint8Array, start: number, end: number, timeMs: number, low: number, high: number): void {
    const out = this.#out
    const labelsBytes = end - start
    out.reserve(labelsBytes + sampleFieldBytesMax + 8)
    const fieldStart = out.length
    // The sample goes first into the free room behind the labels' place, so that the length is known before the labels are copied.
    const lengthBytes = uvarintBytes(labelsBytes + 18)
    const bodyStart = fieldStart + 1 + lengthBytes
    const fieldEnd = this.#sample.put(out.bytes, bodyStart + labelsBytes, timeMs, low, high)
    const bodyBytes = fieldEnd - bodyStart
    out.bytes[fieldStart] = 0x0a
    if (putUvarint(out.bytes, fieldStart + 1, bodyBytes) !== bodyStart) {
      this.#labelledSlowly(labels, start, end, bodyStart + labelsBytes, fieldEnd)
      return
    }
    out.length = bodyStart
    out.raw(labels, start, end)
    out.length = fieldEnd
    this.sampleCount++
  }

  /** A `metadata` field. */
  metadata(entry: WireMetadata): void {
    const body = this.#labels
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

  /** The length took more or fewer bytes than guessed: the sample is moved. */
  #labelledSlowly(labels: Uint8Array, start: number, end: number, sampleStart: number, sampleEnd: number): void {
    const out = this.#out
    const sample = out.bytes.slice(sampleStart, sampleEnd)
    out.u8(0x0a)
    out.uvarint(end - start + sample.length)
    out.raw(labels, start, end)
    out.raw(sample)
    this.sampleCount++
  }
}

const encoder = new TextEncoder()

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
  const encoded = encoder.encode(text)
  out.u8(tag)
  out.uvarint(encoded.length)
  out.raw(encoded)
}
