import {
  chunkKindMask,
  chunkMask,
  floatChunk,
  floatHistogramChunk,
  OpenChunkWriter,
  pieceWords,
  readChunkBytes,
  readPieceCount,
  readSampleCount,
  storedFlag,
  tailState,
} from '../chunk/open-chunk.ts'
import * as chunkField from '../chunk/open-chunk.ts'
import type { ChunkWriterState } from '../chunk/open-chunk.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { isStaleWords } from '@narthex/model/stale'
import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { ChunkFiler } from './chunk-filer.ts'
import type { ChunkFiles } from './chunk-filer.ts'
import type { ChunkLoan, ReturnedChunks } from './chunk-loan.ts'
import { chunkBytesMax, endOfRange, predictChunkEnd, samplesPerChunk } from './chunk-time.ts'
import type { HeadCounters } from './head-counters.ts'
import { chunkFilesFromAt, epochAt } from './head-memory.ts'
import type { HeadMemory } from './head-memory.ts'
import { HistogramChunks, readHistogramBytes } from './histogram-chunks.ts'
import { openAppendersBytesDefault } from './open-appenders.ts'
import * as pendingField from './pending-samples.ts'
import type { PendingSamples } from './pending-samples.ts'
import { RestoredChunks } from './restored-chunks.ts'
import { RetiredChunks } from './retired-chunks.ts'
import * as record from './series-record.ts'
import { wordMask, wordShift } from './shared-arena.ts'
import { oldestPinnedEpoch } from './shared-table.ts'

/** Samples of a commit whose places are read ahead. */
const touchedAhead = 32
// A chunk of so many pieces is below `chunkBytesMax`.
const smallChunkPieces = 8
/** Chunks that were written anew, before their memory is asked for. */
const replacedChunksMax = 1024

/** The writer's side of the chunks of all series: adds committed samples, cuts chunks, drops old ones. */
export class HeadChunks {
  readonly #memory: HeadMemory
  readonly #rangeMs: number
  readonly #counters: HeadCounters
  readonly #writer: OpenChunkWriter
  readonly #retired: RetiredChunks
  readonly #histograms: HistogramChunks
  #replaced = 0
  #files: ChunkFiles | undefined
  /** Chunks that another thread put into files. */
  #filedBefore = 0
  #referenceOf: ((ref: number) => number) | undefined
  #filer: ChunkFiler | undefined
  /** Files without a chunk in the lists, which readers of these epochs may still read. */
  readonly #removals: { readonly files: readonly number[]; readonly epoch: number }[] = []
  /** Pieces that the running commit may still need for its floats. */
  #reserve = 0
  readonly #recordWords: Uint32Array[]
  readonly #recordDoubles: Float64Array[]
  /** So that the reads of `#touchTails` are of use. */
  touched = 0
  /** Chunks in the lists of series. */
  count = 0
  /** The oldest chunk that the running sweep left. */
  #oldestKeptMs = Infinity

