import type { ExemplarColumn, HistogramColumn, SeriesLayout } from '@narthex/agent/store/frame'
import type { FrameRef } from '@narthex/agent/store/sample-frame'
import { createCounts, type ItemCounts } from '@narthex/agent/send/item-counts'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { readRecord } from '@narthex/tsdb/wal/read-record'
import { RecordEntries } from '@narthex/tsdb/wal/record-entries'
import { readMetadata } from '@narthex/tsdb/wal/text-payload'
import { exemplarsRecord, hasFloatHistograms, isHistograms, metadataRecord, isSamples, seriesRecord } from '@narthex/tsdb/wal/wal-format'
import { putLoggedHistogram } from './logged-histogram.ts'
import { SeriesCatalog } from './series-catalog.ts'
import type { SeriesFamilies } from './series-families.ts'

/** Exemplars of a step; further ones are counted as lost. */
const exemplarsMax = 100_000
const noBytes = new Uint8Array(0)

interface LoggedExemplar {
  readonly slot: number
  readonly timeMs: number
  readonly low: number
  readonly high: number
  /** Its labels are [start, end) of the step's exemplar bytes. */
  readonly start: number
  readonly end: number
}

/** What a step had that no frame has. */
export interface StepLoss {
  /** Of series that no record names. */
  readonly unknown: Readonly<ItemCounts>
  /** Histograms that cannot be read. */
  readonly damaged: Readonly<ItemCounts>
  /** Exemplars without a sample of their series beside them. */
  readonly exemplars: number
}

/**
 * Makes frames out of records of the log, a step of some thousand samples at a time: the samples of a layout stand together in the order of the
 * log. Series records go to the catalog, metadata to the families.
 */
export class StepBuilder {
  readonly #catalog: SeriesCatalog
  readonly #families: SeriesFamilies
  readonly #entries = new RecordEntries()
  // The samples of the step in the log's order.
  #slots = new Int32Array(4096)
  #times = new Float64Array(4096)
  #startTimes = new Float64Array(4096)
  #words = new Uint32Array(8192)
  #count = 0
  #hasStartTimes = false
  /** Ascending samples that are histograms: message i is [ends[i - 1], ends[i]) of the bytes. */
  #histogramAt: number[] = []
  #histogramEnds: number[] = []
  readonly #histogramBytes = new ByteWriter(1024)
  #exemplars: LoggedExemplar[] = []
  readonly #exemplarBytes = new ByteWriter(1024)
  #unknown = createCounts()
  #damaged = createCounts()
  #exemplarsLost = 0
  /** Of all steps: what came in, and the latest time of it. */
  readonly taken = createCounts()
  maxTimeMs = -Infinity

  constructor(catalog: SeriesCatalog, families: SeriesFamilies) {
    this.#catalog = catalog
    this.#families = families
  }

  /** Samples and histograms of the step so far. */
  get count(): number {
    return this.#count
  }

  /** Takes one record of a segment. Throws `CorruptionError` for one that its checksum did not save. */
  take(record: Uint8Array, segment: number): void {
    const entries = this.#entries
    const type = readRecord(record, entries)
    if (isSamples(type)) this.#takeSamples(entries)
    else if (type === seriesRecord) {
      const { refs, starts, ends, length } = entries
      for (let i = 0; i < length; i++) this.#catalog.add(refs[i]!, segment, record, starts[i]!, ends[i]!)
    } else if (isHistograms(type)) this.#takeHistograms(type, record, entries)
    else if (type === exemplarsRecord) this.#takeExemplars(record, entries)
    else if (type === metadataRecord) this.#takeMetadata(record, entries)
  }

  /** Forgets the samples of the step; gives how many there were. */
  drop(): ItemCounts {
    const dropped = {
      samples: this.#count - this.#histogramAt.length + this.#unknown.samples,
      histograms: this.#histogramAt.length + this.#unknown.histograms + this.#damaged.histograms,
      exemplars: this.#exemplars.length + this.#unknown.exemplars + this.#exemplarsLost,
    }
    this.#clear()
    return dropped
  }

