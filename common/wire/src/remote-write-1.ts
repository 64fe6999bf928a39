import { LabelPairs } from './label-pairs.ts'
import { metricTypeOfCode } from './metric-type-codes.ts'
import { ProtobufCursor } from './protobuf-cursor.ts'
import { growUint32, NestedMessages, SampleArea, seriesMax, shrinkUint32 } from './request-columns.ts'
import type { MetricType } from '@narthex/model/metric-type'

/** Who may know a series by its raw label bytes; 0 = unknown. Known bytes were well-formed before, so they are not walked again. */
export interface WireAliases {
  refByWire(bytes: Uint8Array, start: number, end: number): number
}

export interface WireMetadata {
  readonly family: string
  readonly type: MetricType
  readonly help: string
  readonly unit: string
}

const noAliases: WireAliases = { refByWire: () => 0 }

/**
 * A remote-write 1.0 `WriteRequest` as columns (FORMAT.md, "1.0"). One `read` checks the structure of the whole request;
 * nothing of a malformed one should be used. The arrays are valid until the next `read`; `bytes` must stay untouched as long.
 */
export class RemoteWrite1Reader {
  bytes: Uint8Array = new Uint8Array(0)
  /** Series that carry samples or histograms or exemplars; others only pass the check. */
  seriesCount = 0
  /** Region of the label fields of series i in `labelSource(i)`: the bytes as sent when they lie together, as all known senders write them. */
  labelsStart: Uint32Array = new Uint32Array(4096)
  labelsEnd: Uint32Array = new Uint32Array(4096)
  /** What `aliases` said for series i. */
  refs: Float64Array = new Float64Array(4096)
  /** Samples of series i: from `sampleEnd[i - 1]` (or 0) to `sampleEnd[i]`. */
  sampleEnd: Uint32Array = new Uint32Array(4096)
  readonly samples = new SampleArea()
  readonly histograms = new NestedMessages()
  readonly exemplars = new NestedMessages()
  metadataCount = 0
  #metadataRegions: Uint32Array = new Uint32Array(256)
  #view: DataView = new DataView(new ArrayBuffer(0))
  #cursor = new ProtobufCursor()
  #pairs = new LabelPairs()
  #gathered = new Map<number, Uint8Array>()

  /** Throws `WireError` if [start, end) is not a well-formed request. */
  read(bytes: Uint8Array, start = 0, end: number = bytes.length, aliases: WireAliases = noAliases): void {
    this.#clear(bytes)
    const cursor = this.#cursor
    cursor.reset(bytes, start, end)
    while (cursor.at < end) {
      const tag = cursor.tag()
      if (tag === 0x0a) {
        const seriesEnd = cursor.fieldEnd()
        this.#readSeries(seriesEnd, aliases)
        cursor.at = seriesEnd
      } else if (tag === 0x1a) {
        const metadataEnd = cursor.fieldEnd()
        this.#checkMetadata(metadataEnd)
        cursor.end = end
      } else {
        if (tag >> 3 === 1 || tag >> 3 === 3) cursor.expectWireType(tag, 2)
        cursor.skip(tag)
      }
    }
  }

  get histogramCount(): number {
    return this.histograms.count
  }

  get exemplarCount(): number {
    return this.exemplars.count
  }

  /** The bytes that `labelsStart[i]` and `labelsEnd[i]` point into. */
  labelSource(i: number): Uint8Array {
    return this.#gathered.size === 0 ? this.bytes : (this.#gathered.get(i) ?? this.bytes)
  }

  /** Entry `i` of the metadata; strings are made here. */
  metadata(i: number): WireMetadata {
    const cursor = this.#cursor
    cursor.reset(this.bytes, this.#metadataRegions[2 * i]!, this.#metadataRegions[2 * i + 1]!)
    let type: MetricType = 'unknown'
    let family = ''
    let help = ''
    let unit = ''
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      if (tag === 0x08) type = metricTypeOfCode(cursor.varint())
      else if (tag === 0x12) family = this.#text(cursor)
      else if (tag === 0x22) help = this.#text(cursor)
      else if (tag === 0x2a) unit = this.#text(cursor)
      else cursor.skip(tag)
    }
    return { family, type, help, unit }
  }

  #clear(bytes: Uint8Array): void {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.seriesCount = 0
    this.exemplars.clear()
    this.histograms.clear()
    this.metadataCount = 0
    this.samples.clear()
    if (this.#gathered.size > 0) this.#gathered = new Map()
    this.labelsStart = shrinkUint32(this.labelsStart, 4096)
    this.labelsEnd = shrinkUint32(this.labelsEnd, 4096)
    this.sampleEnd = shrinkUint32(this.sampleEnd, 4096)
    this.#metadataRegions = shrinkUint32(this.#metadataRegions, 256)
    if (this.refs.length > this.labelsStart.length) this.refs = new Float64Array(this.labelsStart.length)
  }

