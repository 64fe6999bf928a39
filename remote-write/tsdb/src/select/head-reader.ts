import { sortBytewise } from '@narthex/model/compare'
import type { Matcher } from '@narthex/model/matcher'
import { isAllDeleted } from '../block/tombstones.ts'
import { deletedIntervalsOf } from '../head/deleted-intervals.ts'
import type { DeletedIntervals } from '../head/deleted-intervals.ts'
import { chunkCountAt, HeadMemory, liveSeriesAt, pairCountAt, symbolCountAt } from '../head/head-memory.ts'
import type { HeadDescriptor } from '../head/head-memory.ts'
import { LabelPairs } from '../head/label-pairs.ts'
import * as record from '../head/series-record.ts'
import { Symbols } from '../head/symbols.ts'
import { HeadSeriesSet, PinnedChunks } from './head-series-set.ts'
import { measureHead } from './head-status.ts'
import type { HeadStatus } from './head-status.ts'
import { orderByLabels } from './label-order.ts'
import { findLateRecord, listLateGenerations } from '../head/late-layout.ts'
import { LateReader } from './late-reader.ts'
import { LabelReader } from './label-reader.ts'
import type { LabelValues } from './label-values.ts'
import { MarkedSeries } from './marked-series.ts'
import { movePin, Pinner } from './pins.ts'
import type { Pins } from './pins.ts'
import { PostingsReader, type RoughSelection, type Selection } from './postings.ts'
import { ProjectedLabels } from './projected-labels.ts'
import type { Queryable, SelectHints, SeriesSet } from './queryable.ts'

const seriesPerCheck = 4096
const postingsPerCheck = 262_144
// Which names or values some series have is found by walking over their labels, or over the series of each value until one of them is met. The
// second way reads few where they are many; where they are few, it may read those of all. Measured with 10 labels a series.
const seriesPerSelectedOfName = 16
const seriesPerSelectedOfValue = 128
// So many values that are known in order are looked through in the time that it takes to sort one.
const valuesPerSorted = 8

/**
 * Reads the head from any thread. Nothing it does holds up the writer.
 *
 * What is selected stays readable until `release`, which has to be called when a query is done: until then no memory that the
 * retention dropped is used again. A reader whose thread dies is released by `Head.releaseReader`.
 */
export class HeadReader implements Queryable {
  /** Called every few milliseconds of a selection; may throw to end it. */
  onProgress: () => void = () => {}
  /** What `select` leaves out from now on. */
  deletions: DeletedIntervals | undefined
  readonly #memory: HeadMemory
  readonly #symbols: Symbols
  readonly #pairs: LabelPairs
  readonly #postings: PostingsReader
  readonly #labels: LabelReader
  readonly #values: LabelValues
  readonly #pinner: Pinner
  readonly #chunks: PinnedChunks
  readonly #late: LateReader
  readonly #check = (): void => this.onProgress()
  readonly #isUsed = (ref: number): boolean => this.#hasSamples(ref)

  constructor(descriptor: HeadDescriptor) {
    this.#memory = new HeadMemory(descriptor)
    this.#symbols = new Symbols(this.#memory)
    this.#pairs = new LabelPairs(this.#memory)
    this.#labels = new LabelReader(this.#memory, this.#symbols, this.#pairs)
    this.#postings = new PostingsReader(this.#symbols, this.#pairs, this.#labels, this.#check)
    this.#values = this.#postings.values
    this.#pinner = new Pinner(this.#memory, descriptor.readerSlot)
    this.#chunks = new PinnedChunks(this.#memory)
    this.#late = new LateReader(this.#memory)
  }

