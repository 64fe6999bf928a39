import { HeadChunks } from '../head/head-chunks.ts'
import { HeadCounters } from '../head/head-counters.ts'
import type { ChunkLoan, ReturnedChunks } from '../head/chunk-loan.ts'
import { HeadMemory } from '../head/head-memory.ts'
import { HeadChunkWriter } from '../head-chunks/head-chunk-writer.ts'
import { forEachKnown, recordOf } from './log-batch.ts'
import type { LogBatch } from './log-batch.ts'
import { isSamples } from './wal-format.ts'

/** Appends floats of a log, whose series the head's own thread has found or made, to the chunks that the head lends. */
export class LoggedFloats {
  readonly #loan: ChunkLoan
  readonly #memory: HeadMemory
  readonly #counters = new HeadCounters()
  readonly #chunks: HeadChunks
  #writeError: string | undefined
  /** Places of floats that are not later than their series' last. */
  #others = new Uint32Array(1024)
  #appended = 0
  #taken = 0
  #outOfOrder = 0
  #refused = 0
  // The floats of the record at hand.
  #headRefs = new Uint32Array(0)
  #logRefs = new Float64Array(0)

  constructor(loan: ChunkLoan) {
    this.#loan = loan
    this.#memory = new HeadMemory(loan.memory)
    this.#chunks = new HeadChunks(this.#memory, loan.rangeMs, this.#counters)
    this.#chunks.borrow(loan.writer)
    if (loan.files === undefined) return
    const files = new HeadChunkWriter({
      directory: loan.memory.chunksDirectory,
      files: loan.files,
      onWriteError: ({ message }) => (this.#writeError ??= message),
    })
    this.#chunks.startFiling(files, (ref) => this.#logRefs[this.#headRefs.indexOf(ref)]!)
  }

  /** Words of the arena of chunks that are given out. */
  get usedWords(): number {
    return this.#memory.chunks.usedWords
  }

  /** The floats of a batch. */
  take(batch: LogBatch): void {
    this.#memory.series.openWindows()
    for (let i = 0; i < batch.recordCount; i++) {
      const type = recordOf(batch, i, 'type')
      if (!isSamples(type)) continue
      forEachKnown(batch.headRefs, recordOf(batch, i, 'firstEntry'), recordOf(batch, i, 'endEntry'), (from, to) =>
        this.#takeKnown(batch, from, to),
      )
    }
  }

  /** To be called once, at the end. */
  giveBack(): ReturnedChunks {
    return {
      ...this.#chunks.lend(),
      created: this.#counters.chunksCreated,
      filed: this.#chunks.filed,
      appended: this.#appended,
      taken: this.#taken,
      outOfOrder: this.#outOfOrder,
      refused: this.#refused,
      minTimeMs: this.#memory.minTime,
      maxTimeMs: this.#memory.maxTime,
      writeError: this.#writeError,
    }
  }

  #takeKnown({ refs, headRefs, times, words }: LogBatch, from: number, end: number): void {
    const { commit, minValidMs, maxValidMs } = this.#loan
    const count = end - from
    if (!this.#chunks.ensure(count)) {
      this.#refused += count
      return
    }
    if (count > this.#others.length) this.#others = new Uint32Array(2 * count)
    this.#headRefs = headRefs.subarray(from, end)
    this.#logRefs = refs.subarray(from, end)
    const others = this.#others
    const otherCount = this.#chunks.addLogged(this.#headRefs, times, words, from, end, commit, minValidMs, maxValidMs, others)
    let outOfOrder = 0
    for (let k = 0; k < otherCount; k++) {
      const i = others[k]!
      if (!this.#chunks.isLast(headRefs[i]!, times[i]!, words[2 * i]!, words[2 * i + 1]!)) outOfOrder++
    }
    this.#appended += count - otherCount
    this.#outOfOrder += outOfOrder
    this.#taken += count - outOfOrder
    this.#chunks.file(Infinity)
  }
}
