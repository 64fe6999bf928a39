import { ByteReader } from '@narthex/bytes/byte-reader'
import { hasCustomBuckets } from '@narthex/wire/histogram-message'
import { codeOfMetricType } from '@narthex/wire/metric-type-codes'
import { RemoteWrite1Writer } from '@narthex/wire/remote-write-1-writer'
import { RemoteWrite2Writer } from '@narthex/wire/remote-write-2-writer'
import { compress } from '@narthex/wire/snappy'
import { locateSymbols } from '@narthex/wire/symbol-table'
import { noFamily } from '../store/frame.ts'
import type { FamilyMetadata, SeriesLayout } from '../store/frame.ts'
import { FrameColumns } from '../store/sample-frame.ts'
import type { FrameRef } from '../store/sample-frame.ts'
import { createCounts } from './item-counts.ts'
import type { ItemCounts } from './item-counts.ts'
import type { LayoutPreparer, PreparedLayout } from './prepared-layout.ts'
import { RunChoice } from './run-choice.ts'
import type { MessageVersion } from './verdict.ts'

/** The place of a sample that is left out for its age; -1 is one that a rule left out. */
const tooOld = -2
/** A slice of less than this part of its layout's series names its symbols one by one. */
const sparseFactor = 4
const noSymbols = new Uint32Array(0)

/** A run of a frame's samples that goes into one request. */
export interface FrameSlice {
  readonly frame: FrameRef
  readonly from: number
  readonly to: number
}

export interface BuiltRequest {
  readonly version: MessageVersion
  /** Compressed; valid until the builder's next request. */
  readonly body: Uint8Array
  readonly uncompressedBytes: number
  readonly items: Readonly<ItemCounts>
  readonly leftOut: LeftOut
  readonly maxTimeMs: number
}

/** What a request does not carry of its frames. */
export interface LeftOut {
  readonly byRules: Readonly<ItemCounts>
  readonly byAge: Readonly<ItemCounts>
  /** Histograms with custom buckets, for which 1.0 has no place. */
  readonly customBuckets: number
  /** Histograms that the remote's configuration does not want. */
  readonly unwantedHistograms: number
}

/** `send_exemplars` and `send_native_histograms`. */
export interface Wanted {
  readonly exemplars: boolean
  readonly histograms: boolean
}

/** Decides for which frames a 2.0 request carries metadata: every series once per interval. */
export interface MetadataPlan {
  isDue(frame: FrameRef): boolean
}

/** Builds requests out of frames without an object per sample. One per remote: its buffers, and what it knows of layouts, take megabytes. */
export class RequestBuilder {
  readonly #preparer: LayoutPreparer
  readonly #wanted: Wanted
  readonly #writer1 = new RemoteWrite1Writer()
  readonly #writer2 = new RemoteWrite2Writer()
  readonly #columns = new FrameColumns()
  readonly #symbolOffsets = new WeakMap<SeriesLayout, Uint32Array>()
  /** The frame whose columns are decoded: a large frame is cut into many requests, and decoded once. */
  #decoded: FrameRef | undefined
  #body: ArrayBuffer | undefined
  #byRules = createCounts()
  #byAge = createCounts()
  #customBuckets = 0
  #unwantedHistograms = 0
  /** References of exemplar labels in the 2.0 request being built. */
  #exemplarSymbols = new Map<string, number>()
  #maxTimeMs = 0
  readonly #runChoice = new RunChoice()
  #isSimilar = false

  constructor(preparer: LayoutPreparer, wanted: Wanted) {
    this.#preparer = preparer
    this.#wanted = wanted
  }

