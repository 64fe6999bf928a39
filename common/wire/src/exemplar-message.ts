import { LabelPairs } from './label-pairs.ts'
import { ProtobufCursor, WireError } from './protobuf-cursor.ts'

interface ExemplarValue {
  readonly value: number
  /** Milliseconds since 1970; 0 = none. */
  readonly timestampMs: number
}

/** An `Exemplar` message of remote write 1.0; labels are name, value, …. */
export interface WireExemplar1 extends ExemplarValue {
  readonly labels: readonly string[]
}

/** An `Exemplar` message of remote write 2.0; references name, value, … into the request's symbols. */
export interface WireExemplar2 extends ExemplarValue {
  readonly labelRefs: readonly number[]
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** The remote-write 1.0 `Exemplar` at [start, end). Throws WireError for malformed bytes. */
export function readExemplar1(bytes: Uint8Array, start: number, end: number): WireExemplar1 {
  const labels: string[] = []
  const pairs = new LabelPairs()
  const { value, timestampMs } = readFields(bytes, start, end, (cursor, tag, fieldStart) => {
    cursor.expectWireType(tag, 2)
    cursor.skip(tag)
    pairs.read(bytes, fieldStart, cursor.at)
    for (let i = 0; i < 4 * pairs.count; i += 2) labels.push(decoder.decode(bytes.subarray(pairs.offsets[i], pairs.offsets[i + 1])))
  })
  return { labels, value, timestampMs }
}

/** The remote-write 2.0 `Exemplar` at [start, end). Throws WireError for malformed bytes and references that are odd in number or not below `symbolCount`. */
export function readExemplar2(bytes: Uint8Array, start: number, end: number, symbolCount: number): WireExemplar2 {
  const labelRefs: number[] = []
  const { value, timestampMs } = readFields(bytes, start, end, (cursor, tag) => {
    if ((tag & 7) === 0) {
      labelRefs.push(cursor.varint())
      return
    }
    cursor.expectWireType(tag, 2)
    const savedEnd = cursor.end
    cursor.end = cursor.fieldEnd()
    while (cursor.at < cursor.end) labelRefs.push(cursor.varint())
    cursor.end = savedEnd
  })
  if (labelRefs.length % 2 === 1) throw new WireError(`cannot read exemplar: want an even number of references, got ${labelRefs.length}`)
  for (const ref of labelRefs) {
    if (ref >= Math.max(1, symbolCount)) throw new WireError(`cannot read exemplar: want references below ${symbolCount}, got ${ref}`)
  }
  return { labelRefs, value, timestampMs }
}

/** Value and time, the same in both versions; `onLabels` takes field 1, whose tag was just read. */
function readFields(
  bytes: Uint8Array,
  start: number,
  end: number,
  onLabels: (cursor: ProtobufCursor, tag: number, fieldStart: number) => void,
): ExemplarValue {
  const cursor = new ProtobufCursor()
  cursor.reset(bytes, start, end)
  let value = 0
  let timestampMs = 0
  while (cursor.at < end) {
    const fieldStart = cursor.at
    const tag = cursor.tag()
    if (tag >> 3 === 1) onLabels(cursor, tag, fieldStart)
    else if (tag >> 3 === 2) {
      cursor.expectWireType(tag, 1)
      const { at } = cursor
      cursor.skip(tag)
      value = new DataView(bytes.buffer, bytes.byteOffset + at, 8).getFloat64(0, true)
    } else if (tag >> 3 === 3) {
      cursor.expectWireType(tag, 0)
      timestampMs = cursor.int64()
    } else cursor.skip(tag)
  }
  return { value, timestampMs }
}