  constructor(memory: HeadMemory, rangeMs: number, counters: HeadCounters, openHistogramBytesMax = openAppendersBytesDefault) {
    this.#memory = memory
    this.#rangeMs = rangeMs
    this.#counters = counters
    this.#writer = new OpenChunkWriter(memory.chunks)
    this.#retired = new RetiredChunks(this.#writer)
    this.#histograms = new HistogramChunks({
      memory,
      rangeMs,
      openBytesMax: openHistogramBytesMax,
      writer: this.#writer,
      close: (ref, words, at, previousTimeMs) => this.#close(ref, words, at, previousTimeMs),
      noteStarted: () => this.#noteStarted(),
      retireOne: (chunk) => this.#retireReplaced(chunk),
    })
    this.#recordWords = memory.series.words
    this.#recordDoubles = memory.series.doubles
  }

  /** If the newest chunk of a series is a stored one, when it ended: what a log has up to there is in files. Else -Infinity. */
  storedUntil(ref: number): number {
    const words = this.#recordWords[ref >>> record.seriesPerWindowShift]!
    const at = (ref & record.seriesPerWindowMask) << record.recordShift
    if ((words[at + record.openChunkField]! & storedFlag) === 0) return -Infinity
    return this.#recordDoubles[ref >>> record.seriesPerWindowShift]![at >>> 1]!
  }

  /** Whether the newest sample of a series is this one. */
  isLast(ref: number, timeMs: number, low: number, high: number): boolean {
    const words = this.#recordWords[ref >>> record.seriesPerWindowShift]!
    const at = (ref & record.seriesPerWindowMask) << record.recordShift
    if (this.#recordDoubles[ref >>> record.seriesPerWindowShift]![at >>> 1] !== timeMs) return false
    return words[at + record.lastLowField] === low && words[at + record.lastHighField] === high
  }

  #isStored(words: Uint32Array, at: number, timeMs: number, lastTimeMs: number): boolean {
    return timeMs <= lastTimeMs && (words[at + record.openChunkField]! & storedFlag) !== 0
  }

  /** From now on closed chunks go into files; `referenceOf` gives the log's reference of a series. `isHeld`: not before `releaseFiling`. */
  startFiling(files: ChunkFiles, referenceOf: (ref: number) => number, isHeld = false): void {
    const memory = this.#memory
    memory.chunksDirectory = files.directory
    memory.control[chunkFilesFromAt] = files.oldestFile
    this.#files = files
    this.#referenceOf = referenceOf
    if (!isHeld) this.releaseFiling()
  }

  /** Closed chunks go into files, if they did not yet; what was closed before follows as further chunks of the series are closed. */
  releaseFiling(): void {
    const files = this.#files
    const referenceOf = this.#referenceOf
    if (files === undefined || referenceOf === undefined) return
    this.#filer ??= new ChunkFiler({
      memory: this.#memory,
      writer: this.#writer,
      files,
      reserve: () => this.#reserve,
      referenceOf,
      onReplaced: (chunk) => this.#retireReplaced(chunk),
    })
  }

  /** Whether closed chunks stay in memory until `releaseFiling`. */
  get isHeld(): boolean {
    return this.#files !== undefined && this.#filer === undefined
  }

  /** Chunks that were closed and wait for their files. */
  get closed(): number {
    return this.#filer?.noted ?? 0
  }

  /** Closed chunks go into files, for about so many milliseconds. */
  file(ms: number): void {
    this.#filer?.work(ms)
    this.reclaimReplaced(ms === Infinity ? Infinity : replacedChunksMax)
  }

  /** All closed chunks go into files now, as far as those can be written. */
  flush(): void {
    this.#filer?.flush()
  }

  /** Chunks that went into files. */
  get filed(): number {
    return this.#filedBefore + (this.#filer?.count ?? 0)
  }

  /** All that this has, for chunks of the same memory in another thread: until `takeBack` nothing may be done with these. */
  lend(): Pick<ChunkLoan, 'writer' | 'files'> {
    this.flush()
    // In the other thread no reader has any of the chunks.
    this.reclaim()
    return { writer: this.#writer.state, files: this.#filer === undefined ? undefined : this.#files?.endFiles() }
  }

  /** In the other thread: goes on where the lender stopped. Its own `lend` then gives what the lender takes back. */
  borrow(writer: ChunkWriterState): void {
    this.#writer.takeOver(writer)
  }

  /** The other thread has come to its end. */
  takeBack({ writer, created, filed, files, writeError }: ReturnedChunks): void {
    this.#writer.takeOver(writer)
    this.count += created
    this.#counters.chunksCreated += created
    this.#filedBefore += filed
    if (files !== undefined) this.#files?.takeOver(files, writeError)
  }

  /** Whether `samples` more samples surely find memory. */
  ensure(samples: number): boolean {
    return this.#writer.ensure(samples)
  }

  get freeBytes(): number {
    return this.#writer.freePieces * pieceWords * 4
  }

  /** Memory outside the shared one. */
  get usedBytes(): number {
    return this.#histograms.usedBytes
  }

  /** Gives how many histograms found no memory: the log has them, the head has not. */
  add(pending: PendingSamples, commit: number): number {
    this.#reserve = pending.length
    const { count, positions } = pending.histograms
    let dropped = 0
    let next = 0
    for (let i = 0; i < count; i++) {
      this.#addFloats(pending, next, positions[i]!, commit)
      if (!this.#addHistogram(pending, i, commit)) dropped++
      next = positions[i]! + 1
    }
    this.#addFloats(pending, next, pending.length, commit)
    return dropped
  }

  #addHistogram(pending: PendingSamples, i: number, commit: number): boolean {
    const { words: from, doubles: fromDoubles, histograms } = pending
    const position = histograms.positions[i]!
    const at = position * pendingField.pendingWords
    const ref = from[at + pendingField.pendingRef]!
    const words = this.#recordWords[ref >>> record.seriesPerWindowShift]!
    const to = (ref & record.seriesPerWindowMask) << record.recordShift
    const total = words[to + record.totalField]!
    const previousTimeMs = fromDoubles[(at >>> 1) + pendingField.pendingPreviousTime]!
    const reserve = pending.length - position
    if (!this.#histograms.add(ref, words, to, histograms.columns, i, total, previousTimeMs, reserve)) return false
    if (words[to + record.lastCommitField] !== commit) {
      words[to + record.previousCommitField] = words[to + record.lastCommitField]!
      words[to + record.previousTotalField] = total
      words[to + record.lastCommitField] = commit
    }
    words[to + record.totalField] = total + 1
    const timeMs = fromDoubles[at >>> 1]!
    this.#memory.minTime = Math.min(this.#memory.minTime, timeMs)
    this.#memory.maxTime = Math.max(this.#memory.maxTime, timeMs)
    return true
  }

  /** The hot loop of a commit. Per sample: one cache line of the series' record, one of its chunk's tail. */
  #addFloats(pending: PendingSamples, start: number, end: number, commit: number): void {
    const { words: from, doubles: fromDoubles } = pending
    let { minTime, maxTime } = this.#memory
    let touchedTo = start
    for (let i = start; i < end; i++) {
      if (i === touchedTo) {
        touchedTo = Math.min(end, i + touchedAhead)
        this.#touchTails(from, i, touchedTo)
      }
      const at = i * pendingField.pendingWords
      const timeMs = fromDoubles[at >>> 1]!
      if (timeMs > maxTime) maxTime = timeMs
      if (timeMs < minTime) minTime = timeMs
      this.#addFloat(
        from[at + pendingField.pendingRef]!,
        timeMs,
        from[at + pendingField.pendingLow]!,
        from[at + pendingField.pendingHigh]!,
        fromDoubles[(at >>> 1) + pendingField.pendingPreviousTime]!,
        from[at + pendingField.pendingPreviousLow]!,
        from[at + pendingField.pendingPreviousHigh]!,
        commit,
      )
    }
    this.#memory.minTime = minTime
    this.#memory.maxTime = maxTime
  }

  /**
   * Reads where the next samples will be put. These reads do not wait for each other, so the processor has several of them under way; each append waits
   * for the one before it, and would wait for memory every time.
   */
  #touchTails(from: Uint32Array, start: number, end: number): void {
    const tails = this.#memory.chunks.words
    let read = 0
    for (let i = start; i < end; i++) {
      const ref = from[i * pendingField.pendingWords + pendingField.pendingRef]!
      const words = this.#recordWords[ref >>> record.seriesPerWindowShift]!
      const tail = words[((ref & record.seriesPerWindowMask) << record.recordShift) + record.encoderField + tailState]!
      // Of histograms the word is something else.
      const window = tails[tail >>> wordShift]
      if (window !== undefined) read |= window[tail & wordMask]!
    }
    this.touched = read
  }

  #addFloat(
    ref: number,
    timeMs: number,
    low: number,
    high: number,
    previousTimeMs: number,
    previousLow: number,
    previousHigh: number,
    commit: number,
  ): void {
    const index = ref >>> record.seriesPerWindowShift
    const to = (ref & record.seriesPerWindowMask) << record.recordShift
    const words = this.#recordWords[index]!
    const doubles = this.#recordDoubles[index]!
    const total = words[to + record.totalField]!
    if (words[to + record.lastCommitField] !== commit) {
      words[to + record.previousCommitField] = words[to + record.lastCommitField]!
      words[to + record.previousTotalField] = total
      words[to + record.lastCommitField] = commit
    }
    words[to + record.totalField] = total + 1
    if (this.#startsChunk(words, doubles, to, timeMs, previousTimeMs)) {
      this.#startChunk(ref, words, doubles, to, timeMs, previousTimeMs, low, high)
    } else {
      this.#writer.append(words, to + record.encoderField, timeMs, low, high, previousTimeMs, previousLow, previousHigh)
    }
  }

  /**
   * Adds floats of a log at once, `from`…`end - 1` of columns, without a commit of pending ones. Left out and gathered in `others`, by their places,
   * are those that are not later than the last one of their series, before `minValidMs` or after `maxValidMs`; gives how many these are. Passed over are
   * those that the series has in its stored chunks.
   * The caller made sure of the memory.
   */
  addLogged(
    refs: Uint32Array,
    times: Float64Array,
    values: Uint32Array,
    from: number,
    end: number,
    commit: number,
    minValidMs: number,
    maxValidMs: number,
    others: Uint32Array,
  ): number {
    let { minTime, maxTime } = this.#memory
    this.#reserve = end - from
    let otherCount = 0
    for (let i = from; i < end; i++) {
      const ref = refs[i - from]!
      const timeMs = times[i]!
      const words = this.#recordWords[ref >>> record.seriesPerWindowShift]!
      const doubles = this.#recordDoubles[ref >>> record.seriesPerWindowShift]!
      const at = (ref & record.seriesPerWindowMask) << record.recordShift
      const lastTimeMs = doubles[at >>> 1]!
      if (!(timeMs > lastTimeMs && timeMs >= minValidMs && timeMs <= maxValidMs)) {
        if (!this.#isStored(words, at, timeMs, lastTimeMs)) others[otherCount++] = i
        else if (timeMs === lastTimeMs) {
          words[at + record.lastLowField] = values[2 * i]!
          words[at + record.lastHighField] = values[2 * i + 1]!
        }
        continue
      }
      if (timeMs > maxTime) maxTime = timeMs
      if (timeMs < minTime) minTime = timeMs
      const low = values[2 * i]!
      const high = values[2 * i + 1]!
      this.#addFloat(ref, timeMs, low, high, lastTimeMs, words[at + record.lastLowField]!, words[at + record.lastHighField]!, commit)
      doubles[at >>> 1] = timeMs
      words[at + record.lastLowField] = low
      words[at + record.lastHighField] = high
    }
    this.#memory.minTime = minTime
    this.#memory.maxTime = maxTime
    return otherCount
  }

  /** For the chunks that files have from before. */
  restore(): RestoredChunks {
    return new RestoredChunks({
      memory: this.#memory,
      writer: this.#writer,
      forgetOpen: (ref) => this.#histograms.forget(ref),
      noteStarted: () => this.#noteStarted(),
    })
  }

  /** Takes the chunks of a series that ended before `cutoffMs` out of its list; the open one only if the whole series did. */
  dropBefore(ref: number, cutoffMs: number): void {
    const index = ref >>> record.seriesPerWindowShift
    const at = (ref & record.seriesPerWindowMask) << record.recordShift
    const words = this.#recordWords[index]!
    const open = words[at + record.openChunkField]!
    if (open === 0) return
    if (this.#recordDoubles[index]![at >>> 1]! < cutoffMs) {
      words[at + record.openChunkField] = 0
      words.fill(0, at + record.encoderField, at + record.encoderField + 4)
      if ((open & chunkKindMask) !== 0) this.#histograms.forget(ref)
      this.#retire(open)
      return
    }
    let kept = open
    for (let older = this.#olderThan(kept); older !== 0; older = this.#olderThan(kept)) {
      const spanMs = this.#memory.chunks.words[older >>> wordShift]![(older & chunkMask) + chunkField.spanField]!
      if (this.#startMs(older) + spanMs < cutoffMs) {
        this.#memory.chunks.words[kept >>> wordShift]![(kept & chunkMask) + chunkField.previousChunkField] = 0
        this.#retire(older)
        break
      }
      kept = older
    }
    this.#oldestKeptMs = Math.min(this.#oldestKeptMs, this.#startMs(kept))
  }

  /**
   * Gives back the memory of replaced chunks when there are many; to be called between commits. Of at most `chunksMax`: where a reader held more for
   * long, the next calls go on.
   */
  reclaimReplaced(chunksMax = replacedChunksMax): void {
    if (this.#replaced >= replacedChunksMax) this.reclaim(chunksMax)
  }

  /** Gives back what was retired and that no reader can hold. */
  reclaim(chunksMax = Infinity): void {
    const { control } = this.#memory
    Atomics.add(control, epochAt, 1)
    const oldest = oldestPinnedEpoch(control)
    if (this.#retired.reclaim(oldest, chunksMax)) this.#replaced = 0
    while (this.#removals.length > 0 && this.#removals[0]!.epoch < oldest) {
      this.#files!.remove(this.#removals.shift()!.files)
      control[chunkFilesFromAt] = this.#files!.oldestFile
    }
  }

  /** After `endDropping`: the files all of whose chunks ended before `cutoffMs` go as soon as no reader can ask for one. */
  dropFilesBefore(cutoffMs: number): void {
    const files = this.#files?.filesBefore(cutoffMs) ?? []
    if (files.length > 0) this.#removals.push({ files, epoch: this.#memory.control[epochAt]! })
  }

  /** After `dropBefore` of all series: the head begins at the oldest chunk that is left. */
  endDropping(): void {
    if (this.#oldestKeptMs < Infinity) this.#memory.minTime = this.#oldestKeptMs
    this.#oldestKeptMs = Infinity
  }

  /** After `flush`. What writes open chunks of histograms is made again from the chunks. */
  saveState(state: StateWriter): void {
    state.numbers({ count: this.count, replaced: this.#replaced, oldestKeptMs: this.#oldestKeptMs })
    state.array(
      'removalEpochs',
      Float64Array.from(this.#removals, ({ epoch }) => epoch),
    )
    state.array(
      'removalCounts',
      Float64Array.from(this.#removals, ({ files }) => files.length),
    )
    state.array('removalFiles', Float64Array.from(this.#removals.flatMap(({ files }) => files)))
    state.part('writer').numbers({ ...this.#writer.state })
    this.#retired.saveState(state.part('retired'))
  }

  /** Before `startFiling`. */
  restoreState(state: StateReader): void {
    this.count = state.number('count')
    this.#replaced = state.number('replaced')
    this.#oldestKeptMs = state.number('oldestKeptMs')
    const counts = state.doubles('removalCounts')
    const files = [...state.doubles('removalFiles')]
    for (const [i, epoch] of state.doubles('removalEpochs').entries()) this.#removals.push({ files: files.splice(0, counts[i]!), epoch })
    const writer = state.part('writer')
    this.#writer.takeOver({
      usedWords: writer.number('usedWords'),
      freePiece: writer.number('freePiece'),
      freePieces: writer.number('freePieces'),
      freeHalf: writer.number('freeHalf'),
    })
    this.#retired.restoreState(state.part('retired'))
  }

  // As Prometheus cuts, but for the bytes: at the end of the range, at twice the wanted samples, above `chunkBytesMax`, or at the predicted time.
  #startsChunk(words: Uint32Array, doubles: Float64Array, at: number, timeMs: number, previousTimeMs: number): boolean {
    const encoder = at + record.encoderField
    const samples = readSampleCount(words, encoder)
    if (samples === 0) return true
    if (readPieceCount(words, encoder) > smallChunkPieces && readChunkBytes(words, encoder) > chunkBytesMax) return true
    const endAt = (at + record.nextChunkTimeField) >>> 1
    if (samples === samplesPerChunk / 4) {
      doubles[endAt] = predictChunkEnd(this.#startMs(words[at + record.openChunkField]!), previousTimeMs, doubles[endAt]!)
    }
    return timeMs >= doubles[endAt]! || samples >= samplesPerChunk * 2
  }

  #startChunk(
    ref: number,
    words: Uint32Array,
    doubles: Float64Array,
    at: number,
    timeMs: number,
    previousTimeMs: number,
    low: number,
    high: number,
  ): void {
    const previous = words[at + record.openChunkField]!
    const ordinal = words[at + record.totalField]! - 1
    const kind = previous & chunkKindMask
    if (kind !== floatChunk && (previous & storedFlag) === 0) {
      // As in Prometheus, histograms end with one of them. Without memory for that the float does it.
      if (isStaleWords(low, high) && this.#endHistograms(ref, words, at, timeMs, previousTimeMs, ordinal, kind)) return
      this.#histograms.forget(ref)
    }
    this.#close(ref, words, at, previousTimeMs)
    words[at + record.openChunkField] = this.#writer.start(words, at + record.encoderField, previous, ordinal, timeMs, low, high)
    doubles[(at + record.nextChunkTimeField) >>> 1] = endOfRange(timeMs, this.#rangeMs)
    this.#noteStarted()
  }

  #endHistograms(
    ref: number,
    words: Uint32Array,
    at: number,
    timeMs: number,
    previousTimeMs: number,
    ordinal: number,
    kind: number,
  ): boolean {
    staleHistogram.clear()
    staleHistogram.pushStale(timeMs, 0, kind === floatHistogramChunk)
    return this.#histograms.add(ref, words, at, staleHistogram, 0, ordinal, previousTimeMs, this.#reserve)
  }

  /** The open chunk of a series ended at `lastTimeMs`: another one begins. */
  #close(ref: number, words: Uint32Array, at: number, lastTimeMs: number): void {
    const chunk = words[at + record.openChunkField]!
    if (chunk === 0 || (chunk & storedFlag) !== 0) return
    this.#memory.chunks.words[chunk >>> wordShift]![(chunk & chunkMask) + chunkField.spanField] = lastTimeMs - this.#startMs(chunk)
    if (this.#filer === undefined) return
    const encoder = at + record.encoderField
    this.#filer.note(
      ref,
      chunk,
      (chunk & chunkKindMask) === floatChunk ? readChunkBytes(words, encoder) : readHistogramBytes(words, encoder),
    )
  }

  #noteStarted(): void {
    this.count++
    this.#counters.chunksCreated++
  }

  /** Another one stands for it in its series' list. */
  #retireReplaced(chunk: number): void {
    this.#retired.add(chunk, this.#memory.control[epochAt]!)
    this.#replaced++
  }

  /** A chunk and all older ones of its series. */
  #retire(chunk: number): void {
    for (let each = chunk; each !== 0;) {
      const older = this.#olderThan(each)
      this.#retired.add(each, this.#memory.control[epochAt]!)
      this.count--
      this.#counters.chunksRemoved++
      each = older
    }
  }

  #olderThan(chunk: number): number {
    return this.#memory.chunks.words[chunk >>> wordShift]![(chunk & chunkMask) + chunkField.previousChunkField]!
  }

  #startMs(chunk: number): number {
    return this.#memory.chunks.doubles[chunk >>> wordShift]![((chunk & chunkMask) + chunkField.startTimeField) >>> 1]!
  }
}

const staleHistogram = new HistogramColumns(1, 1)
