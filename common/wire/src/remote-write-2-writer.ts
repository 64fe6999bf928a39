import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { RunPattern } from './run-pattern.ts'
import {
  putExemplarValue,
  putInt64,
  putSampleStart,
  putUvarint,
  SampleField,
  sampleFieldBytesMax,
  timestampBytesMax,
  uvarintBytes,
} from './sample-field.ts'
import type { TimeWords } from './sample-field.ts'
import { appendElements, SimilarRuns } from './similar-runs.ts'
import { copyDistanceMax } from './snappy-elements.ts'
import { bodyBytesMax, SnappyError } from './snappy.ts'

/**
 * Builds a remote-write 2.0 request (FORMAT.md, "2.0") from columns. Symbols come as whole tables in wire form, series as
 * their references into one of the tables; nothing is allocated per sample.
 */
export class RemoteWrite2Writer {
  #symbols = new ByteWriter(16 * 1024)
  /** Series behind those that are compressed already. */
  #series = new ByteWriter(64 * 1024)
  readonly #similar = new SimilarRuns()
  #block = new ByteWriter(0)
  #text = new ByteWriter(256)
  #sample = new SampleField()
  #symbolCount = 0
  #timeMs = 0
  /** Where the series that `openSeries` began starts. */
  #opened = 0
  sampleCount = 0
  histogramCount = 0
  exemplarCount = 0

  constructor() {
    this.reset()
  }

  /** Uncompressed bytes so far. */
  get length(): number {
    return this.#symbols.length + this.#similar.length + this.#series.length
  }

  reset(): void {
    this.#symbols.reset()
    this.#series.reset()
    this.#similar.reset()
    this.#symbols.u8(0x22)
    this.#symbols.u8(0)
    this.#symbolCount = 1
    this.sampleCount = 0
    this.histogramCount = 0
    this.exemplarCount = 0
  }

  /** Appends one symbol and returns its reference. */
  addSymbol(text: string): number {
    if (text === '') return 0
    const encoded = this.#text
    encoded.reset()
    this.#symbols.u8(0x22)
    this.#symbols.uvarint(encoded.utf8(text))
    this.#symbols.raw(encoded.bytes, 0, encoded.length)
    return this.#symbolCount++
  }

  /** As `addSymbol`, of a whole `symbols` field (tag 0x22, uvarint length, bytes). */
  addSymbolField(bytes: Uint8Array, start: number, end: number): number {
    this.#symbols.raw(bytes, start, end)
    return this.#symbolCount++
  }

  /** As `addSymbolField`, of `count` fields one behind the other. Returns the reference of the first. */
  addSymbolFields(bytes: Uint8Array, start: number, end: number, count: number): number {
    this.#symbols.raw(bytes, start, end)
    const first = this.#symbolCount
    this.#symbolCount += count
    return first
  }

  /** The reference that the next symbol gets. */
  get nextSymbol(): number {
    return this.#symbolCount
  }

  /** As `addSymbol`, of UTF-8 bytes with their uvarint length before them. */
  addSymbolText(bytes: Uint8Array, start: number, end: number): number {
    if (end - start === 1) return 0
    this.#symbols.u8(0x22)
    this.#symbols.raw(bytes, start, end)
    return this.#symbolCount++
  }

  /** The time of the samples and histograms that are appended from now on. */
  setTime(timeMs: number): void {
    this.#timeMs = timeMs
    this.#sample.setTime(timeMs)
  }

  /** `setTime` and `seriesNow` in one. */
  series(
    refs: Uint8Array,
    start: number,
    end: number,
    map: Uint32Array | undefined,
    timeMs: number,
    low: number,
    high: number,
    typeCode = 0,
    helpRef = 0,
    unitRef = 0,
  ): void {
    this.setTime(timeMs)
    this.seriesNow(refs, start, end, map, low, high, typeCode, helpRef, unitRef)
  }

