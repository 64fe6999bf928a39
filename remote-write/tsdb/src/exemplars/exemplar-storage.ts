import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { Labels } from '@narthex/model/labels'
import type { Head } from '../head/head.ts'
import { putLabels, readLabels } from '../wal/text-payload.ts'
import { RecordBuilder } from '../wal/record-builder.ts'
import type { RecordEntries } from '../wal/record-entries.ts'
import { exemplarsRecord } from '../wal/wal-format.ts'
import type { CommitExtras } from '../wal/wal-writer.ts'
import { putSeriesLabels } from './series-label-bytes.ts'
import { exemplarResult } from './exemplar-result.ts'
import type { ExemplarResult } from './exemplar-result.ts'
import { exemplarLabelCharactersMax, ExemplarRing } from './exemplar-ring.ts'
import type { GivenExemplar } from './exemplar-ring.ts'

/** Where exemplars are made durable before they are found. */
export interface ExemplarLog {
  /** What the log calls the series of the head, which it has by now. */
  readonly references: { of(ref: number): number }
  writeRecords(records: Iterable<Uint8Array>): void
  /** Whom the log asks for what goes with the head's commit. */
  exemplars?: CommitExtras | undefined
}

const none: readonly Uint8Array[] = []

const recordBytes = 64 * 1024
const pendingBytesKept = 1024 * 1024

/**
 * The exemplars of the head's series: those given to `append` are checked at once and kept aside; `commit`, to be called after the head's own,
 * writes them to the log and lets them be found; `rollback` forgets them. One writer, in the head's thread.
 */
export class ExemplarStorage {
  readonly ring: ExemplarRing
  readonly #head: Head
  #log: ExemplarLog | undefined
  readonly #records = new RecordBuilder()
  readonly #seriesLabels = new ByteWriter(1024)
  readonly #texts = new ByteWriter(1024)
  readonly #given: GivenExemplar = { timeMs: 0, low: 0, high: 0, labels: new Uint8Array(0), from: 0, to: 0 }
  // Pending ones; the labels of i end at ends[i] of `#pendingLabels`.
  #refs: number[] = []
  #times: number[] = []
  #words: number[] = []
  #ends: number[] = []
  #pendingLabels = new ByteWriter(4096)
  /** Whether the log took them with the head's commit. */
  #isLogged = false

  constructor(head: Head, capacity: number) {
    this.#head = head
    this.ring = new ExemplarRing(capacity)
  }

  startLogging(log: ExemplarLog): void {
    this.#log = log
    log.exemplars = this
  }

  /** The series with these labels, 0 if the head has none. */
  findSeries(labels: Labels): number {
    return this.#head.findByLabels(labels)
  }

