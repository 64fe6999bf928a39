import { SampleColumns } from '@narthex/model/sample-columns'
import { readInside, readLabelMessage } from './label-messages.ts'
import { ProtobufCursor, WireError } from './protobuf-cursor.ts'

/** Hears of each series in turn: the number of its query, name, value, …, and its samples, which are valid until it returns. */
export type ReadSeriesVisitor = (queryIndex: number, labels: readonly string[], samples: SampleColumns) => void

/**
 * Reads a `prometheus.ReadResponse` that was uncompressed (FORMAT.md, "Remote read") and gives the number of results. Native histograms are
 * passed over. Throws WireError, perhaps after some series were told.
 */
export function readReadResponse(bytes: Uint8Array, visit: ReadSeriesVisitor): number {
  const cursor = new ProtobufCursor()
  cursor.reset(bytes, 0, bytes.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const samples = new SampleColumns()
  let results = 0

  function readSample(): void {
    let low = 0
    let high = 0
    let timeMs = 0
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      if (tag >>> 3 === 1) {
        cursor.expectWireType(tag, 1)
        const { at, end } = cursor
        if (at + 8 > end) throw new WireError(`cannot read value at byte ${at}: want 8 bytes, got ${end - at}`)
        low = view.getUint32(at, true)
        high = view.getUint32(at + 4, true)
        cursor.at = at + 8
      } else if (tag >>> 3 === 2) {
        cursor.expectWireType(tag, 0)
        timeMs = cursor.int64()
      } else cursor.skip(tag)
    }
    samples.push(timeMs, low, high)
  }

  function readSeries(): void {
    const labels: string[] = []
    samples.clear()
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      if (tag >>> 3 === 1) readInside(cursor, tag, () => readLabelMessage(cursor, labels))
      else if (tag >>> 3 === 2) readInside(cursor, tag, readSample)
      else cursor.skip(tag)
    }
    visit(results, labels, samples)
  }

  function readResult(): void {
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      if (tag >>> 3 === 1) readInside(cursor, tag, readSeries)
      else cursor.skip(tag)
    }
    results++
  }

  while (cursor.at < cursor.end) {
    const tag = cursor.tag()
    if (tag >>> 3 === 1) readInside(cursor, tag, readResult)
    else cursor.skip(tag)
  }
  return results
}
