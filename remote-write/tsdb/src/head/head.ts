import { randomInt } from 'node:crypto'
import { Labels } from '@narthex/model/labels'
import type { MetricType } from '@narthex/model/metric-type'
import { accepted, duplicateSample, memoryCeiling, outOfBounds, outOfOrder, tooFarInFuture, unknownSeries } from './append-result.ts'
import type { AppendResult } from './append-result.ts'
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
  symbolCountAt,
} from './head-memory.ts'
import type { HeadDescriptor } from './head-memory.ts'
import { LabelPairs } from './label-pairs.ts'
import { MetricMetadata } from './metric-metadata.ts'
import { PendingSamples } from './pending-samples.ts'
import * as pendingField from './pending-samples.ts'
import { NewSeries } from './new-series.ts'
import { RefusedSeries } from './refused-series.ts'
import type { SeriesRefusalKind } from './refused-series.ts'
import { SeriesCollector } from './series-collector.ts'
import { SeriesCreator } from './series-creator.ts'
import { SeriesLimits } from './series-limits.ts'
import type { SeriesLimitOptions } from './series-limits.ts'
import * as record from './series-record.ts'
import { wordMask, wordShift } from './shared-arena.ts'
import { oldestPinnedEpoch } from './shared-table.ts'
import { symbolBytesMax, Symbols } from './symbols.ts'
import { UnusedSymbols } from './unused-symbols.ts'
import { WireAliases } from './wire-aliases.ts'

/** Where commits are made durable before they become visible. Throws if that failed; nothing of the commit may then be kept. */
export interface CommitLog {
  /** `newSeries` were made since the last commit that was written. */
  writeCommit(head: Head, pending: PendingSamples, newSeries: Uint32Array): void
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
  /** Block range (`--storage.tsdb.min-block-duration`): no chunk passes its multiples, half of it is how old samples may be. */
  readonly chunkRangeMs?: number
}

export interface HeadStats {
  readonly series: number
  readonly chunks: number
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
  /** New series that were refused, with examples. */
  readonly refused: RefusedSeries
  readonly limits: SeriesLimits
  /** Why no new series may be made for now, for a reason from outside: the memory of the whole process. */
  pressure: (() => string | undefined) | undefined
  /** Called after each commit that has made samples visible. */
  onCommit: (() => void) | undefined
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
  readonly #newSeries = new NewSeries()
  #commit = 1
  readonly #slots = new Uint8Array(readerSlotsMax)
  #refusal = ''
  // Bounds of the running batch; `#pendingMax` is -1 between batches, so that the first append of a batch computes them.
  #pendingMax = -1
  #minValidMs = 0
  #maxValidMs = 0
  /** Older samples are in blocks. */
  #refusedBeforeMs = -timeMsMax
  #replaying = false
  readonly #recordWords: Uint32Array[]
  readonly #recordDoubles: Float64Array[]
  #scratch = new Uint8Array(4096)