  /** Samples before `oldestMs` are left out. Throws `FrameError` for a frame that its checksum did not save. */
  build(slices: readonly FrameSlice[], version: MessageVersion, oldestMs: number, metadata: MetadataPlan): BuiltRequest {
    this.#byRules = createCounts()
    this.#byAge = createCounts()
    this.#customBuckets = 0
    this.#unwantedHistograms = 0
    if (this.#exemplarSymbols.size > 0) this.#exemplarSymbols = new Map()
    this.#maxTimeMs = 0
    const writer = version === 1 ? this.#writer1 : this.#writer2
    writer.reset()
    this.#isSimilar = version === 2 && this.#runChoice.next()
    this.#preparer.symbols.beginRequest()
    const families = new Map<FamilyMetadata, FamilyRefs>()
    for (const slice of slices) {
      const { frame } = slice
      if (this.#decoded !== frame) {
        this.#decoded = undefined
        this.#columns.read(frame)
        this.#decoded = frame
      }
      const prepared = this.#preparer.prepare(frame.layout)
      if (version === 1) this.#addSlice1(slice, prepared, oldestMs)
      else this.#addSlice2(slice, prepared, oldestMs, metadata.isDue(frame) ? families : undefined)
    }
    const uncompressedBytes = writer.length
    const body = version === 1 ? this.#compress1() : this.#writer2.block()
    if (version === 2) this.#runChoice.take(this.#isSimilar, body.length, writer.sampleCount)
    return {
      version,
      body,
      uncompressedBytes,
      items: { samples: writer.sampleCount, histograms: writer.histogramCount, exemplars: writer.exemplarCount },
      leftOut: {
        byRules: this.#byRules,
        byAge: this.#byAge,
        customBuckets: this.#customBuckets,
        unwantedHistograms: this.#unwantedHistograms,
      },
      maxTimeMs: this.#maxTimeMs,
    }
  }

  #compress1(): Uint8Array {
    // Nobody has the last body any more. Its memory goes back now: the collector sees only a small object, and would let megabytes a second
    // pile up behind those.
    this.#body?.transfer(0)
    const body = compress(this.#writer1.view())
    this.#body = body.buffer
    return body
  }

  #addSlice1(slice: FrameSlice, prepared: PreparedLayout, oldestMs: number): void {
    const writer = this.#writer1
    const { layout, places } = prepared
    const { symbolBytes, seriesRefs, seriesRefOffsets } = layout
    let symbolOffsets = this.#symbolOffsets.get(layout)
    if (symbolOffsets === undefined) this.#symbolOffsets.set(layout, (symbolOffsets = locateSymbols(symbolBytes, layout.symbolCount)))
    const { words, hasTimes, timeMs, exemplars } = this.#columns
    writer.setTime(timeMs)
    if (this.#isRich(1)) {
      const offsets = symbolOffsets
      this.#addRich(slice, places, oldestMs, {
        version: 1,
        open: (series) => writer.openSeries(symbolBytes, offsets, seriesRefs, seriesRefOffsets[series]!, seriesRefOffsets[series + 1]!),
        exemplar: (i, low, high) =>
          writer.addExemplar(exemplars.bytes, exemplars.offsets[i]!, exemplars.offsets[i + 1]!, low, high, exemplars.times[i]!),
        close: () => writer.closeSeries(),
      })
      return
    }
    for (let i = slice.from; i < slice.to; i++) {
      const series = this.#place(i, places, oldestMs)
      if (series < 0) {
        this.#leaveOut(series, 1, 0, 0)
        continue
      }
      if (hasTimes) writer.setTime(this.#time(i))
      const start = seriesRefOffsets[series]!
      const end = seriesRefOffsets[series + 1]!
      writer.seriesNow(symbolBytes, symbolOffsets, seriesRefs, start, end, words[2 * i]! | 0, words[2 * i + 1]! | 0)
    }
  }

  #addSlice2(slice: FrameSlice, prepared: PreparedLayout, oldestMs: number, families: Map<FamilyMetadata, FamilyRefs> | undefined): void {
    const writer = this.#writer2
    const { layout, places } = prepared
    const { seriesRefs, seriesRefOffsets, familyOfSeries } = layout
    const map = this.#addSymbols(slice, prepared)
    const { words, hasTimes, timeMs, exemplars } = this.#columns
    writer.setTime(timeMs)
    if (this.#isRich(2)) {
      const references = map
      this.#addRich(slice, places, oldestMs, {
        version: 2,
        open: (series) => writer.openSeries(seriesRefs, seriesRefOffsets[series]!, seriesRefOffsets[series + 1]!, references),
        exemplar: (i, low, high) => writer.addExemplar(this.#exemplarRefs(i), low, high, exemplars.times[i]!),
        close: (series) => {
          const family = families === undefined || familyOfSeries === undefined ? noFamily : familyOfSeries[series]!
          const refs = family === noFamily ? undefined : familyRefs(writer, families!, layout.families[family]!)
          writer.closeSeries(refs?.code, refs?.help, refs?.unit)
        },
      })
      return
    }
    // What a target says that did not change its series: all of them in their order, at one time.
    if (places === undefined && families === undefined && !hasTimes && !this.#columns.hasIndexes && timeMs >= oldestMs) {
      if (this.#isSimilar) writer.similarRun(seriesRefs, seriesRefOffsets, slice.from, slice.to, map, words)
      else writer.seriesRun(seriesRefs, seriesRefOffsets, slice.from, slice.to, map, words)
      if (timeMs > this.#maxTimeMs) this.#maxTimeMs = timeMs
      return
    }
    for (let i = slice.from; i < slice.to; i++) {
      const series = this.#place(i, places, oldestMs)
      if (series < 0) {
        this.#leaveOut(series, 1, 0, 0)
        continue
      }
      if (hasTimes) writer.setTime(this.#time(i))
      const start = seriesRefOffsets[series]!
      const end = seriesRefOffsets[series + 1]!
      const family = families === undefined || familyOfSeries === undefined ? noFamily : familyOfSeries[series]!
      if (family === noFamily) writer.seriesNow(seriesRefs, start, end, map, words[2 * i]! | 0, words[2 * i + 1]! | 0)
      else {
        const refs = familyRefs(writer, families!, layout.families[family]!)
        writer.seriesNow(seriesRefs, start, end, map, words[2 * i]! | 0, words[2 * i + 1]! | 0, refs.code, refs.help, refs.unit)
      }
    }
  }

  #addSymbols(slice: FrameSlice, { layout, places }: PreparedLayout): Uint32Array {
    const { symbols } = this.#preparer
    const { hasIndexes } = this.#columns
    if (!hasIndexes && places === undefined) return symbols.addTo(this.#writer2, layout, slice.from, slice.to)
    if ((slice.to - slice.from) * sparseFactor < layout.seriesCount) return this.#addNamedSymbols(slice, layout, places)
    let map = symbols.addTo(this.#writer2, layout, 0, 0)
    for (let i = slice.from; i < slice.to; i++) {
      const series = this.#place(i, places, -Infinity)
      if (series >= 0) map = symbols.addTo(this.#writer2, layout, series, series + 1)
    }
    return map
  }

  /** Of a few series of a layout the request gets their symbols only. */
  #addNamedSymbols(slice: FrameSlice, layout: SeriesLayout, places: Int32Array | undefined): Uint32Array {
    let map: Uint32Array = noSymbols
    for (let i = slice.from; i < slice.to; i++) {
      const series = this.#place(i, places, -Infinity)
      if (series >= 0) map = this.#preparer.symbols.addSeries(this.#writer2, layout, series)
    }
    return map
  }

  /** Whether the decoded frame has anything that this version carries beside one float a series. */
  #isRich(version: MessageVersion): boolean {
    const { histograms, exemplars, hasStartTimes } = this.#columns
    return histograms.count > 0 || (this.#wanted.exemplars && exemplars.count > 0) || (version === 2 && hasStartTimes)
  }

  /** A slice of a frame with histograms, exemplars or start timestamps. */
  #addRich(slice: FrameSlice, places: Int32Array | undefined, oldestMs: number, rich: RichSeries): void {
    const { words, startTimes, hasStartTimes, hasTimes, histograms, exemplars } = this.#columns
    const writer = rich.version === 1 ? this.#writer1 : this.#writer2
    let histogram = firstAtOrBehind(histograms.positions, histograms.count, slice.from)
    let exemplar = firstAtOrBehind(exemplars.positions, exemplars.count, slice.from)
    for (let i = slice.from; i < slice.to; i++) {
      const isHistogram = histogram < histograms.count && histograms.positions[histogram] === i
      if (isHistogram) histogram++
      const firstExemplar = exemplar
      while (exemplar < exemplars.count && exemplars.positions[exemplar] === i) exemplar++
      const exemplarsTo = this.#wanted.exemplars ? exemplar : firstExemplar
      const series = this.#place(i, places, oldestMs)
      if (series < 0) {
        this.#leaveOut(series, isHistogram ? 0 : 1, isHistogram ? 1 : 0, exemplarsTo - firstExemplar)
        continue
      }
      if (isHistogram && !this.#takesHistogram(histogram - 1, rich.version)) continue
      if (hasTimes) writer.setTime(this.#time(i))
      rich.open(series)
      const startTimeMs = hasStartTimes ? startTimes[i]! : 0
      if (isHistogram)
        writer.addHistogram(histograms.bytes, histograms.offsets[histogram - 1]!, histograms.offsets[histogram]!, startTimeMs)
      else writer.addSample(words[2 * i]! | 0, words[2 * i + 1]! | 0, startTimeMs)
      if (rich.version === 1 && isHistogram && exemplarsTo > firstExemplar) {
        // Receivers of 1.0 take a series' exemplars before its histograms, and drop those of a series that they do not know yet. So exemplars
        // come in a series entry of their own, as Prometheus sends them.
        rich.close(series)
        rich.open(series)
      }
      for (let at = firstExemplar; at < exemplarsTo; at++) rich.exemplar(at, exemplars.words[2 * at]!, exemplars.words[2 * at + 1]!)
      rich.close(series)
    }
  }

  /** Whether histogram `i` of the frame goes to this remote; counted if not. */
  #takesHistogram(i: number, version: MessageVersion): boolean {
    const { bytes, offsets } = this.#columns.histograms
    if (!this.#wanted.histograms) this.#unwantedHistograms++
    else if (version === 1 && hasCustomBuckets(bytes, offsets[i]!, offsets[i + 1]!)) this.#customBuckets++
    else return true
    return false
  }

  /** References of the labels of exemplar `i`; the same text is one symbol in a request. */
  #exemplarRefs(i: number): number[] {
    const { bytes, offsets } = this.#columns.exemplars
    const refs: number[] = []
    const reader = new ByteReader(bytes, offsets[i], offsets[i + 1])
    while (reader.remaining > 0) {
      const start = reader.offset
      const text = reader.utf8(reader.uvarint())
      let ref = this.#exemplarSymbols.get(text)
      if (ref === undefined) {
        ref = this.#writer2.addSymbolText(bytes, start, reader.offset)
        this.#exemplarSymbols.set(text, ref)
      }
      refs.push(ref)
    }
    return refs
  }

  /** Counts what goes with a sample that `#place` left out. */
  #leaveOut(place: number, samples: number, histograms: number, exemplars: number): void {
    const counts = place === tooOld ? this.#byAge : this.#byRules
    counts.samples += samples
    counts.histograms += histograms
    counts.exemplars += exemplars
  }

  /** The series of sample `i`, `tooOld` or -1 if it is left out. */
  #place(i: number, places: Int32Array | undefined, oldestMs: number): number {
    const columns = this.#columns
    if (this.#time(i) < oldestMs) return tooOld
    const scraped = columns.hasIndexes ? columns.indexes[i]! : i
    return places === undefined ? scraped : places[scraped]!
  }

  #time(i: number): number {
    const columns = this.#columns
    const time = columns.hasTimes ? columns.times[i]! : columns.timeMs
    if (time > this.#maxTimeMs) this.#maxTimeMs = time
    return time
  }
}

/** How one version writes a series with more than one float. */
interface RichSeries {
  readonly version: MessageVersion
  open(series: number): void
  /** Exemplar `i` of the frame. */
  exemplar(i: number, low: number, high: number): void
  close(series: number): void
}

/** The first of `count` ascending positions that is not before `from`. */
function firstAtOrBehind(positions: Uint32Array, count: number, from: number): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (positions[middle]! < from) low = middle + 1
    else high = middle
  }
  return low
}

interface FamilyRefs {
  readonly code: number
  readonly help: number
  readonly unit: number
}

function familyRefs(writer: RemoteWrite2Writer, known: Map<FamilyMetadata, FamilyRefs>, family: FamilyMetadata): FamilyRefs {
  let refs = known.get(family)
  if (refs === undefined) {
    refs = { code: codeOfMetricType(family.type), help: writer.addSymbol(family.help), unit: writer.addSymbol(family.unit) }
    known.set(family, refs)
  }
  return refs
}
