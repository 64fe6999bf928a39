import { ProtobufCursor, WireError } from './protobuf-cursor.ts'
import { growUint32, NestedMessages, SampleArea, seriesMax, shrinkUint32 } from './request-columns.ts'

export const symbolsMax = 2 * 1024 * 1024
/** Label references of one request, names and values together. */
export const labelRefsMax = 16 * 1024 * 1024

/**
 * A remote-write 2.0 `io.prometheus.write.v2.Request` as columns (FORMAT.md, "2.0"). One `read` checks the structure of the
 * whole request: well-formed fields, references in range and in pairs, symbol 0 empty. Nothing of a refused one should be
 * used. The arrays are valid until the next `read`; `bytes` must stay untouched as long.
 */
export class RemoteWrite2Reader {
  bytes: Uint8Array = new Uint8Array(0)
  symbolCount = 0
  /** Symbol i is the UTF-8 (unchecked) in `bytes` at [symbolStart[i], symbolEnd[i]). */
  symbolStart: Uint32Array = new Uint32Array(1024)
  symbolEnd: Uint32Array = new Uint32Array(1024)
  seriesCount = 0
  /** Symbol references name, value, … of series i: from `labelRefsEnd[i - 1]` (or 0) to `labelRefsEnd[i]`. */
  labelRefs: Uint32Array = new Uint32Array(16_384)
  labelRefsEnd: Uint32Array = new Uint32Array(4096)
  /** Samples of series i: from `sampleEnd[i - 1]` (or 0) to `sampleEnd[i]`. */
  sampleEnd: Uint32Array = new Uint32Array(4096)
  readonly samples = new SampleArea()
  /** How many histograms and exemplars series i has. */
  histogramsOf: Uint32Array = new Uint32Array(4096)
  exemplarsOf: Uint32Array = new Uint32Array(4096)
  readonly histograms = new NestedMessages()
  readonly exemplars = new NestedMessages()
  /** Type code, help and unit reference of series i at 3 * i; all 0 = none. */
  metadata: Uint32Array = new Uint32Array(3 * 4096)
  #labelRefCount = 0
  #largestRef = 0
  #view: DataView = new DataView(new ArrayBuffer(0))
  #cursor = new ProtobufCursor()

  get histogramCount(): number {
    return this.histograms.count
  }

  get exemplarCount(): number {
    return this.exemplars.count
  }

  /** Throws `WireError` if [start, end) is not a well-formed request. */
  read(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    this.#clear(bytes)
    const cursor = this.#cursor
    cursor.reset(bytes, start, end)
    while (cursor.at < end) {
      const tag = cursor.tag()
      const field = tag >> 3
      if (field >= 1 && field <= 3) {
        throw new WireError(`cannot read request: field ${field} is reserved in 2.0, is this a 1.0 message?`)
      }
      if (field === 4 || field === 5) cursor.expectWireType(tag, 2)
      if (tag === 0x22) this.#readSymbol()
      else if (tag === 0x2a) {
        const seriesEnd = cursor.fieldEnd()
        cursor.end = seriesEnd
        this.#readSeries(cursor)
        cursor.end = end
      } else cursor.skip(tag)
    }
    this.#checkReferences()
  }