  #readSeries(end: number, aliases: WireAliases): void {
    const { bytes } = this
    const cursor = this.#cursor
    const requestEnd = cursor.end
    const first = cursor.at
    let labelsStart = 0
    let labelsEnd = 0
    let scattered = false
    let carries = false
    // The loop keeps its position in a local and reads one-byte tags and lengths in place: it runs a dozen times per sample.
    let at = first
    while (at < end) {
      let tag = bytes[at]!
      const length = at + 1 < end ? bytes[at + 1]! : 0x80
      let bodyStart = at + 2
      let bodyEnd = bodyStart + length
      if ((tag !== 0x0a && tag !== 0x12) || length >= 0x80 || bodyEnd > end) {
        cursor.at = at
        cursor.end = end
        tag = cursor.tag()
        if (tag >> 3 >= 1 && tag >> 3 <= 4) cursor.expectWireType(tag, 2)
        if (tag !== 0x0a && tag !== 0x12) {
          if (tag === 0x1a || tag === 0x22) {
            carries = true
            this.#checkNested(tag)
          } else cursor.skip(tag)
          at = cursor.at
          continue
        }
        bodyEnd = cursor.fieldEnd()
        bodyStart = cursor.at
      }
      if (tag === 0x0a) {
        if (labelsEnd === 0) labelsStart = at
        else if (labelsEnd !== at) scattered = true
        labelsEnd = bodyEnd
      } else {
        carries = true
        this.#readSample(bodyStart, bodyEnd)
      }
      at = bodyEnd
    }
    cursor.end = requestEnd
    if (scattered) this.#addScattered(first, end, aliases, carries)
    else this.#add(bytes, labelsStart, labelsEnd, aliases, carries)
  }

  #add(source: Uint8Array, start: number, end: number, aliases: WireAliases, carries: boolean): void {
    const ref = carries && end > start ? aliases.refByWire(source, start, end) : 0
    if (ref === 0) this.#pairs.read(source, start, end)
    if (!carries) return
    const i = this.seriesCount
    if (i >= this.labelsStart.length) this.#grow()
    this.labelsStart[i] = start
    this.labelsEnd[i] = end
    this.refs[i] = ref
    this.sampleEnd[i] = this.samples.length
    this.seriesCount = i + 1
  }

  /** Labels with other fields between them: copied together, so that the rest of the code sees one region. */
  #addScattered(start: number, end: number, aliases: WireAliases, carries: boolean): void {
    const cursor = new ProtobufCursor()
    cursor.reset(this.bytes, start, end)
    const region = new Uint8Array(end - start)
    let length = 0
    while (cursor.at < end) {
      const fieldStart = cursor.at
      const tag = cursor.tag()
      cursor.skip(tag)
      if (tag !== 0x0a) continue
      region.set(this.bytes.subarray(fieldStart, cursor.at), length)
      length += cursor.at - fieldStart
    }
    if (carries) this.#gathered.set(this.seriesCount, region)
    this.#add(region, 0, length, aliases, carries)
  }

  #readSample(start: number, end: number): void {
    const { samples } = this
    if (samples.length >= samples.times.length) samples.grow()
    if (!samples.putUsual(this.bytes, this.#view, start, end)) this.#readAnySample(start, end, samples.length)
  }

  #readAnySample(start: number, end: number, i: number): void {
    const cursor = this.#cursor
    const { samples } = this
    const savedEnd = cursor.end
    cursor.at = start
    cursor.end = end
    let low = 0
    let high = 0
    let time = 0
    while (cursor.at < end) {
      const tag = cursor.tag()
      if (tag === 0x09) {
        const at = cursor.at
        cursor.skip(tag)
        low = this.#view.getUint32(at, true)
        high = this.#view.getUint32(at + 4, true)
      } else if (tag === 0x10) time = cursor.int64()
      else {
        if (tag >> 3 === 1) cursor.expectWireType(tag, 1)
        if (tag >> 3 === 2) cursor.expectWireType(tag, 0)
        cursor.skip(tag)
      }
    }
    cursor.end = savedEnd
    samples.words[2 * i] = low
    samples.words[2 * i + 1] = high
    samples.times[i] = time
    samples.length = i + 1
  }

  /** Exemplars and histograms: their places, and that they are fields to their end. */
  #checkNested(tag: number): void {
    const cursor = this.#cursor
    const end = cursor.fieldEnd()
    const savedEnd = cursor.end
    const messages = tag === 0x1a ? this.exemplars : this.histograms
    messages.push(this.seriesCount, cursor.at, end)
    cursor.end = end
    cursor.skipAll()
    cursor.end = savedEnd
  }

  #checkMetadata(end: number): void {
    const cursor = this.#cursor
    const at = 2 * this.metadataCount
    if (at >= this.#metadataRegions.length) this.#metadataRegions = growUint32(this.#metadataRegions, 2 * seriesMax, 'metadata entries')
    this.#metadataRegions[at] = cursor.at
    this.#metadataRegions[at + 1] = end
    this.metadataCount++
    cursor.end = end
    while (cursor.at < end) {
      const tag = cursor.tag()
      const field = tag >> 3
      if (field === 1) cursor.expectWireType(tag, 0)
      if (field === 2 || field === 4 || field === 5) cursor.expectWireType(tag, 2)
      cursor.skip(tag)
    }
  }

  #text(cursor: ProtobufCursor): string {
    const end = cursor.fieldEnd()
    const text = decoder.decode(this.bytes.subarray(cursor.at, end))
    cursor.at = end
    return text
  }

  #grow(): void {
    this.labelsStart = growUint32(this.labelsStart, seriesMax, 'series')
    this.labelsEnd = growUint32(this.labelsEnd, seriesMax, 'series')
    this.sampleEnd = growUint32(this.sampleEnd, seriesMax, 'series')
    const refs = new Float64Array(this.labelsStart.length)
    refs.set(this.refs)
    this.refs = refs
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
