import { growBytes, growDoubles, growWords } from '@narthex/bytes/grow'
import type { RecordEntries } from './record-entries.ts'
import { LabelPlanner } from './label-plan.ts'
import { isSamples, seriesRecord } from './wal-format.ts'

/** A record of a batch takes so many words of `records`. */
const recordWords = 5
// What a batch has room for before one that needs more gets larger columns; it is full a little earlier.
const firstBytes = 512 * 1024
const firstEntries = 32 * 1024
const firstWords = 64 * 1024
const firstRecords = 256
const fullShare = 3 / 4

/**
 * Some records of a log that were found whole and well-formed, as columns: what one thread takes apart and another puts into the head. Plain
 * data; the arrays of a batch that is sent to another thread belong to that.
 */
export interface LogBatch {
  /** Number of the segment (of the checkpoint: of the last one that it covers). */
  segment: number
  recordCount: number
  /** ┌ type ┬ start and end in `bytes` ┬ first entry and the one after the last ┐ a record. */
  records: Uint32Array<ArrayBuffer>
  bytesLength: number
  /** The records, one behind the other, type bytes included. */
  bytes: Uint8Array<ArrayBuffer>
  entryCount: number
  /** Of series and samples: the log's references. */
  refs: Float64Array<ArrayBuffer>
  /** Of samples, from where they are put into the head on: its references, 0 = not known. */
  headRefs: Uint32Array<ArrayBuffer>
  /** Of samples. */
  times: Float64Array<ArrayBuffer>
  /** Of samples: the value, low word first. */
  words: Uint32Array<ArrayBuffer>
  /** Of series: where their words of the plan end. */
  planEnds: Uint32Array<ArrayBuffer>
  planLength: number
  plan: Uint32Array<ArrayBuffer>
}

export function makeBatch(): LogBatch {
  return {
    segment: 0,
    recordCount: 0,
    records: new Uint32Array(firstRecords * recordWords),
    bytesLength: 0,
    bytes: new Uint8Array(firstBytes),
    entryCount: 0,
    refs: new Float64Array(firstEntries),
    headRefs: new Uint32Array(firstEntries),
    times: new Float64Array(firstEntries),
    words: new Uint32Array(2 * firstEntries),
    planEnds: new Uint32Array(firstEntries),
    planLength: 0,
    plan: new Uint32Array(firstWords),
  }
}

export function buffersOf(batch: LogBatch): ArrayBuffer[] {
  return [batch.records, batch.bytes, batch.refs, batch.headRefs, batch.times, batch.words, batch.planEnds, batch.plan].map(
    ({ buffer }) => buffer,
  )
}

/** Whether it is worth being used again: an unusually large one is not. */
export function isOrdinary({ bytes, refs, plan, records }: LogBatch): boolean {
  return (
    bytes.length === firstBytes &&
    refs.length === firstEntries &&
    plan.length === firstWords &&
    records.length === firstRecords * recordWords
  )
}

/** Puts records into batches. */
export class BatchBuilder {
  readonly #planner = new LabelPlanner()
  batch: LogBatch = makeBatch()

  /** Goes on with an empty batch. */
  begin(batch: LogBatch, segment: number): void {
    this.batch = Object.assign(batch, { segment, recordCount: 0, bytesLength: 0, entryCount: 0, planLength: 0 })
  }

  /** Whether it has three quarters of what it has room for: the records of our own logs take less than the last one. */
  get isFull(): boolean {
    const { bytesLength, entryCount, planLength, recordCount } = this.batch
    return (
      bytesLength > fullShare * firstBytes ||
      entryCount > fullShare * firstEntries ||
      planLength > fullShare * firstWords ||
      recordCount > fullShare * firstRecords
    )
  }

  /** Copies a record; `entries` are those of `readRecord`. */
  add(type: number, record: Uint8Array, entries: RecordEntries): void {
    const { batch } = this
    const areSamples = isSamples(type)
    const start = batch.bytesLength
    const firstEntry = batch.entryCount
    // Samples are taken over as columns.
    const length = areSamples ? 0 : record.length
    if (start + length > batch.bytes.length) batch.bytes = growBytes(batch.bytes, Math.max(start + length, 2 * batch.bytes.length))
    if (length > 0) batch.bytes.set(record, start)
    batch.bytesLength += length
    if (areSamples) this.#addSamples(entries)
    else if (type === seriesRecord) this.#addSeries(record, entries)
    const to = batch.recordCount++ * recordWords
    if (to + recordWords > batch.records.length) batch.records = growWords(batch.records, 2 * batch.records.length)
    batch.records[to] = type
    batch.records[to + 1] = start
    batch.records[to + 2] = batch.bytesLength
    batch.records[to + 3] = firstEntry
    batch.records[to + 4] = batch.entryCount
  }

  #addSamples({ refs, times, words, length }: RecordEntries): void {
    const { batch } = this
    const first = batch.entryCount
    this.#reserveEntries(first + length)
    batch.refs.set(refs.subarray(0, length), first)
    batch.times.set(times.subarray(0, length), first)
    batch.words.set(words.subarray(0, 2 * length), 2 * first)
    // The words of a series begin where those of the entry before it end.
    if (length > 0) batch.planEnds[first + length - 1] = batch.planLength
    batch.entryCount += length
  }

  #addSeries(record: Uint8Array, { refs, starts, length }: RecordEntries): void {
    const { batch } = this
    const planner = this.#planner
    const first = batch.entryCount
    this.#reserveEntries(first + length)
    planner.begin(record)
    let at = batch.planLength
    for (let i = 0; i < length; i++) {
      const needed = at + planner.labelsOf(starts[i]!)
      if (needed > batch.plan.length) batch.plan = growWords(batch.plan, Math.max(needed, 2 * batch.plan.length))
      at = planner.plan(starts[i]!, batch.plan, at)
      batch.refs[first + i] = refs[i]!
      batch.planEnds[first + i] = at
    }
    batch.planLength = at
    batch.entryCount += length
  }

  #reserveEntries(count: number): void {
    const { batch } = this
    if (count <= batch.refs.length) return
    const capacity = Math.max(count, 2 * batch.refs.length)
    batch.refs = growDoubles(batch.refs, capacity)
    batch.headRefs = growWords(batch.headRefs, capacity)
    batch.times = growDoubles(batch.times, capacity)
    batch.words = growWords(batch.words, 2 * capacity)
    batch.planEnds = growWords(batch.planEnds, capacity)
  }
}

/** Runs of entries [first, end) of series that the head knows. */
export function forEachKnown(headRefs: Uint32Array, first: number, end: number, visit: (from: number, to: number) => void): void {
  for (let from = first; from < end;) {
    const unknown = headRefs.subarray(from, end).indexOf(0)
    const to = unknown < 0 ? end : from + unknown
    if (to > from) visit(from, to)
    from = to + 1
  }
}

/** The fields of record `i` of a batch. */
export function recordOf(batch: LogBatch, i: number, field: 'type' | 'start' | 'end' | 'firstEntry' | 'endEntry'): number {
  return batch.records[i * recordWords + fields[field]]!
}

const fields = { type: 0, start: 1, end: 2, firstEntry: 3, endEntry: 4 } as const