  /** The frames of the step, numbered from `sequence`; the next step begins. */
  finish(sequence: number, run: number): { frames: FrameRef[]; loss: StepLoss } {
    const frames = this.#count === 0 ? [] : this.#makeFrames(sequence, run)
    if (this.#count === 0) this.#exemplarsLost += this.#exemplars.length
    const loss = { unknown: this.#unknown, damaged: this.#damaged, exemplars: this.#exemplarsLost }
    this.#clear()
    return { frames, loss }
  }

  #clear(): void {
    this.#count = 0
    this.#hasStartTimes = false
    this.#histogramAt = []
    this.#histogramEnds = []
    this.#histogramBytes.reset()
    this.#exemplars = []
    this.#exemplarBytes.reset()
    this.#unknown = createCounts()
    this.#damaged = createCounts()
    this.#exemplarsLost = 0
  }

  #takeSamples({ refs, times, secondTimes, words, length }: RecordEntries): void {
    this.#reserve(length)
    const catalog = this.#catalog
    const slots = this.#slots
    const stepTimes = this.#times
    const stepWords = this.#words
    let at = this.#count
    let { maxTimeMs } = this
    for (let i = 0; i < length; i++) {
      const slot = catalog.slotOf(refs[i]!)
      if (slot < 0) {
        this.#unknown.samples++
        continue
      }
      const timeMs = times[i]!
      if (timeMs > maxTimeMs) maxTimeMs = timeMs
      slots[at] = slot
      stepTimes[at] = timeMs
      stepWords[2 * at] = words[2 * i]!
      stepWords[2 * at + 1] = words[2 * i + 1]!
      const startMs = secondTimes[i]!
      this.#startTimes[at] = startMs
      if (startMs !== 0) this.#hasStartTimes = true
      at++
    }
    this.#count = at
    this.maxTimeMs = maxTimeMs
    this.taken.samples += length
  }

  #takeHistograms(type: number, record: Uint8Array, entries: RecordEntries): void {
    const { refs, times, secondTimes, starts, ends, length } = entries
    this.#reserve(length)
    this.taken.histograms += length
    for (let i = 0; i < length; i++) {
      const slot = this.#catalog.slotOf(refs[i]!)
      if (slot < 0) {
        this.#unknown.histograms++
        continue
      }
      if (!putLoggedHistogram(this.#histogramBytes, record, starts[i]!, ends[i]!, hasFloatHistograms(type))) {
        this.#damaged.histograms++
        continue
      }
      const at = this.#count++
      this.#slots[at] = slot
      this.#times[at] = times[i]!
      this.#startTimes[at] = secondTimes[i]!
      if (secondTimes[i]! !== 0) this.#hasStartTimes = true
      this.#words.fill(0, 2 * at, 2 * at + 2)
      this.#histogramAt.push(at)
      this.#histogramEnds.push(this.#histogramBytes.length)
      if (times[i]! > this.maxTimeMs) this.maxTimeMs = times[i]!
    }
  }

