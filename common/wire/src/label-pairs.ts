import { ProtobufCursor, WireError } from './protobuf-cursor.ts'

/** More labels on one series are refused. */
export const labelsPerSeriesMax = 65_536

/**
 * The labels of one remote-write 1.0 series, as offsets into the request: four numbers per label
 * (name start, name end, value start, value end). Reused from series to series.
 */
export class LabelPairs {
  offsets: Uint32Array = new Uint32Array(4 * 64)
  count = 0
  #cursor = new ProtobufCursor()

  /** Reads a region of `labels` fields (tag 0x0a) as the reader gives it; throws `WireError` for malformed ones. */
  read(bytes: Uint8Array, start: number, end: number): void {
    const cursor = this.#cursor
    cursor.reset(bytes, start, end)
    this.count = 0
    while (cursor.at < end) {
      const tag = cursor.tag()
      if (tag !== 0x0a) throw new WireError(`cannot read labels at byte ${cursor.at}: got field tag ${tag}`)
      const labelEnd = cursor.fieldEnd()
      cursor.end = labelEnd
      this.#readLabel(cursor)
      cursor.end = end
    }
  }

  #readLabel(cursor: ProtobufCursor): void {
    let nameStart = 0
    let nameEnd = 0
    let valueStart = 0
    let valueEnd = 0
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      if (tag === 0x0a) {
        nameEnd = cursor.fieldEnd()
        nameStart = cursor.at
        cursor.at = nameEnd
      } else if (tag === 0x12) {
        valueEnd = cursor.fieldEnd()
        valueStart = cursor.at
        cursor.at = valueEnd
      } else {
        if (tag >> 3 === 1 || tag >> 3 === 2) cursor.expectWireType(tag, 2)
        cursor.skip(tag)
      }
    }
    const at = 4 * this.count
    if (at >= this.offsets.length) this.#grow()
    const { offsets } = this
    offsets[at] = nameStart
    offsets[at + 1] = nameEnd
    offsets[at + 2] = valueStart
    offsets[at + 3] = valueEnd
    this.count++
  }

  #grow(): void {
    if (this.count >= labelsPerSeriesMax) throw new WireError(`cannot read labels: want at most ${labelsPerSeriesMax} a series, got more`)
    const grown = new Uint32Array(this.offsets.length * 2)
    grown.set(this.offsets)
    this.offsets = grown
  }
}