  /**
   * Appends a series with one sample. [start, end) of `refs` is a `labels_refs` field (tag 0x0a, length, packed references
   * from 1); `map` says which symbols of the request they are, undefined = they are its references already. Metadata is left out if `typeCode`, `helpRef` and `unitRef` are 0; its references are final. The
   * halves of the value are taken with or without sign; numbers above 2^31 cost an object each.
   */
  seriesNow(
    refs: Uint8Array,
    start: number,
    end: number,
    map: Uint32Array | undefined,
    low: number,
    high: number,
    typeCode = 0,
    helpRef = 0,
    unitRef = 0,
  ): void {
    const out = this.#series
    out.reserve(16 + (end - start) * 5 + sampleFieldBytesMax + 20)
    const { bytes } = out
    const fieldStart = out.length
    let at = fieldStart + 2
    if (map === undefined) for (let i = start; i < end; i++) bytes[at++] = refs[i]!
    else at = putMapped(bytes, at, refs, start, end, map)
    at = this.#sample.put(bytes, at, low, high)
    if (typeCode !== 0 || helpRef !== 0 || unitRef !== 0) at = putMetadata(bytes, at, typeCode, helpRef, unitRef)
    out.length = closeField(bytes, fieldStart, at)
    this.sampleCount++
  }

  /**
   * Appends the series [from, to) of a layout with one sample each, all of the time that `setTime` said: `seriesNow` for each of them, in half the
   * time, as the loop's state stays in registers. Series i has its references at [offsets[i], offsets[i + 1]) of `refs` and its value in
   * words[2 * i] (low) and words[2 * i + 1].
   */
  seriesRun(refs: Uint8Array, offsets: Uint32Array, from: number, to: number, map: Uint32Array | undefined, words: Uint32Array): void {
    this.#putRun(refs, offsets, from, to, map, words, this.#sample.timeWords, undefined)
  }

  /**
   * As `seriesRun`, in a third of its time if the request has a layout with the same references already; such a request is to be had from `block`
   * only, as most of its bytes are nowhere.
   */
  similarRun(refs: Uint8Array, offsets: Uint32Array, from: number, to: number, map: Uint32Array, words: Uint32Array): void {
    const time = this.#sample.timeWords
    const similar = this.#similar
    if (time.bytes === 0 || offsets[to]! - offsets[from]! > copyDistanceMax) {
      this.#putRun(refs, offsets, from, to, map, words, time, undefined)
      return
    }
    const pattern = similar.find(refs) ?? similar.begin(refs, offsets)
    pattern.reserve(to)
    const likeFrom = Math.min(to, Math.max(from, pattern.from))
    const likeTo = Math.max(likeFrom, Math.min(to, pattern.to))
    this.#putRun(refs, offsets, from, likeFrom, map, words, time, pattern)
    if (likeFrom < likeTo && !this.#addSimilar(pattern, likeFrom, likeTo, map, words, time)) {
      pattern.forgetPlan()
      this.#putRun(refs, offsets, likeFrom, likeTo, map, words, time, pattern)
    }
    this.#putRun(refs, offsets, likeTo, to, map, words, time, pattern)
    pattern.words.set(words.subarray(2 * from, 2 * to), 2 * from)
    pattern.hold(from, to, map, time)
  }

  #addSimilar(pattern: RunPattern, from: number, to: number, map: Uint32Array, words: Uint32Array, time: TimeWords): boolean {
    const similar = this.#similar
    if (!similar.fits(pattern, from, to, map, time, similar.length + this.#series.length)) return false
    this.#compressSeries()
    if (!similar.add(pattern, from, to, map, words, time)) return false
    this.sampleCount += to - from
    return true
  }

  #compressSeries(): void {
    this.#similar.addBytes(this.#series.bytes, 0, this.#series.length)
    this.#series.reset()
  }