  #clear(bytes: Uint8Array): void {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.symbolCount = 0
    this.seriesCount = 0
    this.histograms.clear()
    this.exemplars.clear()
    this.#labelRefCount = 0
    this.#largestRef = 0
    this.samples.clear()
    this.symbolStart = shrinkUint32(this.symbolStart, 1024)
    this.symbolEnd = shrinkUint32(this.symbolEnd, 1024)
    if (this.labelRefs.length > 1024 * 1024) this.labelRefs = new Uint32Array(16_384)
    if (this.sampleEnd.length <= 64 * 1024) return
    this.labelRefsEnd = new Uint32Array(4096)
    this.sampleEnd = new Uint32Array(4096)
    this.histogramsOf = new Uint32Array(4096)
    this.exemplarsOf = new Uint32Array(4096)
    this.metadata = new Uint32Array(3 * 4096)
  }

  #readSymbol(): void {
    const cursor = this.#cursor
    const end = cursor.fieldEnd()
    const i = this.symbolCount
    if (i >= this.symbolStart.length) {
      this.symbolStart = growUint32(this.symbolStart, symbolsMax, 'symbols')
      this.symbolEnd = growUint32(this.symbolEnd, symbolsMax, 'symbols')
    }
    this.symbolStart[i] = cursor.at
    this.symbolEnd[i] = end
    this.symbolCount = i + 1
    cursor.at = end
  }

  #readSeries(cursor: ProtobufCursor): void {
    const i = this.seriesCount
    if (i >= this.sampleEnd.length) this.#grow()
    let histograms = 0
    let exemplars = 0
    this.metadata[3 * i] = 0
    this.metadata[3 * i + 1] = 0
    this.metadata[3 * i + 2] = 0
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      switch (tag) {
        case 0x0a:
          this.#readLabelRefs(cursor.fieldEnd())
          break
        case 0x08: // not packed: one reference a field
          this.#pushLabelRef(cursor.varint())
          break
        case 0x12:
          this.#readSample(cursor)
          break
        case 0x1a:
          histograms++
          checkNested(cursor, i, this.histograms)
          break
        case 0x22:
          exemplars++
          checkNested(cursor, i, this.exemplars)
          break
        case 0x2a:
          this.#readMetadata(cursor, 3 * i)
          break
        default:
          if (tag >> 3 >= 1 && tag >> 3 <= 5) cursor.expectWireType(tag, 2)
          cursor.skip(tag)
      }
    }
    this.#checkPairs(i)
    this.labelRefsEnd[i] = this.#labelRefCount
    this.sampleEnd[i] = this.samples.length
    this.histogramsOf[i] = histograms
    this.exemplarsOf[i] = exemplars
    this.seriesCount = i + 1
  }

  #readLabelRefs(end: number): void {
    const cursor = this.#cursor
    const savedEnd = cursor.end
    const { bytes } = this
    // A reference takes at least one byte, so the room for all of them is known; most take one or two.
    while (this.#labelRefCount + (end - cursor.at) > this.labelRefs.length) {
      this.labelRefs = growUint32(this.labelRefs, labelRefsMax, 'label references')
    }
    const { labelRefs } = this
    let count = this.#labelRefCount
    let largest = this.#largestRef
    let at = cursor.at
    while (at < end) {
      let ref = bytes[at]!
      if (ref < 0x80) at++
      else if (at + 1 < end && bytes[at + 1]! < 0x80) {
        ref = (ref & 0x7f) | (bytes[at + 1]! << 7)
        at += 2
      } else {
        cursor.at = at
        cursor.end = end
        ref = cursor.varint()
        at = cursor.at
      }
      if (ref > largest) largest = ref
      labelRefs[count++] = ref
    }
    cursor.at = at
    cursor.end = savedEnd
    this.#labelRefCount = count
    this.#largestRef = largest
  }

  #pushLabelRef(ref: number): void {
    if (this.#labelRefCount >= this.labelRefs.length) this.labelRefs = growUint32(this.labelRefs, labelRefsMax, 'label references')
    this.labelRefs[this.#labelRefCount++] = ref
    if (ref > this.#largestRef) this.#largestRef = ref
  }

  #readSample(cursor: ProtobufCursor): void {
    const { samples } = this
    const end = cursor.fieldEnd()
    if (samples.length >= samples.times.length) samples.grow()
    const i = samples.length
    if (samples.putUsual(this.bytes, this.#view, cursor.at, end)) {
      cursor.at = end
      return
    }
    const savedEnd = cursor.end
    cursor.end = end
    let low = 0
    let high = 0
    let time = 0
    let startTime = 0
    while (cursor.at < end) {
      const tag = cursor.tag()
      if (tag === 0x09) {
        const at = cursor.at
        cursor.skip(tag)
        low = this.#view.getUint32(at, true)
        high = this.#view.getUint32(at + 4, true)
      } else if (tag === 0x10) time = cursor.int64()
      else if (tag === 0x18) startTime = cursor.int64()
      else {
        if (tag >> 3 === 1) cursor.expectWireType(tag, 1)
        if (tag >> 3 === 2 || tag >> 3 === 3) cursor.expectWireType(tag, 0)
        cursor.skip(tag)
      }
    }
    cursor.end = savedEnd
    samples.words[2 * i] = low
    samples.words[2 * i + 1] = high
    samples.times[i] = time
    if (startTime !== 0) samples.setStartTime(i, startTime)
    samples.length = i + 1
  }

  #readMetadata(cursor: ProtobufCursor, at: number): void {
    const end = cursor.fieldEnd()
    const savedEnd = cursor.end
    cursor.end = end
    while (cursor.at < end) {
      const tag = cursor.tag()
      if (tag === 0x08) this.metadata[at] = cursor.varint()
      else if (tag === 0x18) this.metadata[at + 1] = this.#countRef(cursor.varint())
      else if (tag === 0x20) this.metadata[at + 2] = this.#countRef(cursor.varint())
      else {
        if (tag >> 3 === 1 || tag >> 3 === 3 || tag >> 3 === 4) cursor.expectWireType(tag, 0)
        cursor.skip(tag)
      }
    }
    cursor.end = savedEnd
  }

  #countRef(ref: number): number {
    if (ref > this.#largestRef) this.#largestRef = ref
    return ref
  }

  #checkPairs(i: number): void {
    const count = this.#labelRefCount - (i === 0 ? 0 : this.labelRefsEnd[i - 1]!)
    if (count % 2 === 1) throw new WireError(`cannot read labels of series ${i}: want an even number of references, got ${count}`)
  }

  #checkReferences(): void {
    if (this.symbolCount > 0 && this.symbolStart[0] !== this.symbolEnd[0]) {
      throw new WireError('cannot read symbols: want the empty string first')
    }
    if (this.seriesCount > 0 && this.#largestRef >= Math.max(1, this.symbolCount)) {
      throw new WireError(`cannot read labels: want references below ${this.symbolCount}, got ${this.#largestRef}`)
    }
  }

  #grow(): void {
    this.labelRefsEnd = growUint32(this.labelRefsEnd, seriesMax, 'series')
    this.sampleEnd = growUint32(this.sampleEnd, seriesMax, 'series')
    this.histogramsOf = growUint32(this.histogramsOf, seriesMax, 'series')
    this.exemplarsOf = growUint32(this.exemplarsOf, seriesMax, 'series')
    this.metadata = growUint32(this.metadata, 3 * seriesMax, 'series')
  }
}

/** A histogram or exemplar: its place, and that it is fields to its end. */
function checkNested(cursor: ProtobufCursor, series: number, messages: NestedMessages): void {
  const end = cursor.fieldEnd()
  messages.push(series, cursor.at, end)
  const savedEnd = cursor.end
  cursor.end = end
  cursor.skipAll()
  cursor.end = savedEnd
}