  constructor(options: HeadOptions) {
    this.memory = HeadMemory.create(options.memoryBytesMax, randomInt(0x7fffffff))
    this.symbols = new Symbols(this.memory)
    this.pairs = new LabelPairs(this.memory, this.symbols)
    this.#creator = new SeriesCreator(this.memory, this.symbols, this.pairs)
    this.#aliases = new WireAliases(options.wireAliasesMax ?? wireAliasesDefaultMax)
    this.#collector = new SeriesCollector({
      memory: this.memory,
      pairs: this.pairs,
      creator: this.#creator,
      aliases: this.#aliases,
      onFreed: (ref) => this.#log?.forgetSeries(ref),
    })
    this.#now = options.now ?? Date.now
    this.refused = new RefusedSeries(this.#now)
    this.limits = new SeriesLimits(this.symbols, this.pairs, options)
    this.#unusedSymbols = new UnusedSymbols(this.symbols, this.memory.control)
    this.#memoryBytesMax = options.memoryBytesMax
    this.#chunkRangeMs = options.chunkRangeMs ?? defaultChunkRangeMs
    this.#chunks = new HeadChunks(this.memory, this.#chunkRangeMs, this.counters)
    this.#log = options.log
    this.#recordWords = this.memory.series.words
    this.#recordDoubles = this.memory.series.doubles
    this.memory.control[committedAt] = this.#commit
    this.memory.control[applyingAt] = this.#commit
  }

  /** From now on commits go to `log`, which knows the series that are there. */
  startLogging(log: CommitLog): void {
    this.#log = log
    this.#newSeries.clear()
    this.#replaying = false
  }

  /** While old logs are read, samples are only checked for their order within the series. */
  startReplay(): void {
    this.#replaying = true
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
    return this.memory.usedBytes + this.#aliases.usedBytes + this.#creator.usedBytes
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

  /** As `refBySymbols`, for `count` pairs that are interned, none of an empty value. */
  refByPairs(pairs: Uint32Array, count: number): number {
    const known = this.#creator.findByPairs(pairs, count)
    if (known > 0) return known
    if (!this.#mayAddSeries()) return this.#refuseSeries(this.#ceilingText())
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

  /** Why the last series or symbol was refused. */
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
      if (lastTimeMs === Infinity) return unknownSeries
      return this.#judge(timeMs, lastTimeMs, words[at + 2] === lowWord >>> 0 && words[at + 3] === highWord >>> 0)
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
    if (pending.length === 0 && this.#newSeries.length === 0) return
    try {
      if (!this.#chunks.ensure(pending.length)) throw new Error('cannot commit samples: no shared memory left for chunks')
      this.#log?.writeCommit(this, pending, this.#newSeries.view())
      this.#newSeries.clear()
    } catch (cause) {
      this.rollback()
      throw cause
    }
    this.#beginApply()
    this.#chunks.add(pending, this.#commit)
    this.#publish()
    this.counters.samplesAppended += pending.length
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
    if (this.#pending.length > 0) return firstRef
    const end = Math.min(this.places + 1, firstRef + count)
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
    if (this.#pending.length > 0) return true
    this.commit()
    const { freed } = this.#collector
    const goesOn = this.#collector.step()
    this.counters.seriesRemoved += this.#collector.freed - freed
    this.memory.control[liveSeriesAt] = this.seriesCount
    this.reclaim()
    return goesOn
  }

  /** Makes memory that no reader can hold any more ready for use. */
  reclaim(): void {
    this.#chunks.reclaim()
    const { control, symbols, pairs, postings, labels, series } = this.memory
    const oldest = oldestPinnedEpoch(control)
    for (const arena of [symbols, pairs, postings, labels]) arena.reclaim(oldest)
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
      const inOrderMs = maxTime === -Infinity ? -timeMsMax : maxTime - this.#chunkRangeMs / 2
      this.#minValidMs = Math.max(this.#refusedBeforeMs, this.#replaying ? -timeMsMax : inOrderMs)
      this.#maxValidMs = this.#replaying ? timeMsMax : Math.min(timeMsMax, this.#now() + futureMsMax)
    } else if (pending.length === pending.capacity) {
      pending.grow()
    }
    // A sample takes at most one piece of 64 bytes.
    const freeBytes = this.#memoryBytesMax - this.usedBytes + this.#chunks.freeBytes
    this.#pendingMax = Math.min(pending.capacity, batchSamplesMax, Math.max(0, Math.floor(freeBytes / 64)))
    return pending.length < this.#pendingMax
  }

  // Prometheus' order of reasons. The newest sample again is no error if its bits are the same.
  #judge(timeMs: number, lastTimeMs: number, hasLastValue: boolean): AppendResult {
    if (timeMs > this.#maxValidMs) {
      this.counters.outOfBounds++
      return tooFarInFuture
    }
    if (!(timeMs >= this.#minValidMs)) {
      this.counters.outOfBounds++
      return outOfBounds
    }
    if (timeMs === lastTimeMs) {
      if (hasLastValue) return accepted
      this.counters.duplicates++
      return duplicateSample
    }
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
    this.#commit = 1
  }
}

const encoder = new TextEncoder()
