import { codeOfMetricType } from '@narthex/wire/metric-type-codes'
import { RemoteWrite1Writer } from '@narthex/wire/remote-write-1-writer'
import { RemoteWrite2Writer } from '@narthex/wire/remote-write-2-writer'
import { compress } from '@narthex/wire/snappy'
import { locateSymbols } from '@narthex/wire/symbol-table'
import { noFamily } from '../store/frame.ts'
import type { FamilyMetadata, SeriesLayout } from '../store/frame.ts'
import { FrameColumns } from '../store/sample-frame.ts'
import type { FrameRef } from '../store/sample-frame.ts'
import type { LayoutPreparer, PreparedLayout } from './prepared-layout.ts'
import type { MessageVersion } from './verdict.ts'

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
  readonly samples: number
  /** Left out: by a rule, and for their age. */
  readonly droppedByRules: number
  readonly droppedByAge: number
  readonly maxTimeMs: number
}

/** Decides for which frames a 2.0 request carries metadata: every series once per interval. */
export interface MetadataPlan {
  isDue(frame: FrameRef): boolean
}

/** Builds requests out of frames without an object per sample. One per shard. */
export class RequestBuilder {
  readonly #preparer: LayoutPreparer
  readonly #writer1 = new RemoteWrite1Writer()
  readonly #writer2 = new RemoteWrite2Writer()
  readonly #columns = new FrameColumns()
  readonly #symbolOffsets = new WeakMap<SeriesLayout, Uint32Array>()
  /** The frame whose columns are decoded: a large frame is cut into many requests, and decoded once. */
  #decoded: FrameRef | undefined
  #body: ArrayBuffer | undefined
  #droppedByRules = 0
  #droppedByAge = 0
  #maxTimeMs = 0

  constructor(preparer: LayoutPreparer) {
    this.#preparer = preparer
  }

  /** Samples before `oldestMs` are left out. Throws `FrameError` for a frame that its checksum did not save. */
  build(slices: readonly FrameSlice[], version: MessageVersion, oldestMs: number, metadata: MetadataPlan): BuiltRequest {
    this.#droppedByRules = 0
    this.#droppedByAge = 0
    this.#maxTimeMs = 0
    const writer = version === 1 ? this.#writer1 : this.#writer2
    writer.reset()
    const bases = new Map<SeriesLayout, number>()
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
      else this.#addSlice2(slice, prepared, oldestMs, bases, metadata.isDue(frame) ? families : undefined)
    }
    const bytes = writer.view()
    // Nobody has the last body any more. Its memory goes back now: the collector sees only a small object, and would let megabytes a second
    // pile up behind those.
    this.#body?.transfer(0)
    const body = compress(bytes)
    this.#body = body.buffer
    return {
      version,
      body,
      uncompressedBytes: bytes.length,
      samples: writer.sampleCount,
      droppedByRules: this.#droppedByRules,
      droppedByAge: this.#droppedByAge,
      maxTimeMs: this.#maxTimeMs,
    }
  }

  #addSlice1(slice: FrameSlice, prepared: PreparedLayout, oldestMs: number): void {
    const writer = this.#writer1
    const { layout, places } = prepared
    const { symbolBytes, seriesRefs, seriesRefOffsets } = layout
    let symbolOffsets = this.#symbolOffsets.get(layout)
    if (symbolOffsets === undefined) this.#symbolOffsets.set(layout, (symbolOffsets = locateSymbols(symbolBytes, layout.symbolCount)))
    const { words, hasTimes, timeMs } = this.#columns
    writer.setTime(timeMs)
    for (let i = slice.from; i < slice.to; i++) {
      const series = this.#place(i, places, oldestMs)
      if (series < 0) continue
      if (hasTimes) writer.setTime(this.#time(i))
      const start = seriesRefOffsets[series]!
      const end = seriesRefOffsets[series + 1]!
      writer.seriesNow(symbolBytes, symbolOffsets, seriesRefs, start, end, words[2 * i]! | 0, words[2 * i + 1]! | 0)
    }
  }

  #addSlice2(
    slice: FrameSlice,
    prepared: PreparedLayout,
    oldestMs: number,
    bases: Map<SeriesLayout, number>,
    families: Map<FamilyMetadata, FamilyRefs> | undefined,
  ): void {
    const writer = this.#writer2
    const { layout, places } = prepared
    const { seriesRefs, seriesRefOffsets, familyOfSeries } = layout
    let base = bases.get(layout)
    if (base === undefined) bases.set(layout, (base = writer.addSymbols(layout.symbolBytes, layout.symbolCount)))
    const { words, hasTimes, timeMs } = this.#columns
    writer.setTime(timeMs)
    for (let i = slice.from; i < slice.to; i++) {
      const series = this.#place(i, places, oldestMs)
      if (series < 0) continue
      if (hasTimes) writer.setTime(this.#time(i))
      const start = seriesRefOffsets[series]!
      const end = seriesRefOffsets[series + 1]!
      const family = families === undefined || familyOfSeries === undefined ? noFamily : familyOfSeries[series]!
      if (family === noFamily) writer.seriesNow(seriesRefs, start, end, base, words[2 * i]! | 0, words[2 * i + 1]! | 0)
      else {
        const refs = familyRefs(writer, families!, layout.families[family]!)
        writer.seriesNow(seriesRefs, start, end, base, words[2 * i]! | 0, words[2 * i + 1]! | 0, refs.code, refs.help, refs.unit)
      }
    }
  }

  /** The series of sample `i`, -1 if it is left out. */
  #place(i: number, places: Int32Array | undefined, oldestMs: number): number {
    const columns = this.#columns
    if (this.#time(i) < oldestMs) {
      this.#droppedByAge++
      return -1
    }
    const scraped = columns.hasIndexes ? columns.indexes[i]! : i
    if (places === undefined) return scraped
    const place = places[scraped]!
    if (place < 0) this.#droppedByRules++
    return place
  }

  #time(i: number): number {
    const columns = this.#columns
    const time = columns.hasTimes ? columns.times[i]! : columns.timeMs
    if (time > this.#maxTimeMs) this.#maxTimeMs = time
    return time
  }
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
