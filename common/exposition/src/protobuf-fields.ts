import type { ByteReader } from '@narthex/bytes/byte-reader'

// Field by field reading of protobuf messages. Everything throws RangeError for bytes that are no message, as ByteReader does; whoever
// reads a whole body turns that into an ExpositionError once.

export const varintWire = 0
export const fixed64Wire = 1
export const bytesWire = 2

/** Field number × 8 + wire type. */
export function readTag(reader: ByteReader): number {
  const at = reader.offset
  const tag = reader.uvarint()
  if (tag < 8 || tag > 0xffffffff) throw new RangeError(`cannot read tag at offset ${at}: want a field number and a wire type, got ${tag}`)
  return tag
}

/** Steps over the value of a field that nobody asked for. */
export function skipField(reader: ByteReader, tag: number): void {
  const wire = tag & 7
  if (wire === varintWire) reader.uvarint()
  else if (wire === fixed64Wire) reader.skip(8)
  else if (wire === bytesWire) reader.skip(reader.uvarint())
  else if (wire === 5) reader.skip(4)
  else throw new RangeError(`cannot skip field ${tag >>> 3} at offset ${reader.offset}: unknown wire type ${wire}`)
}

/** Reads a length and steps over the bytes, whose range is then [start, reader.offset); returns start. */
export function skipBytes(reader: ByteReader, tag: number): number {
  wantWire(reader, tag, bytesWire)
  const length = reader.uvarint()
  const start = reader.offset
  reader.skip(length)
  return start
}

export function readDouble(reader: ByteReader, tag: number): number {
  wantWire(reader, tag, fixed64Wire)
  return reader.f64le()
}

export function readUint64(reader: ByteReader, tag: number): number {
  wantWire(reader, tag, varintWire)
  return reader.uvarint()
}

export function readInt64(reader: ByteReader, tag: number): number {
  wantWire(reader, tag, varintWire)
  return reader.int64Varint()
}

export function readSint64(reader: ByteReader, tag: number): number {
  wantWire(reader, tag, varintWire)
  return reader.varint()
}

/** A repeated double, packed or single. */
export function readDoubles(reader: ByteReader, tag: number, into: number[]): void {
  if ((tag & 7) !== bytesWire) {
    into.push(readDouble(reader, tag))
    return
  }
  const end = skipBytesEnd(reader)
  while (reader.offset < end) into.push(reader.f64le())
  checkEnd(reader, tag, end)
}

/** A repeated sint64, packed or single. */
export function readSint64s(reader: ByteReader, tag: number, into: number[]): void {
  if ((tag & 7) !== bytesWire) {
    into.push(readSint64(reader, tag))
    return
  }
  const end = skipBytesEnd(reader)
  while (reader.offset < end) into.push(reader.varint())
  checkEnd(reader, tag, end)
}

/** A google.protobuf.Timestamp in [start, end) as milliseconds. */
export function readTimestampMs(reader: ByteReader, start: number, end: number): number {
  const { offset, end: outerEnd } = reader
  reader.offset = start
  reader.end = end
  let seconds = 0
  let nanos = 0
  while (reader.offset < end) {
    const tag = readTag(reader)
    if (tag >>> 3 === 1) seconds = readInt64(reader, tag)
    else if (tag >>> 3 === 2) nanos = readInt64(reader, tag)
    else skipField(reader, tag)
  }
  reader.offset = offset
  reader.end = outerEnd
  return seconds * 1000 + Math.trunc(nanos / 1_000_000)
}

function skipBytesEnd(reader: ByteReader): number {
  const length = reader.uvarint()
  if (length > reader.remaining) {
    throw new RangeError(`cannot read packed field at offset ${reader.offset}: want ${length} bytes, got ${reader.remaining}`)
  }
  return reader.offset + length
}

function checkEnd(reader: ByteReader, tag: number, end: number): void {
  if (reader.offset !== end) throw new RangeError(`cannot read field ${tag >>> 3} at offset ${end}: its last value crosses its end`)
}

function wantWire(reader: ByteReader, tag: number, wire: number): void {
  if ((tag & 7) !== wire) {
    throw new RangeError(`cannot read field ${tag >>> 3} at offset ${reader.offset}: want wire type ${wire}, got ${tag & 7}`)
  }
}