  #takeExemplars(record: Uint8Array, { refs, times, words, starts, ends, length }: RecordEntries): void {
    this.taken.exemplars += length
    for (let i = 0; i < length; i++) {
      const slot = this.#catalog.slotOf(refs[i]!)
      if (slot < 0) this.#unknown.exemplars++
      else if (this.#exemplars.length >= exemplarsMax) this.#exemplarsLost++
      else {
        // A frame's labels have no count before them.
        let labels = starts[i]!
        while (record[labels++]! >= 0x80);
        const start = this.#exemplarBytes.length
        this.#exemplarBytes.raw(record, labels, ends[i]!)
        this.#exemplars.push({
          slot,
          timeMs: times[i]!,
          low: words[2 * i]!,
          high: words[2 * i + 1]!,
          start,
          end: this.#exemplarBytes.length,
        })
      }
    }
  }

  #takeMetadata(record: Uint8Array, { refs, starts, ends, length }: RecordEntries): void {
    for (let i = 0; i < length; i++) {
      const name = this.#catalog.nameOf(refs[i]!)
      if (name === undefined) continue
      const { type, help, unit } = readMetadata(record, starts[i]!, ends[i]!)
      this.#families.setOfSeries(name, type, help, unit)
    }
  }

  #reserve(count: number): void {
    const needed = this.#count + count
    if (needed <= this.#slots.length) return
    const room = Math.max(needed, this.#slots.length * 2)
    const grown = { slots: new Int32Array(room), times: new Float64Array(room), starts: new Float64Array(room) }
    grown.slots.set(this.#slots)
    grown.times.set(this.#times)
    grown.starts.set(this.#startTimes)
    const words = new Uint32Array(2 * room)
    words.set(this.#words)
    this.#slots = grown.slots
    this.#times = grown.times
    this.#startTimes = grown.starts
    this.#words = words
  }

  /** Sorts the samples by layout, each layout's in the order of the log, and cuts frames out of the sorted columns. */
  #makeFrames(sequence: number, run: number): FrameRef[] {
    const count = this.#count
    const { layouts, keys, places } = this.#sortByLayout()
    const indexes = new Uint32Array(count)
    const times = new Float64Array(count)
    const words = new Uint32Array(2 * count)
    const startTimes = this.#hasStartTimes ? new Float64Array(count) : undefined
    for (let i = 0; i < count; i++) {
      const place = places[i]!
      indexes[place] = SeriesCatalog.indexOf(this.#slots[i]!) - layouts[keys[i]!]!.first
      times[place] = this.#times[i]!
      words[2 * place] = this.#words[2 * i]!
      words[2 * place + 1] = this.#words[2 * i + 1]!
      if (startTimes !== undefined) startTimes[place] = this.#startTimes[i]!
    }
    const histograms = this.#histogramAt.map((at, i) => ({ place: places[at]!, i })).sort((a, b) => a.place - b.place)
    const exemplars = this.#placeExemplars(places)
    const histogramBytes = this.#histogramBytes.length === 0 ? noBytes : this.#histogramBytes.view().slice()
    const exemplarBytes = this.#exemplarBytes.length === 0 ? noBytes : this.#exemplarBytes.view().slice()
    const frames: FrameRef[] = []
    for (const { layout, from, to } of layouts) {
      if (from === to) continue
      const own = indexes.subarray(from, to)
      const range = rangeOf(times, from, to)
      const ownHistograms = histograms.filter(({ place }) => place >= from && place < to)
      const ownExemplars = exemplars.filter(({ place }) => place >= from && place < to)
      frames.push({
        sequence: sequence + frames.length,
        layout,
        run,
        count: to - from,
        columns: 0,
        minTimeMs: range.min,
        maxTimeMs: range.max,
        bytes: noBytes,
        start: 0,
        end: 0,
        batch: {
          layout,
          indexes: isWhole(own, layout) ? undefined : own,
          times: range.min === range.max ? range.min : times.subarray(from, to),
          words: words.subarray(2 * from, 2 * to),
          count: to - from,
          ...(startTimes === undefined ? {} : { startTimes: startTimes.subarray(from, to) }),
          ...(ownHistograms.length === 0 ? {} : { histograms: this.#histogramColumn(ownHistograms, from, histogramBytes) }),
          ...(ownExemplars.length === 0 ? {} : { exemplars: exemplarColumn(ownExemplars, from, exemplarBytes) }),
        },
      })
    }
    return frames
  }

  /** Where each sample goes, and the layouts that the sorted samples [from, to) are of. */
  #sortByLayout(): { layouts: LayoutRun[]; keys: Int32Array; places: Int32Array } {
    const count = this.#count
    const layouts: LayoutRun[] = []
    const firstKeys = new Map<number, number>()
    const keys = new Int32Array(count)
    let block = -1
    let firstKey = 0
    let lastKey = 0
    for (let i = 0; i < count; i++) {
      const slot = this.#slots[i]!
      if (SeriesCatalog.blockOf(slot) !== block) {
        block = SeriesCatalog.blockOf(slot)
        const parts = this.#catalog.partsOf(block)
        const known = firstKeys.get(block)
        firstKey = known ?? layouts.length
        lastKey = firstKey + parts.length - 1
        if (known === undefined) {
          firstKeys.set(block, firstKey)
          for (const { first, layout } of parts) layouts.push({ first, layout, from: 0, to: 0 })
        }
      }
      let key = lastKey
      while (key > firstKey && layouts[key]!.first > SeriesCatalog.indexOf(slot)) key--
      keys[i] = key
      layouts[key]!.to++
    }
    let at = 0
    for (const run of layouts) {
      const length = run.to
      run.from = run.to = at
      at += length
    }
    const places = new Int32Array(count)
    for (let i = 0; i < count; i++) places[i] = layouts[keys[i]!]!.to++
    return { layouts, keys, places }
  }

  /** An exemplar goes with the last sample of its series in the step. */
  #placeExemplars(places: Int32Array): PlacedExemplar[] {
    if (this.#exemplars.length === 0) return []
    const lastPlace = new Map<number, number>()
    for (let i = 0; i < this.#count; i++) lastPlace.set(this.#slots[i]!, places[i]!)
    const placed: PlacedExemplar[] = []
    for (const exemplar of this.#exemplars) {
      const place = lastPlace.get(exemplar.slot)
      if (place === undefined) this.#exemplarsLost++
      else placed.push({ ...exemplar, place })
    }
    return placed.sort((a, b) => a.place - b.place)
  }

  #histogramColumn(own: readonly { place: number; i: number }[], from: number, bytes: Uint8Array): HistogramColumn {
    // A column's messages follow each other: they are copied in the order of their samples.
    const out = new ByteWriter(256)
    const offsets = new Uint32Array(own.length + 1)
    own.forEach(({ i }, at) => {
      out.raw(bytes, i === 0 ? 0 : this.#histogramEnds[i - 1]!, this.#histogramEnds[i]!)
      offsets[at + 1] = out.length
    })
    return { count: own.length, positions: Uint32Array.from(own, ({ place }) => place - from), offsets, bytes: out.view() }
  }
}

/** A layout, the block's series that it begins with, and its samples [from, to) of the sorted ones. */
interface LayoutRun {
  readonly first: number
  readonly layout: SeriesLayout
  from: number
  to: number
}

interface PlacedExemplar extends LoggedExemplar {
  readonly place: number
}

function exemplarColumn(own: readonly PlacedExemplar[], from: number, bytes: Uint8Array): ExemplarColumn {
  const out = new ByteWriter(256)
  const offsets = new Uint32Array(own.length + 1)
  own.forEach(({ start, end }, at) => {
    out.raw(bytes, start, end)
    offsets[at + 1] = out.length
  })
  return {
    count: own.length,
    positions: Uint32Array.from(own, ({ place }) => place - from),
    words: Uint32Array.from(own.flatMap(({ low, high }) => [low, high])),
    times: Float64Array.from(own, ({ timeMs }) => timeMs),
    offsets,
    bytes: out.view(),
  }
}

function rangeOf(times: Float64Array, from: number, to: number): { min: number; max: number } {
  let min = times[from]!
  let max = min
  for (let i = from + 1; i < to; i++) {
    const time = times[i]!
    if (time < min) min = time
    else if (time > max) max = time
  }
  return { min, max }
}

/** Whether every series of the layout has just one sample, in the layout's order. */
function isWhole(indexes: Uint32Array, layout: SeriesLayout): boolean {
  if (indexes.length !== layout.seriesCount) return false
  for (let i = 0; i < indexes.length; i++) if (indexes[i] !== i) return false
  return true
}
