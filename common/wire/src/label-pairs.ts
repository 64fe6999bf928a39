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
      if (this.#readUsual(bytes, cursor.at, end)) {
        cursor.at = this.offsets[4 * this.count - 1]!
        continue
      }
      const tag = cursor.tag()
      if (tag !== 0x0a) throw new WireError(`cannot read labels at byte ${cursor.at}: got field tag ${tag}`)
      const labelEnd = cursor.fieldEnd()
      cursor.end = labelEnd
      this.#readLabel(cursor)
      cursor.end = end
    }
  }

  /** Takes a label if it is as known senders write it, the name before the value and both shorter than 128 bytes; false leaves it to `#readLabel`. */
  #readUsual(bytes: Uint8Array, at: number, end: number): boolean {
    // ┌ 0x0a length ┬ 0x0a length name ┬ 0x12 length value ┐
    if (end - at < 6) return false
    const length = bytes[at + 1]!
    const labelEnd = at + 2 + length
    const nameLength = bytes[at + 3]!
    const nameEnd = at + 4 + nameLength
    if (bytes[at] !== 0x0a || bytes[at + 2] !== 0x0a || length >= 0x80 || labelEnd > end || nameEnd + 2 > labelEnd) return false
    if (bytes[nameEnd] !== 0x12 || nameEnd + 2 + bytes[nameEnd + 1]! !== labelEnd) return false
    this.#put(at + 4, nameEnd, nameEnd + 2, labelEnd)
    return true
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
    this.#put(nameStart, nameEnd, valueStart, valueEnd)
  }

  #put(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
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
