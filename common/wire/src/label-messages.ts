import { WireError } from './protobuf-cursor.ts'
import type { ProtobufCursor } from './protobuf-cursor.ts'
import { labelsPerSeriesMax } from './label-pairs.ts'

// A byte order mark is part of the text.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Appends name and value of the `Label` message that the cursor is inside of. Throws WireError. */
export function readLabelMessage(cursor: ProtobufCursor, into: string[]): void {
  if (into.length >= 2 * labelsPerSeriesMax)
    throw new WireError(`cannot read labels: want at most ${labelsPerSeriesMax} a series, got more`)
  let name = ''
  let value = ''
  while (cursor.at < cursor.end) {
    const tag = cursor.tag()
    if (tag >>> 3 === 1) name = readText(cursor, tag)
    else if (tag >>> 3 === 2) value = readText(cursor, tag)
    else cursor.skip(tag)
  }
  into.push(name, value)
}

/** Runs `read` with the cursor inside a length-delimited field, and leaves it behind the field. */
export function readInside(cursor: ProtobufCursor, tag: number, read: () => void): void {
  cursor.expectWireType(tag, 2)
  const savedEnd = cursor.end
  const end = cursor.fieldEnd()
  cursor.end = end
  read()
  cursor.at = end
  cursor.end = savedEnd
}

/** The text of a length-delimited field. */
export function readText(cursor: ProtobufCursor, tag: number): string {
  cursor.expectWireType(tag, 2)
  const end = cursor.fieldEnd()
  const text = decoder.decode(cursor.bytes.subarray(cursor.at, end))
  cursor.at = end
  return text
}
