import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { ScrapedExemplar } from './parser.ts'
import { bytesWire, fixed64Wire, readDouble, readTag, readTimestampMs, skipBytes, skipField } from './protobuf-fields.ts'
import { decodeUtf8, isUtf8Range } from './scan.ts'

// io.prometheus.client.Exemplar {1 label {1 name, 2 value}, 2 value double, 3 timestamp {1 seconds, 2 nanos}}

/** The exemplars in [start, end), each behind its length. Throws RangeError for bytes that are none. */
export function decodeExemplars(bytes: Uint8Array, start: number, end: number): ScrapedExemplar[] {
  const exemplars: ScrapedExemplar[] = []
  const reader = new ByteReader(bytes, start, end)
  while (reader.offset < end) {
    const length = reader.uvarint()
    const from = reader.offset
    reader.skip(length)
    exemplars.push(decodeExemplar(bytes, from, reader.offset))
  }
  return exemplars
}

function decodeExemplar(bytes: Uint8Array, start: number, end: number): ScrapedExemplar {
  const reader = new ByteReader(bytes, start, end)
  const labels: string[] = []
  let value = 0
  let timestampMs: number | undefined
  while (reader.offset < end) {
    const tag = readTag(reader)
    if (tag >>> 3 === 2) value = readDouble(reader, tag)
    else if (tag >>> 3 === 1) {
      const from = skipBytes(reader, tag)
      readLabel(bytes, from, reader.offset, labels)
    } else if (tag >>> 3 === 3) {
      const from = skipBytes(reader, tag)
      timestampMs = readTimestampMs(reader, from, reader.offset)
    } else {
      skipField(reader, tag)
    }
  }
  return { labels, value, timestampMs }
}

function readLabel(bytes: Uint8Array, start: number, end: number, into: string[]): void {
  const reader = new ByteReader(bytes, start, end)
  const pair = ['', '']
  while (reader.offset < end) {
    const tag = readTag(reader)
    const field = tag >>> 3
    if (field !== 1 && field !== 2) {
      skipField(reader, tag)
      continue
    }
    const from = skipBytes(reader, tag)
    if (!isUtf8Range(bytes, from, reader.offset)) throw new RangeError(`cannot read exemplar label at offset ${from}: want UTF-8`)
    pair[field - 1] = decodeUtf8(bytes, from, reader.offset)
  }
  into.push(pair[0]!, pair[1]!)
}

/** Whether the Exemplar message in [start, end) has a timestamp, without reading the rest of it. */
export function hasTimestamp(reader: ByteReader, start: number, end: number): boolean {
  const { offset, end: outerEnd } = reader
  reader.offset = start
  reader.end = end
  let found = false
  while (!found && reader.offset < end) {
    const tag = readTag(reader)
    found = tag >>> 3 === 3
    skipField(reader, tag)
  }
  reader.offset = offset
  reader.end = outerEnd
  return found
}

const scratch = new ByteWriter(256)

/** Writes one exemplar behind its length. */
export function putExemplar(out: ByteWriter, { labels, value, timestampMs }: ScrapedExemplar): void {
  scratch.reset()
  for (let i = 0; i + 1 < labels.length; i += 2) {
    scratch.u8(1 * 8 + bytesWire)
    scratch.uvarint(textSize(labels[i]!) + textSize(labels[i + 1]!))
    putText(scratch, 1, labels[i]!)
    putText(scratch, 2, labels[i + 1]!)
  }
  scratch.u8(2 * 8 + fixed64Wire)
  scratch.f64le(value)
  if (timestampMs !== undefined) putTimestamp(scratch, timestampMs)
  out.uvarint(scratch.length)
  out.raw(scratch.bytes, 0, scratch.length)
}

function putTimestamp(out: ByteWriter, timestampMs: number): void {
  const seconds = Math.floor(timestampMs / 1000)
  out.u8(3 * 8 + bytesWire)
  const at = out.length
  out.u8(0)
  out.u8(1 * 8)
  putInt64(out, seconds)
  out.u8(2 * 8)
  out.uvarint((timestampMs - seconds * 1000) * 1_000_000)
  // Two varints of at most ten and five bytes: the length is one byte.
  out.bytes[at] = out.length - at - 1
}

/** Negative numbers take ten bytes, as two's complement. */
function putInt64(out: ByteWriter, value: number): void {
  if (value >= 0) {
    out.uvarint(value)
    return
  }
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest > 127n; rest >>= 7n) out.u8(Number(rest & 127n) | 128)
  out.u8(Number(rest))
}

function putText(out: ByteWriter, field: number, text: string): void {
  out.u8(field * 8 + bytesWire)
  out.uvarint(Buffer.byteLength(text))
  out.utf8(text)
}

function textSize(text: string): number {
  const length = Buffer.byteLength(text)
  let size = 2 + length
  for (let rest = length; rest > 127; rest >>>= 7) size++
  return size
}