  /** Places are where each series begins, for the pattern. */
  #putRun(
    refs: Uint8Array,
    offsets: Uint32Array,
    from: number,
    to: number,
    map: Uint32Array | undefined,
    words: Uint32Array,
    time: TimeWords,
    pattern: RunPattern | undefined,
  ): void {
    if (from === to) return
    if (time.bytes === 0) {
      for (let i = from; i < to; i++) this.seriesNow(refs, offsets[i]!, offsets[i + 1]!, map, words[2 * i]! | 0, words[2 * i + 1]! | 0)
      return
    }
    const out = this.#series
    // A reference of one byte may become one of five.
    out.reserve((offsets[to]! - offsets[from]!) * 5 + (to - from) * (16 + sampleFieldBytesMax))
    const { bytes } = out
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const timeLow = time.low
    const timeHigh = time.high
    const timeBytes = time.bytes
    const places = pattern?.places
    const before = this.#similar.length
    let at = out.length
    for (let i = from; i < to; i++) {
      const fieldStart = at
      if (places !== undefined) places[i] = before + fieldStart
      const start = offsets[i]!
      const end = offsets[i + 1]!
      at += 2
      if (map === undefined) for (let k = start; k < end; k++) bytes[at++] = refs[k]!
      else at = putMapped(bytes, at, refs, start, end, map)
      const low = words[2 * i]! | 0
      const high = words[2 * i + 1]! | 0
      bytes[at] = 0x12
      if ((low | high) === 0) {
        bytes[at + 1] = timeBytes
        at += 2
      } else {
        bytes[at + 1] = 9 + timeBytes
        bytes[at + 2] = 0x09
        view.setInt32(at + 3, low, true)
        view.setInt32(at + 7, high, true)
        at += 11
      }
      view.setInt32(at, timeLow, true)
      view.setInt32(at + 4, timeHigh, true)
      at = closeField(bytes, fieldStart, at + timeBytes)
    }
    out.length = at
    this.sampleCount += to - from
  }

  /**
   * Begins a series with more than one float: at least one `addSample` or `addHistogram`, then exemplars, then `closeSeries`. Arguments as of
   * `seriesNow`, which is the quick way for all other series.
   */
  openSeries(refs: Uint8Array, start: number, end: number, map: Uint32Array | undefined): void {
    const out = this.#series
    out.reserve(16 + (end - start) * 5)
    this.#opened = out.length
    const at = out.length + 2
    if (map === undefined) out.bytes.set(refs.subarray(start, end), at)
    out.length = map === undefined ? at + end - start : putMapped(out.bytes, at, refs, start, end, map)
  }

  /** `startTimeMs` 0 = none. */
  addSample(low: number, high: number, startTimeMs: number): void {
    const out = this.#series
    out.reserve(sampleFieldBytesMax + timestampBytesMax)
    const at = out.length
    const end = this.#sample.put(out.bytes, at, low, high)
    out.length = startTimeMs === 0 ? end : putSampleStart(out.bytes, at, end, startTimeMs)
    this.sampleCount++
  }

  /** [start, end) of `bytes` is a `Histogram` message without its timestamps; `startTimeMs` 0 = none. */
  addHistogram(bytes: Uint8Array, start: number, end: number, startTimeMs: number): void {
    const out = this.#series
    const times = new Uint8Array(timestampBytesMax)
    times[0] = 0x78
    let length = putInt64(times, 1, this.#timeMs)
    if (startTimeMs !== 0) {
      times[length++] = 0x88
      times[length++] = 0x01
      length = putInt64(times, length, startTimeMs)
    }
    out.u8(0x1a)
    out.uvarint(end - start + length)
    out.raw(bytes, start, end)
    out.raw(times, 0, length)
    this.histogramCount++
  }

  /** `labelRefs` are final references, as `addSymbol` gives them. */
  addExemplar(labelRefs: readonly number[], low: number, high: number, timeMs: number): void {
    const body = this.#text
    body.reset()
    if (labelRefs.length > 0) {
      let refBytes = 0
      for (const ref of labelRefs) refBytes += uvarintBytes(ref)
      body.u8(0x0a)
      body.uvarint(refBytes)
      for (const ref of labelRefs) body.uvarint(ref)
    }
    putExemplarValue(body, low, high, timeMs)
    const out = this.#series
    out.u8(0x22)
    out.uvarint(body.length)
    out.raw(body.bytes, 0, body.length)
    this.exemplarCount++
  }

  /** Ends the series that `openSeries` began; metadata as of `seriesNow`. */
  closeSeries(typeCode = 0, helpRef = 0, unitRef = 0): void {
    const out = this.#series
    out.reserve(20 + 5)
    const end = out.length
    const { bytes } = out
    const next = typeCode !== 0 || helpRef !== 0 || unitRef !== 0 ? putMetadata(bytes, end, typeCode, helpRef, unitRef) : end
    out.length = closeField(bytes, this.#opened, next)
  }

  /** The whole request as one snappy block, valid until the next call. Throws `SnappyError` if it is longer than `bodyBytesMax`. */
  block(): Uint8Array {
    const { length } = this
    if (length > bodyBytesMax) throw new SnappyError(`snappy: cannot compress: want at most ${bodyBytesMax} bytes, got ${length}`)
    const block = this.#block
    block.reset()
    block.uvarint(length)
    appendElements(block, this.#symbols.bytes, 0, this.#symbols.length)
    this.#compressSeries()
    block.raw(this.#similar.elements)
    return block.view()
  }

  /** The whole request, valid until the next call; without `similarRun`. */
  view(): Uint8Array {
    const body = this.#symbols
    const symbolBytes = body.length
    body.raw(this.#series.bytes, 0, this.#series.length)
    const view = body.view()
    body.length = symbolBytes
    return view
  }
}

/** Writes tag 0x2a and the length in front of a body that starts two bytes behind `fieldStart`; longer lengths move the body. */
function closeField(bytes: Uint8Array, fieldStart: number, end: number): number {
  const bodyBytes = end - fieldStart - 2
  bytes[fieldStart] = 0x2a
  if (bodyBytes < 0x80) {
    bytes[fieldStart + 1] = bodyBytes
    return end
  }
  const lengthBytes = uvarintBytes(bodyBytes)
  bytes.copyWithin(fieldStart + 1 + lengthBytes, fieldStart + 2, end)
  putUvarint(bytes, fieldStart + 1, bodyBytes)
  return end + lengthBytes - 1
}

/** The `labels_refs` field with every reference as `map` has it. */
function putMapped(bytes: Uint8Array, at: number, refs: Uint8Array, start: number, end: number, map: Uint32Array): number {
  let from = start + 1
  while (refs[from++]! >= 0x80);
  bytes[at] = 0x0a
  const bodyStart = at + 2
  let next = bodyStart
  while (from < end) {
    let ref = refs[from++]!
    if (ref >= 0x80) {
      ref &= 0x7f
      for (let shift = 7; ; shift += 7) {
        const byte = refs[from++]!
        ref |= (byte & 0x7f) << shift
        if (byte < 0x80) break
      }
    }
    ref = map[ref]!
    if (ref < 0x80) bytes[next++] = ref
    else if (ref < 0x4000) {
      bytes[next++] = (ref & 0x7f) | 0x80
      bytes[next++] = ref >>> 7
    } else next = putUvarint(bytes, next, ref)
  }
  const bodyBytes = next - bodyStart
  if (bodyBytes < 0x80) {
    bytes[at + 1] = bodyBytes
    return next
  }
  const lengthBytes = uvarintBytes(bodyBytes)
  bytes.copyWithin(at + 1 + lengthBytes, bodyStart, next)
  putUvarint(bytes, at + 1, bodyBytes)
  return next + lengthBytes - 1
}

function putMetadata(bytes: Uint8Array, at: number, typeCode: number, helpRef: number, unitRef: number): number {
  bytes[at] = 0x2a
  let next = at + 2
  if (typeCode !== 0) {
    bytes[next++] = 0x08
    next = putUvarint(bytes, next, typeCode)
  }
  if (helpRef !== 0) {
    bytes[next++] = 0x18
    next = putUvarint(bytes, next, helpRef)
  }
  if (unitRef !== 0) {
    bytes[next++] = 0x20
    next = putUvarint(bytes, next, unitRef)
  }
  bytes[at + 1] = next - at - 2
  return next
}
