import { randomInt } from 'node:crypto'
import { Labels } from '@narthex/model/labels'
import type { MetricType } from '@narthex/model/metric-type'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { isStaleWords, STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import {
  accepted,
  duplicateSample,
  invalidHistogram,
  memoryCeiling,
  outOfBounds,
  outOfOrder,
  tooFarInFuture,
  unknownSeries,
} from './append-result.ts'
import type { AppendResult } from './append-result.ts'
import { unknownReset } from '@narthex/model/reset-hint'
import type { ResetHint } from '@narthex/model/reset-hint'
import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { filingMsOfTurn } from './chunk-filer.ts'
import type { ChunkFiles } from './chunk-filer.ts'
import type { ChunkLoan, ReturnedChunks } from './chunk-loan.ts'
import { defaultChunkRangeMs } from './chunk-time.ts'
import { HeadChunks } from './head-chunks.ts'
import { HeadCounters } from './head-counters.ts'
import { HeadDeletions } from './head-deletions.ts'
import {
  applyingAt,
  chunkCountAt,
  committedAt,
  HeadMemory,
  liveSeriesAt,
  pairCountAt,
  readerSlotsMax,
  seriesCountAt,
  slotsAt,
  storedDamageAt,
  symbolCountAt,
} from './head-memory.ts'
import type { HeadDescriptor } from './head-memory.ts'
import { acceptHistogram, emptyHistogram } from './histogram-check.ts'
import { histogramMark } from './histogram-mark.ts'
import { LabelPairs } from './label-pairs.ts'
import type { LateBatch } from './late-pending.ts'
import { LateWindow } from './late-window.ts'
import { MetricMetadata } from './metric-metadata.ts'
import { sumWordsOf } from './pending-histograms.ts'
import { PendingSamples } from './pending-samples.ts'
import * as pendingField from './pending-samples.ts'
import { ReferenceList } from './reference-list.ts'
import { RefusedSeries } from './refused-series.ts'
import type { SeriesRefusalKind } from './refused-series.ts'
import type { RestoredChunks } from './restored-chunks.ts'
import { SeriesCollector } from './series-collector.ts'
import { SeriesCreator } from './series-creator.ts'
import { SeriesLimits } from './series-limits.ts'
import type { SeriesLimitOptions } from './series-limits.ts'
import * as record from './series-record.ts'
import type { LoggedHistogram } from '../wal/histogram-payload.ts'
import { wordMask, wordShift } from './shared-arena.ts'
import { oldestPinnedEpoch } from './shared-table.ts'
import { symbolBytesMax, Symbols } from './symbols.ts'
import { UnusedSymbols } from './unused-symbols.ts'
import { WireAliases } from './wire-aliases.ts'

// Longer than other files: what checks a sample's order, its room and its series works on the same private words for each sample, and would pass
// them from object to object in the hottest loop there is. What has a state of its own stands beside: series-creator, head-chunks, late-window.

/** Where commits are made durable before they become visible. Throws if that failed; nothing of the commit may then be kept. */
export interface CommitLog {
  /** `newSeries` were made since the last commit that was written. */
  writeCommit(head: Head, pending: PendingSamples, newSeries: Uint32Array, late?: LateBatch): void
  /** A series is no longer in the head; its reference may mean another one from the next commit on. */
  forgetSeries(ref: number): void
}

export interface HeadOptions extends SeriesLimitOptions {
  /** Hard ceiling over the head's own bytes: above it samples are refused. New series are refused from four fifths of it on. */
  readonly memoryBytesMax: number
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  readonly log?: CommitLog
  readonly wireAliasesMax?: number
  /** Memory for writers of open histogram chunks; default 64 MiB. */
  readonly openHistogramBytesMax?: number
  /** Block range (`--storage.tsdb.min-block-duration`): no chunk passes its multiples, half of it is how old samples may be. */
  readonly chunkRangeMs?: number
}

export interface HeadStats {
  readonly series: number
  readonly chunks: number
  /** Chunks that went into files since the start. */
  readonly chunksFiled: number
  readonly symbols: number
  readonly labelPairs: number
  /** +Infinity and -Infinity if there is no sample. */
  readonly minTimeMs: number
  readonly maxTimeMs: number
  readonly usedBytes: number
  readonly usedBytesByFamily: Readonly<Record<string, number>>
}

/** Samples further ahead of the clock are refused, as Prometheus does. */
export const futureMsMax = 10 * 60 * 1000
// Times beyond are no dates, and their doubles would lose milliseconds on the way.
const timeMsMax = 2 ** 51
const seriesShareOfMemory = 0.8
const wireAliasesDefaultMax = 4_000_000
// Commit numbers are compared as signed words, so they start again from 2 long before 2^31.
const commitNumberMax = 0x7fff0000
// A histogram is counted as a piece of 64 bytes for each 32 bytes in the log.
const histogramBytesShift = 5
const seriesPerCheck = 64
/** Of chunks: a sample takes at most one. */
const pieceBytes = 64
/** With more of them waiting for their files, each commit takes so much time for it. */
const closedChunksMax = 2 ** 15
const filingMs = 2
const batchSamplesMax = 8 * 1024 * 1024

/**
 * The head: all series with their newest samples, in shared memory. This is the one writer, used from one thread; readers open
 * `descriptor()` with a `HeadReader` wherever they are. FORMAT.md, "The head in memory", describes the memory.
 *
 * Samples given to `append` are checked at once and kept aside; `commit` writes them to the log and then makes them visible
 * together; `rollback` forgets them. Series made in between stay.
 */
export class Head {
  readonly memory: HeadMemory
  readonly symbols: Symbols
  readonly pairs: LabelPairs
  readonly counters = new HeadCounters()
  readonly metadata = new MetricMetadata()
  /** What readers of the head have to leave out. */
  readonly deletions = new HeadDeletions()
  /** What came behind later samples of its series, and how late it may come. */
  readonly late: LateWindow
  /** New series that were refused, with examples. */
  readonly refused: RefusedSeries
  readonly limits: SeriesLimits
  /** Why no new series may be made for now, for a reason from outside: the memory of the whole process. */
  pressure: (() => string | undefined) | undefined
  /** Whether histograms with custom buckets are taken, which Prometheus before 3.0 cannot read. */
  takesCustomBuckets = false
  /** Called after each commit that has made samples visible. */
  onCommit: (() => void) | undefined
  /** Called for each series that is freed, before its reference may mean another one; its labels are still there. */
  onSeriesFreed: ((ref: number) => void) | undefined
  readonly #unusedSymbols: UnusedSymbols
  readonly #aliases: WireAliases
  readonly #creator: SeriesCreator
  readonly #chunks: HeadChunks
  readonly #pending = new PendingSamples()
  readonly #now: () => number
  readonly #memoryBytesMax: number
  readonly #chunkRangeMs: number
  readonly #collector: SeriesCollector
  #log: CommitLog | undefined
  /** Series that no commit has written to the log. */
  readonly #newSeries = new ReferenceList()
  #commit = 1
  readonly #slots = new Uint8Array(readerSlotsMax)
  #refusal = ''
  // Bounds of the running batch; `#pendingMax` is -1 between batches, so that the first append of a batch computes them.
  #pendingMax = -1
  #minValidMs = 0
  #maxValidMs = 0
  /** The head's newest time when the batch began. */
  #newestMs = -timeMsMax
  /** Older samples are in blocks. */
  #refusedBeforeMs = -timeMsMax
  #replaying = false
  /** While a log is read: so many series may still be made before the memory is looked at again. */
  #uncheckedSeries = 0
  /** Of floats of a log: places of those that need a closer look. */
  #others = new Uint32Array(1024)
  readonly #recordWords: Uint32Array[]
  readonly #recordDoubles: Float64Array[]
  #scratch = new Uint8Array(4096)

  constructor(options: HeadOptions) {
    this.memory = HeadMemory.create(options.memoryBytesMax, randomInt(0x7fffffff))
    this.symbols = new Symbols(this.memory)
    this.pairs = new LabelPairs(this.memory, this.symbols)
    this.late = new LateWindow(this.memory, this.counters, this.#pending)
    this.#creator = new SeriesCreator(this.memory, this.symbols, this.pairs)
    this.#aliases = new WireAliases(options.wireAliasesMax ?? wireAliasesDefaultMax)
    this.#collector = new SeriesCollector({
      memory: this.memory,
      pairs: this.pairs,
      creator: this.#creator,
      aliases: this.#aliases,
      onFreed: (ref) => {
        this.#log?.forgetSeries(ref)
        this.onSeriesFreed?.(ref)
      },
      keeps: (ref) => this.late.samples.has(ref),
    })
    this.#now = options.now ?? Date.now
    this.refused = new RefusedSeries(this.#now)
    this.limits = new SeriesLimits(this.symbols, this.pairs, options)
    this.#unusedSymbols = new UnusedSymbols(this.symbols, this.memory.control)
    this.#memoryBytesMax = options.memoryBytesMax
    this.#chunkRangeMs = options.chunkRangeMs ?? defaultChunkRangeMs
    this.#chunks = new HeadChunks(this.memory, this.#chunkRangeMs, this.counters, options.openHistogramBytesMax)
    this.#log = options.log
    this.#recordWords = this.memory.series.words
    this.#recordDoubles = this.memory.series.doubles
    this.memory.control[committedAt] = this.#commit
    this.memory.control[applyingAt] = this.#commit
  }

  /** From now on commits go to `log`, which knows the series that are there. */
  startLogging(log: CommitLog): void {
    this.#creator.flushPostings()
    this.#log = log
    this.#newSeries.clear()
    this.#replaying = false
  }

  /** While old logs are read, samples are only checked for their order within the series. */
  startReplay(): void {
    this.#replaying = true
  }

  /** From now on closed chunks go into files; `referenceOf` gives the log's reference of a series. `isHeld`: not before `releaseFiling`. */
  startFiling(files: ChunkFiles, referenceOf: (ref: number) => number, isHeld = false): void {
    this.#chunks.startFiling(files, referenceOf, isHeld)
  }

  /** If closed chunks are held in memory and `mayFile` says so, they go into files from now on. */
  releaseFiling(mayFile: () => boolean): void {
    if (this.#chunks.isHeld && mayFile()) this.#chunks.releaseFiling()
  }

  /** For the chunks that such files have, before the log is read. */
  restoreChunks(): RestoredChunks {
    return this.#chunks.restore()
  }

  /** While a log is read: until when a series has its samples in files, if it has no later ones yet. Else -Infinity. */
  storedUntil(ref: number): number {
    return this.#chunks.storedUntil(ref)
  }

  /** Closed chunks go into files, all of them now or, with `ms`, for about so many milliseconds; whether some are left. Between commits. */
  fileChunks(ms = Infinity): boolean {
    if (ms < Infinity) this.#chunks.file(ms)
    else {
      this.#chunks.flush()
      this.#chunks.reclaim()
    }
    return this.closedChunks > 0
  }

  /** As `fileChunks`, for as long as a turn of the event loop may take for it. */
  fileChunksOfTurn(): boolean {
    return this.fileChunks(filingMsOfTurn(this.closedChunks))
  }

  /** Chunks that were closed and wait for `fileChunks`. */
  get closedChunks(): number {
    return this.#chunks.closed
  }

  /** After all samples before this time were dropped: the files that have only such are deleted as soon as no reader can ask for them. */
  dropFilesBefore(timeMs: number): void {
    this.#chunks.dropFilesBefore(timeMs)
  }

  /** From now on samples before this time are out of bounds, those of an old log too: they are in blocks. */
  refuseBefore(timeMs: number): void {
    this.#refusedBeforeMs = Math.max(this.#refusedBeforeMs, timeMs)
    if (this.#pending.length === 0) this.#pendingMax = -1
  }

  /** Series that are not freed. */
  get seriesCount(): number {
    return this.#creator.count
  }

  /** References are 1…`places`; those of freed series are used again. */
  get places(): number {
    return this.#creator.places
  }

  /**
   * Goes up when series are freed, which is between two commits: whoever keeps references for longer asks for them again when it has, as an old
   * one may mean another series.
   */
  get referenceVersion(): number {
    return this.#collector.version
  }

  get usedBytes(): number {
    return this.memory.usedBytes + this.#aliases.usedBytes + this.#creator.usedBytes + this.#chunks.usedBytes
  }

  /** The series that these raw remote-write 1.0 label bytes meant before; 0 if they are not known. */
  refByWire(bytes: Uint8Array, start: number, end: number): number {
    const ref = this.#aliases.find(bytes, start, end)
    return ref !== 0 && this.#collector.isRunning && this.#isFreed(ref) ? 0 : ref
  }

  rememberWire(bytes: Uint8Array, start: number, end: number, ref: number): void {
    if (ref > 0) this.#aliases.remember(bytes, start, end, ref)
  }

  /** The symbol of these bytes, made if need be; 0 = refused: longer than `symbolBytesMax`, or the ceiling is reached. */
  internSymbol(bytes: Uint8Array, start: number, end: number): number {
    const known = this.symbols.find(bytes, start, end)
    if (known !== 0) return known
    if (end - start > symbolBytesMax) {
      this.#refusal = `label name or value too long: want at most ${symbolBytesMax} bytes, got ${end - start}`
      return 0
    }
    const added = this.#mayAddSeries() ? this.symbols.intern(bytes, start, end) : 0
    if (added === 0) this.#refusal = this.#ceilingText()
    return added
  }

  /**
   * The series with these labels: `pairCount` pairs of name and value symbols in any order, empty values count as absent.
   * Makes it if need be. Below 0 = refused, `refusal()` says why.
   */
  refBySymbols(symbols: Uint32Array, pairCount: number): number {
    const known = this.#creator.find(symbols, pairCount)
    if (known > 0) return known
    // A symbol was refused before: that reason stands.
    if (known < 0) {
      if (!this.#mayAddSeries()) this.#noteRefused('memory', this.#refusal, symbols, pairCount)
      return this.#refuseSeries(this.#refusal)
    }
    // What was acknowledged before a restart is read again, limit or not.
    if (this.limits.countsMetrics) this.flushPostings()
    const limit = this.#replaying ? undefined : this.limits.find(symbols, pairCount, this.#creator.count)
    if (limit !== undefined) return this.#refuseNoted(limit.kind, limit.reason, symbols, pairCount)
    if (!this.#mayAddSeries()) return this.#refuseNoted('memory', this.#ceilingText(), symbols, pairCount)
    return this.#keepCreated(this.#creator.create(symbols, pairCount))
  }

  #keepCreated(ref: number): number {
    if (ref < 0) return this.#refuseSeries(this.#creator.refusal)
    this.counters.seriesCreated++
    this.#newSeries.add(ref)
    return ref
  }

  /** The pair of a label's name and value symbols, made if need be; 0 = refused, `refusal()` says why. */
  internPair(name: number, value: number): number {
    const known = this.pairs.find(name, value)
    if (known !== 0) return known
    const added = this.#mayAddSeries() ? this.pairs.intern(name, value) : 0
    if (added === 0) this.#refusal = this.#ceilingText()
    return added
  }

  /** Before `refByPairs` of `count` series: reads the memory that it will need. The pairs of series k are `starts[k]`…`starts[k + 1] - 1`. */
  touchSeries(pairs: Uint32Array, starts: Uint32Array, count: number): void {
    this.#creator.touch(pairs, starts, count)
  }

  /** As `refBySymbols`, for `count` pairs from `from` on that are interned, none of an empty value. */
  refByPairs(pairs: Uint32Array, from: number, count: number): number {
    const known = this.#creator.findByPairs(pairs, from, count)
    if (known > 0) return known
    if (this.#uncheckedSeries === 0) {
      if (!this.#mayAddSeries()) return this.#refuseSeries(this.#ceilingText())
      this.#uncheckedSeries = seriesPerCheck
    }
    this.#uncheckedSeries--
    return this.#keepCreated(this.#creator.createByPairs(count))
  }

  /** As `refBySymbols`, for label sets that come as texts. */
  refByLabels(labels: Labels): number {
    const { pairs } = labels
    const ids = new Uint32Array(pairs.length)
    for (let i = 0; i < pairs.length; i++) {
      const text = pairs[i]!
      if (text.length * 3 > this.#scratch.length) this.#scratch = new Uint8Array(text.length * 3)
      ids[i] = this.internSymbol(this.#scratch, 0, encoder.encodeInto(text, this.#scratch).written)
    }
    return this.refBySymbols(ids, pairs.length / 2)
  }

  /** The series with these labels, 0 if there is none: nothing is made. */
  findByLabels(labels: Labels): number {
    const { pairs } = labels
    const ids = new Uint32Array(pairs.length)
    for (let i = 0; i < pairs.length; i++) {
      const bytes = encoder.encode(pairs[i])
      ids[i] = this.symbols.find(bytes, 0, bytes.length)
      if (ids[i] === 0) return 0
    }
    return Math.max(0, this.#creator.find(ids, pairs.length / 2))
  }

  /** Before the writer looks for series in the lists of pairs in the middle of a batch: those made in it are there then. */
  flushPostings(): void {
    this.#creator.flushPostings()
  }

  /** Why the last series, symbol or histogram was refused. */
  refusal(): string {
    return this.#refusal
  }

  /**
   * Takes a sample for the next commit; 0 = accepted (a repeated newest sample of equal bits is accepted and not kept twice).
   * The value comes as two words so that stale markers keep their bits.
   */
  append(ref: number, timeMs: number, lowWord: number, highWord: number): AppendResult {
    const pending = this.#pending
    if (pending.length >= this.#pendingMax && !this.#makeRoom()) {
      this.counters.ceilingRefused++
      return memoryCeiling
    }
    if (!(ref >= 1 && ref <= this.#creator.places)) return unknownSeries
    const index = ref >>> record.seriesPerWindowShift
    const at = (ref & record.seriesPerWindowMask) << record.recordShift
    const words = this.#recordWords[index]!
    const doubles = this.#recordDoubles[index]!
    const lastTimeMs = doubles[at >>> 1]!
    if (!(timeMs > lastTimeMs && timeMs >= this.#minValidMs && timeMs <= this.#maxValidMs)) {
      return this.#takeOther(ref, timeMs, lowWord, highWord, lastTimeMs)
    }
    const to = pending.length * pendingField.pendingWords
    const out = pending.words
    const outDoubles = pending.doubles
    outDoubles[to >>> 1] = timeMs
    outDoubles[(to >>> 1) + 1] = lastTimeMs
    out[to + 4] = lowWord
    out[to + 5] = highWord
    out[to + 6] = words[at + 2]!
    out[to + 7] = words[at + 3]!
    out[to + 8] = ref
    pending.length++
    doubles[at >>> 1] = timeMs
    words[at + 2] = lowWord
    words[at + 3] = highWord
    return accepted
  }

  /**
   * While old logs are read: takes floats `from`…`end - 1` of columns, that are of the series `refs[0]`…, and lets them be seen at once. Gives how many
   * were taken, those that were there before included; `onOther` hears of the others.
   */
  appendLogged(
    refs: Uint32Array,
    times: Float64Array,
    values: Uint32Array,
    from: number,
    end: number,
    onOther: (result: AppendResult) => void,
  ): number {
    if (this.#hasPending) this.commit()
    this.#makeRoom()
    const count = end - from
    const isRoomy = count <= this.#countFreeSamples() && this.#chunks.ensure(count)
    if (count > this.#others.length) this.#others = new Uint32Array(2 * count)
    const others = this.#others
    let otherCount = count
    if (isRoomy) {
      this.#beginApply()
      otherCount = this.#chunks.addLogged(refs, times, values, from, end, this.#commit, this.#minValidMs, this.#maxValidMs, others)
      this.counters.samplesAppended += count - otherCount
      this.#publish()
      this.#chunks.file(Infinity)
    } else for (let i = 0; i < count; i++) others[i] = from + i
    this.#pendingMax = -1
    let taken = count - otherCount
    for (let k = 0; k < otherCount; k++) {
      const i = others[k]!
      const result = this.append(refs[i - from]!, times[i]!, values[2 * i]!, values[2 * i + 1]!)
      if (result === accepted) taken++
      else onOther(result)
    }
    return taken
  }

  /**
   * While old logs are read: another thread appends floats from now on. Series may be found and made meanwhile, and given what is restored of them
   * as long as they are new; all else waits for `takeBackChunks`.
   */
  lendChunks(): ChunkLoan {
    this.commit()
    this.#makeRoom()
    return {
      memory: this.memory.describeFor(HeadMemory.createControl()),
      ...this.#chunks.lend(),
      rangeMs: this.#chunkRangeMs,
      commit: this.#commit,
      minValidMs: this.#minValidMs,
      maxValidMs: this.#maxValidMs,
    }
  }

  takeBackChunks(returned: ReturnedChunks): void {
    this.#chunks.takeBack(returned)
    this.memory.minTime = Math.min(this.memory.minTime, returned.minTimeMs)
    this.memory.maxTime = Math.max(this.memory.maxTime, returned.maxTimeMs)
    this.counters.samplesAppended += returned.appended
    this.counters.outOfOrder += returned.outOfOrder
    this.#pendingMax = -1
  }

  /** Whether there is memory for so many samples, and for series after them, if chunks take `chunkBytes` already. */
  hasRoomFor(samples: number, chunkBytes: number): boolean {
    const usedBytes = this.usedBytes - this.memory.chunks.usedBytes + chunkBytes
    return usedBytes + samples * pieceBytes < this.#memoryBytesMax * seriesShareOfMemory
  }

  /**
   * As `append`, for a native histogram, which is checked as Prometheus does it; of a schema above 8 it is kept at 8. `resetHint`: what its source
   * knows of its counters. A series may have histograms and floats.
   */
  appendHistogram(ref: number, timeMs: number, histogram: NativeHistogram, resetHint: ResetHint = unknownReset): AppendResult {
    const taken = acceptHistogram(histogram, this.takesCustomBuckets, this.#replaying)
    if (typeof taken === 'string') {
      this.#refusal = taken
      return invalidHistogram
    }
    const sumWords = sumWordsOf(taken.sum)
    return this.#takeHistogram(ref, timeMs, taken, resetHint, sumWords[0]!, sumWords[1]!, histogramMark(taken.isFloat, taken.schema))
  }

  /** As `appendHistogram`, with the marker that a series of histograms ended. */
  appendStaleHistogram(ref: number, timeMs: number, isFloat: boolean): AppendResult {
    const mark = histogramMark(isFloat, undefined)
    return this.#takeHistogram(ref, timeMs, emptyHistogram(isFloat), unknownReset, STALE_LOW, STALE_HIGH, mark)
  }

  #takeHistogram(
    ref: number,
    timeMs: number,
    histogram: NativeHistogram,
    resetHint: ResetHint,
    sumLow: number,
    sumHigh: number,
    mark: number,
  ): AppendResult {
    const pending = this.#pending
    const { histograms } = pending
    if (pending.length >= this.#pendingMax && !this.#makeRoom()) {
      this.counters.ceilingRefused++
      return memoryCeiling
    }
    if (!(ref >= 1 && ref <= this.#creator.places)) return unknownSeries
    const at = (ref & record.seriesPerWindowMask) << record.recordShift
    const words = this.#recordWords[ref >>> record.seriesPerWindowShift]!
    const doubles = this.#recordDoubles[ref >>> record.seriesPerWindowShift]!
    const lastTimeMs = doubles[at >>> 1]!
    if (lastTimeMs === Infinity) return unknownSeries
    const hash = histograms.put(histogram, resetHint, sumLow, sumHigh)
    if (!(timeMs > lastTimeMs && timeMs >= this.#minValidMs && timeMs <= this.#maxValidMs)) {
      if (this.#replaying && timeMs === this.#chunks.storedUntil(ref)) {
        words[at + 2] = hash
        words[at + 3] = mark
        return accepted
      }
      if (this.#isForWindow(timeMs, lastTimeMs)) {
        this.late.noteDelta(timeMs, this.#newestMs)
        const late = histograms.lastPut(hash, mark)
        return this.late.takeHistogram(ref, timeMs, late, this.#newestMs, this.#memoryBytesMax - this.usedBytes)
      }
      const result = this.#judge(timeMs, lastTimeMs, words[at + 2] === hash && words[at + 3] === mark)
      if (result === outOfOrder) this.counters.histogramsOutOfOrder++
      if (result === outOfBounds || result === tooFarInFuture) this.counters.histogramsOutOfBounds++
      return result
    }
    histograms.keep(timeMs, histogram, resetHint, sumLow, sumHigh, pending.length)
    pending.push(ref, timeMs, hash, mark, lastTimeMs, words[at + 2]!, words[at + 3]!)
    doubles[at >>> 1] = timeMs
    words[at + 2] = hash
    words[at + 3] = mark
    // It takes more than the one piece of a float.
    this.#pendingMax = Math.max(pending.length, this.#pendingMax - (histograms.lastBytes >>> histogramBytesShift))
    return accepted
  }

  /** The samples until the next commit or rollback are of the server's own scrapes and rules: `late.windows` tells how late they may be. */
  beginOwn(): void {
    this.late.isOwn = true
  }

  /** Type, help and unit of a metric, for /api/v1/metadata; not logged. */
  appendMetadata(family: string, type: MetricType, help: string, unit: string): void {
    this.metadata.set(family, type, help, unit)
  }

  /**
   * Writes the pending samples and new series to the log, then makes them visible to readers. Throws if the log could not be
   * written: then nothing of the batch is kept and it may be sent again.
   */
  commit(): void {
    const pending = this.#pending
    this.#endRequest()
    this.#creator.flushPostings()
    const late = this.late.samples
    if (pending.length === 0 && this.#newSeries.length === 0 && late.pendingCount === 0) return
    try {
      if (!this.#chunks.ensure(pending.length)) throw new Error('cannot commit samples: no shared memory left for chunks')
      this.#log?.writeCommit(this, pending, this.#newSeries.view(), late.pending)
      this.#newSeries.clear()
    } catch (cause) {
      this.rollback()
      throw cause
    }
    this.#beginApply()
    const dropped = this.#chunks.add(pending, this.#commit)
    this.counters.addLate(late.pending)
    late.publish(this.#commit)
    this.#publish()
    this.counters.samplesAppended += pending.length - dropped
    this.counters.histogramsAppended += pending.histograms.count - dropped
    this.counters.histogramsDropped += dropped
    // While a log is read nobody calls `fileChunks`, and a writer that never rests has no time for it.
    if (this.#replaying) this.#chunks.file(Infinity)
    else if (this.#chunks.closed > closedChunksMax) this.#chunks.file(filingMs)
    this.#chunks.reclaimReplaced()
    pending.clear()
    this.#pendingMax = -1
    this.onCommit?.()
  }

  /** Forgets the samples since the last commit. */
  rollback(): void {
    const { words: from, doubles: fromDoubles, length } = this.#pending
    for (let i = length - 1; i >= 0; i--) {
      const at = i * pendingField.pendingWords
      const ref = from[at + pendingField.pendingRef]!
      const index = ref >>> record.seriesPerWindowShift
      const to = (ref & record.seriesPerWindowMask) << record.recordShift
      this.#recordDoubles[index]![to >>> 1] = fromDoubles[(at >>> 1) + pendingField.pendingPreviousTime]!
      this.#recordWords[index]![to + record.lastLowField] = from[at + pendingField.pendingPreviousLow]!
      this.#recordWords[index]![to + record.lastHighField] = from[at + pendingField.pendingPreviousHigh]!
    }
    this.#pending.clear()
    this.late.samples.rollback()
    this.#endRequest()
    this.#pendingMax = -1
  }

  /** For one reader in any thread; give it back by `releaseReader` when that reader is done or its thread has ended. */
  descriptor(): HeadDescriptor {
    const slot = this.#slots.indexOf(0)
    if (slot < 0) throw new Error(`cannot open head: want at most ${readerSlotsMax} readers, got one more`)
    this.#slots[slot] = 1
    return this.memory.descriptor(slot)
  }

  /** Frees the reader's slot, also on behalf of a thread that died in mid-query. */
  releaseReader(descriptor: HeadDescriptor): void {
    Atomics.store(this.memory.control, slotsAt + descriptor.readerSlot, 0)
    this.#slots[descriptor.readerSlot] = 0
  }

  /**
   * Drops the chunks that ended before `cutoffMs` of the series `firstRef`…`firstRef + count - 1`. Their memory is used again once
   * no reader can hold it. Gives the next series to look at, 0 at the end.
   */
  dropBefore(cutoffMs: number, firstRef: number, count: number): number {
    if (this.#hasPending) return firstRef
    const end = Math.min(this.places + 1, firstRef + count)
    this.#chunks.flush()
    this.#beginApply()
    for (let ref = firstRef; ref < end; ref++) this.#chunks.dropBefore(ref, cutoffMs)
    this.#publish()
    this.#chunks.reclaim()
    if (end <= this.places) return end
    this.#chunks.endDropping()
    return 0
  }

  /**
   * Frees series without a sample, a millisecond at a time: false when it is through. Their labels then make a new series, and their memory is used
   * again when no reader can hold it. To be called between commits; throws if a series that is not in the log yet cannot be written to it.
   */
  collectSeries(): boolean {
    if (this.#hasPending) return true
    this.commit()
    const { freed } = this.#collector
    const goesOn = this.#collector.step()
    this.counters.seriesRemoved += this.#collector.freed - freed
    this.memory.control[liveSeriesAt] = this.seriesCount
    this.reclaim()
    return goesOn
  }

  /** Late samples so far are sealed, those of later commits are not. Throws in the middle of a batch. */
  sealLate(): void {
    this.#applyToLate(() => this.late.samples.seal())
  }

  /** Takes the sealed late samples from readers that begin from now on. `freeLate` gives their memory back. Throws in the middle of a batch. */
  dropSealedLate(): void {
    this.#applyToLate(() => this.late.samples.dropSealed())
  }

  /** A millisecond of it at a time; false when it is through. */
  freeLate(): boolean {
    const goesOn = this.late.samples.freeDropped()
    this.reclaim()
    return goesOn
  }

  /** Commits some of the sealed late samples that are not before `fromMs` among the later ones; false when all are. Throws as `commit` does. */
  moveSealedLate(fromMs: number, samplesMax: number): boolean {
    if (this.#hasPending) return true
    try {
      const goesOn = this.late.samples.moveSealed(fromMs, samplesMax)
      this.commit()
      return goesOn
    } catch (cause) {
      this.rollback()
      throw cause
    }
  }

  /** While old logs are read: a late sample of one, for the next commit. False = no memory is left for it. */
  restoreLate(ref: number, timeMs: number, lowWord: number, highWord: number): boolean {
    return this.late.restore(ref, timeMs, lowWord, highWord, this.#memoryBytesMax - this.usedBytes)
  }

  /** As `restoreLate`, for a histogram: `accepted`, `invalidHistogram` or `memoryCeiling`. */
  restoreLateHistogram(ref: number, timeMs: number, { histogram, resetHint, sumLow, sumHigh }: LoggedHistogram): AppendResult {
    const isStale = isStaleWords(sumLow, sumHigh)
    const taken = isStale ? emptyHistogram(histogram.isFloat) : acceptHistogram(histogram, true, true)
    if (typeof taken === 'string') return invalidHistogram
    const { histograms } = this.#pending
    const hash = histograms.put(taken, resetHint, sumLow, sumHigh)
    const late = histograms.lastPut(hash, histogramMark(taken.isFloat, isStale ? undefined : taken.schema))
    return this.late.restoreHistogram(ref, timeMs, late, this.#memoryBytesMax - this.usedBytes) ? accepted : memoryCeiling
  }

  /** Where the newest block ended that was cut in order: later late samples are not for blocks yet. */
  get cutBeforeMs(): number {
    return this.#refusedBeforeMs
  }

  /** Makes memory that no reader can hold any more ready for use. */
  reclaim(): void {
    this.#chunks.reclaim()
    const { control, symbols, pairs, postings, labels, late, series } = this.memory
    const oldest = oldestPinnedEpoch(control)
    for (const arena of [symbols, pairs, postings, labels, late]) arena.reclaim(oldest)
    // Nothing is later than the last sample of a place without a series.
    series.reclaim(oldest, (at) => (series.doubles[at >>> wordShift]![(at & wordMask) >>> 1] = Infinity))
  }

  /** The labels of a series, for messages; makes strings. */
  labelsOf(ref: number): Labels {
    const flat: string[] = []
    const list = this.labelList(ref)
    const words = this.memory.labels.words[list >>> wordShift]!
    const at = list & wordMask
    for (let i = 1; i <= words[at]!; i++) {
      const pair = words[at + i]!
      flat.push(this.symbols.text(this.pairs.name(pair)), this.symbols.text(this.pairs.value(pair)))
    }
    return Labels.fromPairs(flat)
  }

  /** Word index in `memory.labels` of ┌ count ┬ pair ids in order of their names ┐. */
  labelList(ref: number): number {
    return this.#recordWords[ref >>> record.seriesPerWindowShift]![
      ((ref & record.seriesPerWindowMask) << record.recordShift) + record.labelsField
    ]!
  }

  /** Why the head is in no state to be saved now, if so. */
  get unsettled(): string | undefined {
    if (this.#hasPending) return 'a batch has begun'
    if (this.#newSeries.length > 0) return 'series are not in the log yet'
    if (this.memory.control[storedDamageAt] === 1) return 'a chunk in a file cannot be read'
    if (this.#collector.isRunning || this.late.samples.isOnTheMove) return 'a compaction was interrupted'
    return this.counters.histogramsDropped > 0 ? 'the log has histograms that found no memory' : undefined
  }

  /**
   * All that a new head needs to go on in the place of this one, which gets nothing any more, and whose closed chunks are in files. What comes again by
   * itself, raw labels of requests above all, is left out.
   */
  saveState(state: StateWriter): void {
    this.flushPostings()
    state.numbers({ commit: this.#commit })
    this.memory.saveState(state.part('memory'))
    this.symbols.saveState(state.part('symbols'))
    this.pairs.saveState(state.part('pairs'))
    this.#creator.saveState(state.part('series'))
    this.#chunks.saveState(state.part('chunks'))
    this.late.saveState(state.part('late'))
    this.deletions.saveState(state.part('deletions'))
    this.metadata.saveState(state.part('metadata'))
  }

  /** Of a head that was not used yet. It must not be used before its memory is read, nor if this throws. */
  restoreState(state: StateReader): void {
    this.memory.restoreState(state.part('memory'))
    this.symbols.restoreState(state.part('symbols'))
    this.pairs.restoreState(state.part('pairs'))
    this.#creator.restoreState(state.part('series'))
    this.#chunks.restoreState(state.part('chunks'))
    this.late.restoreState(state.part('late'))
    this.deletions.restoreState(state.part('deletions'))
    this.metadata.restoreState(state.part('metadata'))
    this.#commit = state.number('commit')
    this.memory.control[committedAt] = this.#commit
    this.memory.control[applyingAt] = this.#commit
    this.#pendingMax = -1
    // As after a start that has read the log.
    this.counters.seriesCreated = this.seriesCount
    this.counters.chunksCreated = this.#chunks.count
  }

  /** For tests of what happens after two thousand million commits. */
  continueCommitNumbersFrom(commit: number): void {
    this.#commit = commit
    this.memory.control[committedAt] = commit
    this.memory.control[applyingAt] = commit
  }

  stats(): HeadStats {
    const { memory } = this
    return {
      series: this.seriesCount,
      chunks: this.#chunks.count,
      chunksFiled: this.#chunks.filed,
      symbols: memory.control[symbolCountAt]!,
      labelPairs: memory.control[pairCountAt]!,
      minTimeMs: memory.minTime,
      maxTimeMs: memory.maxTime,
      usedBytes: this.usedBytes,
      usedBytesByFamily: {
        symbols: memory.symbols.usedBytes,
        pairs: memory.pairs.usedBytes,
        postingsAndTables: memory.postings.usedBytes,
        labels: memory.labels.usedBytes,
        series: memory.series.usedBytes,
        chunks: memory.chunks.usedBytes,
        openHistograms: this.#chunks.usedBytes,
        lateSamples: memory.late.usedBytes,
        seriesTable: this.#creator.usedBytes,
        wireAliases: this.#aliases.usedBytes,
      },
    }
  }

  #isFreed(ref: number): boolean {
    return (
      this.#recordDoubles[ref >>> record.seriesPerWindowShift]![((ref & record.seriesPerWindowMask) << record.recordShift) >>> 1] ===
      Infinity
    )
  }

  #endRequest(): void {
    this.#aliases.forgetRequest()
    this.late.endBatch()
    if (this.#unusedSymbols.isEmpty) return
    this.#unusedSymbols.free()
    this.reclaim()
  }

  #mayAddSeries(): boolean {
    return this.usedBytes < this.#memoryBytesMax * seriesShareOfMemory && (this.#replaying || this.pressure?.() === undefined)
  }

  #ceilingText(): string {
    if (this.usedBytes < this.#memoryBytesMax * seriesShareOfMemory) return this.pressure?.() ?? ''
    const limit = Math.floor(this.#memoryBytesMax * seriesShareOfMemory)
    return `head memory ceiling for new series reached: ${this.usedBytes} of ${limit} bytes used by ${this.seriesCount} series`
  }

  #refuseNoted(kind: SeriesRefusalKind, reason: string, symbols: Uint32Array, pairCount: number): number {
    this.#noteRefused(kind, reason, symbols, pairCount)
    this.#unusedSymbols.note(symbols, pairCount)
    return this.#refuseSeries(reason)
  }

  #noteRefused(kind: SeriesRefusalKind, reason: string, symbols: Uint32Array, pairCount: number): void {
    this.refused.note(kind, reason, () => {
      const text = (id: number): string => (id === 0 ? '…' : this.symbols.text(id))
      const flat: string[] = []
      for (let i = 0; i < 2 * pairCount; i++) flat.push(text(symbols[i]!))
      const labels = Labels.fromPairs(flat)
      return { metric: labels.get('__name__') ?? '', series: labels.toString() }
    })
  }

  #refuseSeries(reason: string): number {
    this.#refusal = reason
    this.counters.seriesRefused++
    return -1
  }

  /** At the start of a batch, or when its buffer is full. False at the hard ceiling. */
  #makeRoom(): boolean {
    const pending = this.#pending
    if (this.#pendingMax < 0) {
      const { maxTime } = this.memory
      this.#newestMs = Math.max(maxTime, this.#refusedBeforeMs)
      const inOrderMs = maxTime === -Infinity ? -timeMsMax : maxTime - this.#chunkRangeMs / 2
      this.#minValidMs = Math.max(this.#refusedBeforeMs, this.#replaying ? -timeMsMax : inOrderMs)
      this.#maxValidMs = this.#replaying ? timeMsMax : Math.min(timeMsMax, this.#now() + futureMsMax)
    } else if (pending.length === pending.capacity) {
      pending.grow()
    }
    this.#pendingMax = Math.min(pending.capacity, batchSamplesMax, this.#countFreeSamples())
    return pending.length < this.#pendingMax
  }

  /** So many samples surely find memory below the ceiling: each takes at most one piece of 64 bytes. */
  #countFreeSamples(): number {
    const freeBytes = this.#memoryBytesMax - this.usedBytes + this.#chunks.freeBytes - 2 * this.#pending.histograms.bytes
    return Math.max(0, Math.floor(freeBytes / pieceBytes))
  }

  get #hasPending(): boolean {
    return this.#pending.length > 0 || this.late.samples.pendingCount > 0
  }

  #applyToLate(apply: () => void): void {
    if (this.#hasPending) throw new Error('cannot seal or drop late samples: a batch has begun')
    this.#beginApply()
    apply()
    this.#publish()
    this.reclaim()
  }

  // Apart from `append`, which is a quarter faster without it.
  #takeOther(ref: number, timeMs: number, lowWord: number, highWord: number, lastTimeMs: number): AppendResult {
    if (lastTimeMs === Infinity) return unknownSeries
    const at = (ref & record.seriesPerWindowMask) << record.recordShift
    const words = this.#recordWords[ref >>> record.seriesPerWindowShift]!
    const hasLastValue = words[at + 2] === lowWord >>> 0 && words[at + 3] === highWord >>> 0
    if (!this.#isForWindow(timeMs, lastTimeMs)) return this.#judge(timeMs, lastTimeMs, hasLastValue)
    this.late.noteDelta(timeMs, this.#newestMs)
    return this.late.take(ref, timeMs, lowWord, highWord, this.#newestMs, this.#memoryBytesMax - this.usedBytes)
  }

  /** Whether the window says if a sample is taken that is not in order; it says nothing of one of the future or of the newest one's time. */
  #isForWindow(timeMs: number, lastTimeMs: number): boolean {
    if (!(this.late.windowMs > 0) || this.#replaying) return false
    const isLast = timeMs === lastTimeMs && timeMs >= Math.min(this.#minValidMs, this.#newestMs - this.late.windowMs)
    return timeMs <= this.#maxValidMs && !isLast
  }

  // Prometheus' order of reasons. The newest sample again is no error if its bits are the same.
  #judge(timeMs: number, lastTimeMs: number, hasLastValue: boolean): AppendResult {
    if (timeMs > this.#maxValidMs) {
      this.counters.outOfBounds++
      return tooFarInFuture
    }
    if (!(timeMs >= this.#minValidMs) && !(timeMs === lastTimeMs && this.late.windowMs > 0)) {
      this.late.noteDelta(timeMs, this.#newestMs)
      this.counters.outOfBounds++
      return outOfBounds
    }
    if (timeMs === lastTimeMs) {
      if (hasLastValue) return accepted
      this.counters.duplicates++
      return duplicateSample
    }
    this.late.noteDelta(timeMs, this.#newestMs)
    this.counters.outOfOrder++
    return outOfOrder
  }

  #beginApply(): void {
    if (this.#commit >= commitNumberMax) this.#restartCommitNumbers()
    this.#commit++
    Atomics.store(this.memory.control, applyingAt, this.#commit)
  }

  #publish(): void {
    const { control } = this.memory
    control[seriesCountAt] = this.places
    control[liveSeriesAt] = this.seriesCount
    control[chunkCountAt] = this.#chunks.count
    Atomics.store(control, committedAt, this.#commit)
    Atomics.notify(control, committedAt)
  }

  #restartCommitNumbers(): void {
    for (let ref = 1; ref <= this.places; ref++) {
      const words = this.#recordWords[ref >>> record.seriesPerWindowShift]!
      const at = (ref & record.seriesPerWindowMask) << record.recordShift
      words[at + record.lastCommitField] = 1
      words[at + record.previousCommitField] = 1
    }
    this.late.samples.restartCommitNumbers()
    this.#commit = 1
  }
}

const encoder = new TextEncoder()