  /** All of the head as it is at one commit. */
  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number, { anyOrder = false, labels }: SelectHints = {}): SeriesSet {
    this.#hold()
    const pins = this.#pinner.pin(this.#postings.select(matchers, this.#pinner.seriesCount()))
    const count = this.#keepThoseWithSamples(pins, minTimeMs, maxTimeMs)
    const source = { labels: this.#labels, pairs: this.#pairs, symbols: this.#symbols, values: this.#values, check: this.#check }
    const order = anyOrder ? Uint32Array.from({ length: count }, (_, i) => i) : orderByLabels(pins.refs, count, source)
    const reader = labels === undefined ? this.#labels : this.#projectedLabels(labels)
    return new HeadSeriesSet(pins, order, reader, this.#chunks, minTimeMs, maxTimeMs, this.deletions, this.#late)
  }

  #projectedLabels(names: readonly string[]): ProjectedLabels {
    const inOrder = sortBytewise([...new Set(names)])
    return new ProjectedLabels(
      this.#labels,
      inOrder.map((name) => this.#postings.findSymbol(name)).filter((symbol) => symbol !== 0),
    )
  }

  /** References of what `select` selects, ascending, and for each a time that it has nothing after. */
  selectLastTimes(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): { refs: Uint32Array; lastTimesMs: Float64Array } {
    this.#hold()
    const pins = this.#pinner.pin(this.#postings.select(matchers, this.#pinner.seriesCount()))
    const count = this.#keepThoseWithSamples(pins, minTimeMs, maxTimeMs)
    const lastTimesMs = pins.lastTimesMs.slice(0, count)
    for (let i = 0; i < count; i++) lastTimesMs[i] = Math.max(lastTimesMs[i]!, this.#late.range(pins.late, i).lastMs)
    return { refs: pins.refs.slice(0, count), lastTimesMs }
  }

  /** Moves those that may have samples of the time to the front and gives their number. */
  #keepThoseWithSamples(pins: Pins, minTimeMs: number, maxTimeMs: number): number {
    let count = 0
    for (let i = 0; i < pins.refs.length; i++) {
      if (i % seriesPerCheck === 0) this.onProgress()
      if (!this.#overlapsInOrder(pins, i, minTimeMs, maxTimeMs) && !this.#late.overlaps(pins.late, i, minTimeMs, maxTimeMs)) continue
      if (this.deletions !== undefined && this.#isDeleted(this.deletions, pins, i)) continue
      movePin(pins, i, count)
      count++
    }
    return count
  }

  #overlapsInOrder({ chunks, totals, lastTimesMs }: Pins, i: number, minTimeMs: number, maxTimeMs: number): boolean {
    return totals[i] !== 0 && lastTimesMs[i]! >= minTimeMs && this.#chunks.overlaps(chunks[i]!, totals[i]!, minTimeMs, maxTimeMs)
  }

  /** Whether one interval has all that is pinned of the series. */
  #isDeleted(deletions: DeletedIntervals, { refs, chunks, totals, lastTimesMs, late }: Pins, i: number): boolean {
    const intervals = deletedIntervalsOf(deletions, refs[i]!)
    if (intervals === undefined) return false
    const count = totals[i] === 0 ? 0 : this.#chunks.find(chunks[i]!, totals[i]!, -Infinity, Infinity)
    const { firstMs, lastMs } = this.#late.range(late, i)
    if (count === 0) return isAllDeleted(intervals, firstMs, lastMs)
    return isAllDeleted(intervals, Math.min(firstMs, this.#chunks.foundStartMs(count - 1)), Math.max(lastMs, lastTimesMs[i]!))
  }

  labelNames(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    if (!this.overlaps(minTimeMs, maxTimeMs)) return []
    this.#hold()
    const seriesCount = this.#pinner.seriesCount()
    if (seriesCount === 0) return []
    const names: string[] = []
    if (matchers.length === 0) {
      for (let record = this.#pairs.firstName(); record !== 0; record = this.#pairs.next(record)) {
        if (this.#hasValue(record, seriesCount)) names.push(this.#symbols.text(this.#pairs.name(record)))
      }
    } else {
      const series = this.#postings.selectSeries(matchers, seriesCount)
      for (const record of this.#findNames(series, seriesCount)) names.push(this.#symbols.text(this.#pairs.name(record)))
    }
    return sortBytewise(names)
  }

  labelValues(name: string, matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    if (!this.overlaps(minTimeMs, maxTimeMs)) return []
    this.#hold()
    const seriesCount = this.#pinner.seriesCount()
    const record = this.#postings.findName(name)
    if (record === 0) return []
    if (matchers.length === 0) return this.#allValues(record, seriesCount)
    const selection = this.#postings.selectRoughly(matchers, seriesCount)
    return this.#mayBeFewer(record, selection.series.countMax, seriesCount)
      ? this.#valuesOfSeries(record, this.#postings.narrow(selection, seriesCount).refs)
      : this.#valuesWithSeries(record, selection, seriesCount)
  }

  /** Of the newest sample; -Infinity if there is none. */
  get maxTimeMs(): number {
    return Math.max(this.#memory.maxTime, this.#memory.lateMaxTime)
  }

  overlaps(minTimeMs: number, maxTimeMs: number): boolean {
    const { minTime, maxTime, lateMinTime, lateMaxTime } = this.#memory
    return (minTime <= maxTimeMs && maxTime >= minTimeMs) || (lateMinTime <= maxTimeMs && lateMaxTime >= minTimeMs)
  }

  /** What /api/v1/status/tsdb shows; `limit` entries in each list. */
  status(limit = 10): HeadStatus {
    this.#hold()
    const { control, minTime, maxTime } = this.#memory
    return {
      seriesCount: control[liveSeriesAt]!,
      labelPairCount: control[pairCountAt]!,
      symbolCount: control[symbolCountAt]!,
      chunkCount: control[chunkCountAt]!,
      minTimeMs: minTime,
      maxTimeMs: maxTime,
      ...measureHead(this.#symbols, this.#pairs, limit),
    }
  }

  /** Ends the query: what it selected may be used again. */
  release(): void {
    this.#pinner.release()
  }

  /** Gives back what the reader has open; nothing may be asked any more. */
  close(): void {
    this.#pinner.release()
    this.#chunks.close()
  }

  #hold(): void {
    if (this.#pinner.isHeld) return
    this.#pinner.hold()
    if (this.#labels.refresh()) this.#values.clear()
    this.#chunks.refresh()
  }

  /** Records of the names that the series have. */
  #findNames(series: Selection, seriesCount: number): number[] {
    const found: number[] = []
    if (series.countMax === 0) return found
    if (series.countMax < seriesCount / seriesPerSelectedOfName) {
      const names = new Set<number>()
      this.#forEachPair(series.refs, (pair) => names.add(this.#pairs.name(pair)))
      for (const name of names) found.push(this.#pairs.find(name, 0))
      return found
    }
    const marked = this.#mark({ series, left: [], looksMax: 0 }, seriesCount)
    for (let record = this.#pairs.firstName(); record !== 0; record = this.#pairs.next(record)) {
      let isFound = false
      this.#forEachMarked(record, marked, seriesCount, () => (isFound = true))
      if (isFound) found.push(record)
    }
    return found
  }

  /** Whether to walk over the labels of the series, instead of the series of each value. */
  #mayBeFewer(nameRecord: number, selected: number, seriesCount: number): boolean {
    return selected < Math.max(this.#pairs.count(nameRecord), seriesCount / seriesPerSelectedOfValue)
  }

  #allValues(nameRecord: number, seriesCount: number): string[] {
    const values: string[] = []
    const known = this.#values.ordered(nameRecord)
    if (known !== undefined) {
      const { pairs, texts } = known
      for (let i = 0; i < pairs.length; i++) if (this.#pairs.hasPostings(pairs[i]!, seriesCount)) values.push(texts[i]!)
      return values
    }
    for (let pair = this.#pairs.firstValue(nameRecord); pair !== 0; pair = this.#pairs.next(pair)) {
      if (this.#pairs.hasPostings(pair, seriesCount)) values.push(this.#symbols.text(this.#pairs.value(pair)))
    }
    return sortBytewise(values)
  }

  /** Values that the series have, from their labels. */
  #valuesOfSeries(nameRecord: number, refs: Uint32Array): string[] {
    const pairs = this.#pairs
    const name = pairs.name(nameRecord)
    const found = new Set<number>()
    this.#forEachPair(refs, (pair) => {
      if (pairs.name(pair) === name) found.add(pair)
    })
    const known = found.size * valuesPerSorted > pairs.count(nameRecord) ? this.#values.ordered(nameRecord) : undefined
    if (known === undefined) return sortBytewise(Array.from(found, (pair) => this.#symbols.text(pairs.value(pair))))
    const values: string[] = []
    for (let i = 0; i < known.pairs.length; i++) if (found.has(known.pairs[i]!)) values.push(known.texts[i]!)
    return values
  }

  /** The same from the series of each value. */
  #valuesWithSeries(nameRecord: number, selection: RoughSelection, seriesCount: number): string[] {
    const marked = this.#mark(selection, seriesCount)
    const values: string[] = []
    const known = this.#values.ordered(nameRecord)
    if (known === undefined) {
      this.#forEachMarked(nameRecord, marked, seriesCount, (pair) => {
        values.push(this.#symbols.text(this.#pairs.value(pair)))
        return false
      })
      return sortBytewise(values)
    }
    const { pairs, texts } = known
    let unchecked = 0
    for (let i = 0; i < pairs.length; i++) {
      unchecked += 1 + this.#pairs.count(pairs[i]!)
      if (unchecked >= postingsPerCheck) {
        this.onProgress()
        unchecked = 0
      }
      if (this.#pairs.hasMarked(pairs[i]!, seriesCount, marked)) values.push(texts[i]!)
    }
    return values
  }

  #mark(selection: RoughSelection, seriesCount: number): MarkedSeries {
    return new MarkedSeries(this.#postings, selection, seriesCount, this.#isUsed)
  }

  /** Calls with the pairs of a name that a marked series has, until `visit` says that it is enough. */
  #forEachMarked(nameRecord: number, marked: MarkedSeries, seriesCount: number, visit: (pair: number) => boolean): void {
    const pairs = this.#pairs
    let unchecked = 0
    for (let pair = pairs.firstValue(nameRecord); pair !== 0; pair = pairs.next(pair)) {
      unchecked += 1 + pairs.count(pair)
      if (unchecked >= postingsPerCheck) {
        this.onProgress()
        unchecked = 0
      }
      if (pairs.hasMarked(pair, seriesCount, marked) && visit(pair)) return
    }
  }

  #hasValue(nameRecord: number, seriesCount: number): boolean {
    for (let pair = this.#pairs.firstValue(nameRecord); pair !== 0; pair = this.#pairs.next(pair)) {
      if (this.#pairs.hasPostings(pair, seriesCount)) return true
    }
    return false
  }

  #hasSamples(ref: number): boolean {
    const words = this.#memory.series.window(ref >>> record.seriesPerWindowShift)
    if (words[((ref & record.seriesPerWindowMask) << record.recordShift) + record.totalField] !== 0) return true
    return listLateGenerations(this.#memory).some(({ directory }) => findLateRecord(this.#memory, directory, ref) !== 0)
  }

  #forEachPair(refs: Uint32Array, visit: (pair: number) => void): void {
    for (let i = 0; i < refs.length; i++) {
      if (i % seriesPerCheck === 0) this.onProgress()
      // Not of a place whose series was freed.
      if (this.#hasSamples(refs[i]!)) this.#labels.forEachPair(refs[i]!, visit)
    }
  }
}