  /** Takes an exemplar for the next commit; labels in any order, an empty value is no label. */
  append(ref: number, timeMs: number, lowWord: number, highWord: number, labels: Labels): ExemplarResult {
    if (this.ring.capacity === 0) return exemplarResult.off
    this.#texts.reset()
    putLabels(this.#texts, labels.pairs)
    return this.#append(ref, timeMs, lowWord, highWord, this.#texts.bytes, 0, this.#texts.length)
  }

  /** As `append`, for labels that are bytes at [from, to): ┌ (length uvarint ┬ UTF-8)* ┐, name and value by turns, sorted by name, none empty. */
  appendTexts(ref: number, timeMs: number, lowWord: number, highWord: number, bytes: Uint8Array, from: number, to: number): ExemplarResult {
    if (this.ring.capacity === 0) return exemplarResult.off
    this.#texts.reset()
    this.#texts.uvarint(countTexts(bytes, from, to) / 2)
    this.#texts.raw(bytes, from, to)
    return this.#append(ref, timeMs, lowWord, highWord, this.#texts.bytes, 0, this.#texts.length)
  }

  /** Throws if the log cannot be written: then none of them is kept. */
  commit(): void {
    if (this.#refs.length === 0) return
    try {
      if (!this.#isLogged) this.#log?.writeRecords(this.#buildRecords())
      this.#forEachPending((ref) => this.#add(ref))
    } finally {
      this.rollback()
    }
  }

  rollback(): void {
    if (this.#refs.length === 0) return
    this.#isLogged = false
    this.#refs = []
    this.#times = []
    this.#words = []
    this.#ends = []
    this.#pendingLabels.reset()
    if (this.#pendingLabels.bytes.length > pendingBytesKept) this.#pendingLabels = new ByteWriter(4096)
  }

  /** For the log, within the head's commit. */
  takeRecords(): Iterable<Uint8Array> {
    if (this.#refs.length === 0) return none
    this.#isLogged = true
    return this.#buildRecords()
  }

  /** Takes over what a log has, of references of the head; what is older than `minTimeMs` was dropped with the samples. */
  restore(record: Uint8Array, entries: RecordEntries, minTimeMs: number): void {
    if (this.ring.capacity === 0) return
    const { refs, times, words, starts, ends, length } = entries
    for (let i = 0; i < length; i++) {
      if (times[i]! < minTimeMs) continue
      this.#setGiven(times[i]!, words[2 * i]!, words[2 * i + 1]!, record, starts[i]!, ends[i]!)
      this.#add(refs[i]!)
    }
  }

  /** To be called when a reference will mean another series. */
  forgetSeries(ref: number): void {
    this.ring.forgetSeries(ref)
  }

  #append(ref: number, timeMs: number, low: number, high: number, labels: Uint8Array, from: number, to: number): ExemplarResult {
    if (!(ref > 0)) return exemplarResult.unknownSeries
    if (isTooLong(labels, from, to)) return exemplarResult.labelsTooLong
    this.#setGiven(timeMs, low, high, labels, from, to)
    const result = this.ring.judge(this.#findEntry(ref), this.#given)
    if (result === exemplarResult.outOfOrder) this.ring.outOfOrder++
    if (result !== exemplarResult.accepted) return result
    this.#refs.push(ref)
    this.#times.push(timeMs)
    this.#words.push(low, high)
    this.#pendingLabels.raw(labels, from, to)
    this.#ends.push(this.#pendingLabels.length)
    return result
  }

  #setGiven(timeMs: number, low: number, high: number, labels: Uint8Array, from: number, to: number): void {
    const given = this.#given
    given.timeMs = timeMs
    given.low = low
    given.high = high
    given.labels = labels
    given.from = from
    given.to = to
  }

  #findEntry(ref: number): number {
    const known = this.ring.entryOfRef(ref)
    if (known >= 0) return known
    this.#readSeriesLabels(ref)
    return this.ring.entryOfLabels(ref, this.#seriesLabels.bytes, 0, this.#seriesLabels.length)
  }

  #add(ref: number): void {
    if (this.ring.entryOfRef(ref) < 0) this.#readSeriesLabels(ref)
    this.ring.add(ref, this.#seriesLabels.view(), this.#given)
  }

  #readSeriesLabels(ref: number): void {
    this.#seriesLabels.reset()
    putSeriesLabels(this.#seriesLabels, this.#head, ref)
  }

  #forEachPending(visit: (ref: number) => void): void {
    const labels = this.#pendingLabels.bytes
    for (let i = 0; i < this.#refs.length; i++) {
      const from = i === 0 ? 0 : this.#ends[i - 1]!
      this.#setGiven(this.#times[i]!, this.#words[2 * i]!, this.#words[2 * i + 1]!, labels, from, this.#ends[i]!)
      visit(this.#refs[i]!)
    }
  }

  *#buildRecords(): Generator<Uint8Array> {
    const records = this.#records
    const { references } = this.#log!
    const labels = this.#pendingLabels.bytes
    records.begin(exemplarsRecord)
    for (let i = 0; i < this.#refs.length; i++) {
      const ref = references.of(this.#refs[i]!)
      const from = i === 0 ? 0 : this.#ends[i - 1]!
      records.addPayload(ref, this.#times[i]!, 0, this.#words[2 * i]!, this.#words[2 * i + 1]!, labels, from, this.#ends[i]!)
      if (records.length < recordBytes) continue
      yield records.view()
      records.begin(exemplarsRecord)
    }
    if (records.count > 0) yield records.view()
  }
}

/** As many texts lie in [from, to). */
function countTexts(bytes: Uint8Array, from: number, to: number): number {
  const reader = new ByteReader(bytes, from, to)
  let count = 0
  for (; reader.remaining > 0; count++) reader.skip(reader.uvarint())
  return count
}

/** Whether labels have more code points than an exemplar may have. */
function isTooLong(labels: Uint8Array, from: number, to: number): boolean {
  // A code point has at least one byte, and each text a length before it.
  if (to - from <= exemplarLabelCharactersMax) return false
  let characters = 0
  for (const text of readLabels(labels, from, to)) for (const _ of text) characters++
  return characters > exemplarLabelCharactersMax
}
