import { Labels } from '@narthex/model/labels'
import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import type { Steps } from '../steps.ts'
import { readLabels } from '../wal/text-payload.ts'
import { ByteQueue } from './byte-queue.ts'
import { exemplarResult } from './exemplar-result.ts'
import type { ExemplarResult } from './exemplar-result.ts'
import { shareSnapshot } from './exemplar-snapshot.ts'
import type { ExemplarSnapshot } from './exemplar-snapshot.ts'
import { SeriesEntries } from './series-entries.ts'

/** More are not kept, whatever `max_exemplars` says. */
export const exemplarsMax = 2 ** 22
/** Code points of an exemplar's label names and values together, as OpenMetrics has it. */
export const exemplarLabelCharactersMax = 128
/** The labels of all exemplars, and those of their series, each. */
const labelBytesMax = 2 ** 29
// Columns grow up to the capacity: a large one costs nothing before it is used.
const firstRoom = 1024
const nobody = -1
const exemplarsPerStep = 1024

/** One that comes: its labels are `labels` at [from, to). Reused from one to the next. */
export interface GivenExemplar {
  timeMs: number
  /** Value bits. */
  low: number
  high: number
  labels: Uint8Array
  from: number
  to: number
}

/**
 * The newest exemplars of all series, in the order in which they came; one more than `capacity` takes the place of the oldest. They belong to
 * label sets, not to references, so one outlives its series in the head. Labels, of exemplars and series, are the bytes of a log record:
 * ┌ count uvarint ┬ (length uvarint ┬ bytes)* ┐, name and value by turns, sorted by name.
 */
export class ExemplarRing {
  /** Those that came later than a newer one of their series. */
  outOfOrder = 0
  appended = 0
  readonly #series = new SeriesEntries(labelBytesMax)
  #labels = new ByteQueue(labelBytesMax)
  #capacity = 0
  #times = new Float64Array(0)
  #words = new Uint32Array(0)
  #values = new Float64Array(this.#words.buffer)
  /** The entry in `#series` of each slot, or `nobody`. */
  #owners = new Int32Array(0)
  #count = 0
  #next = 0

  constructor(capacity = 0) {
    this.resize(capacity)
  }

  get capacity(): number {
    return this.#capacity
  }

  get count(): number {
    return this.#count
  }

  get seriesCount(): number {
    return this.#series.count
  }

  /** Milliseconds; 0 if there is none. */
  get oldestTimeMs(): number {
    return this.#count === 0 ? 0 : this.#times[this.#oldest]!
  }

  get usedBytes(): number {
    return this.#times.length * 20 + this.#labels.usedBytes + this.#series.usedBytes
  }

  /** The entry of a series of the head, -1 if it is not known by its reference. Entries are good until an exemplar is added. */
  entryOfRef(ref: number): number {
    return this.#series.findByRef(ref)
  }

  /** As `entryOfRef`, by the series' labels; it is known by its reference from then on. */
  entryOfLabels(ref: number, labels: Uint8Array, from: number, to: number): number {
    const entry = this.#series.find(labels, from, to)
    if (entry >= 0) this.#series.setRef(entry, ref)
    return entry
  }

  /** A reference of the head will mean another series. */
  forgetSeries(ref: number): void {
    this.#series.forget(ref)
  }

  /** What `add` would say of an exemplar of a series; -1 is one that has none. Changes nothing. */
  judge(entry: number, { timeMs, low, high, labels, from, to }: GivenExemplar): ExemplarResult {
    if (this.#capacity === 0) return exemplarResult.off
    if (entry < 0) return exemplarResult.accepted
    const newest = this.#series.newestOf(entry)
    valueWords[0] = low
    valueWords[1] = high
    const given = valueNumber[0]!
    const newestMs = this.#times[newest]!
    const newestValue = this.#values[newest]!
    if (timeMs > newestMs) return exemplarResult.accepted
    if (timeMs < newestMs) return exemplarResult.outOfOrder
    const isSameValue = given === newestValue
    if (isSameValue && this.#labels.equals(newest, labels, from, to)) return exemplarResult.duplicate
    // Several of one time, as the buckets of a native histogram have them, come by value, then by the hash of the labels.
    if (given < newestValue || (isSameValue && hashLabels(labels, from, to) < this.#hashOf(newest))) return exemplarResult.outOfOrder
    return exemplarResult.accepted
  }

  /** Keeps an exemplar of the series with these labels, if it is one to be kept, in the place of the oldest. */
  add(ref: number, seriesLabels: Uint8Array, exemplar: GivenExemplar): ExemplarResult {
    let entry = this.#series.findByRef(ref)
    if (entry < 0) entry = this.entryOfLabels(ref, seriesLabels, 0, seriesLabels.length)
    const result = this.judge(entry, exemplar)
    if (result === exemplarResult.outOfOrder) this.outOfOrder++
    if (result !== exemplarResult.accepted) return result
    if (entry < 0) {
      entry = this.#series.add(seriesLabels, 0, seriesLabels.length)
      if (entry < 0) return exemplarResult.noRoom
      this.#series.setRef(entry, ref)
    }
    // Before the oldest goes, which may be the only one that the series has.
    this.#series.hold(entry)
    return this.#put(entry, exemplar)
  }

  #put(entry: number, { timeMs, low, high, labels, from, to }: GivenExemplar): ExemplarResult {
    const slot = this.#next
    if (slot >= this.#times.length) this.#grow()
    if (this.#owners[slot] !== nobody) {
      this.#series.letGo(this.#owners[slot]!)
      this.#owners[slot] = nobody
      this.#labels.shift(slot, this.#after(slot))
      this.#count--
    }
    if (!this.#labels.push(slot, labels, from, to)) {
      this.#series.letGo(entry)
      return exemplarResult.noRoom
    }
    this.#times[slot] = timeMs
    this.#words[2 * slot] = low
    this.#words[2 * slot + 1] = high
    this.#owners[slot] = entry
    this.#series.setNewest(entry, slot)
    this.#next = this.#after(slot)
    this.#count++
    this.appended++
    return exemplarResult.accepted
  }

  /** Keeps the newest ones that fit; gives how many these are. */
  resize(wanted: number): number {
    const capacity = Math.min(exemplarsMax, Math.max(0, Math.floor(wanted)))
    if (capacity === this.#capacity) return this.#count
    const kept = Math.min(this.#count, capacity)
    const room = Math.min(capacity, Math.max(firstRoom, kept))
    const times = new Float64Array(room)
    const words = new Uint32Array(2 * room)
    const owners = new Int32Array(room).fill(nobody)
    const labels = new ByteQueue(labelBytesMax)
    const skipped = this.#count - kept
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#slotAt(i)
      const owner = this.#owners[slot]!
      if (i < skipped) {
        this.#series.letGo(owner)
        continue
      }
      const to = i - skipped
      times[to] = this.#times[slot]!
      words[2 * to] = this.#words[2 * slot]!
      words[2 * to + 1] = this.#words[2 * slot + 1]!
      owners[to] = owner
      const start = this.#labels.starts[slot]!
      labels.push(to, this.#labels.bytes, start, start + this.#labels.lengths[slot]!)
      // The newest of a series comes last.
      this.#series.setNewest(owner, to)
    }
    this.#capacity = capacity
    this.#setColumns(times, words, owners)
    this.#labels = labels
    this.#count = kept
    this.#next = kept === capacity ? 0 : kept
    return kept
  }

  /** All of it as it is now, oldest first, in memory that any thread may read. */
  snapshot(): ExemplarSnapshot {
    return shareSnapshot({
      count: this.#count,
      slotAt: (i) => this.#slotAt(i),
      times: this.#times,
      words: this.#words,
      owners: this.#owners,
      labels: this.#labels,
      series: this.#series.labels,
      seriesPlaces: this.#series.places,
    })
  }

  /** Oldest first. */
  saveState(state: StateWriter): void {
    const slots = Array.from({ length: this.#count }, (_, i) => this.#slotAt(i))
    const { starts, lengths, bytes } = this.#labels
    const series = this.#series
    state.array(
      'times',
      Float64Array.from(slots, (slot) => this.#times[slot]!),
    )
    state.array('words', Uint32Array.from(slots.flatMap((slot) => [this.#words[2 * slot]!, this.#words[2 * slot + 1]!])))
    state.array(
      'owners',
      Uint32Array.from(slots, (slot) => this.#owners[slot]!),
    )
    state.array(
      'labelLengths',
      Uint32Array.from(slots, (slot) => lengths[slot]!),
    )
    state.array(
      'labels',
      slots.map((slot) => bytes.subarray(starts[slot], starts[slot]! + lengths[slot]!)),
    )
    state.array(
      'seriesRefs',
      Uint32Array.from({ length: series.places }, (_, entry) => series.refOf(entry)),
    )
    state.array('seriesStarts', series.labels.starts.subarray(0, series.places))
    state.array('seriesLengths', series.labels.lengths.subarray(0, series.places))
    state.array('series', series.labels.bytes.subarray(0, series.labels.end))
  }

  /** Into a ring without exemplars that has room for all. */
  *restoreState(state: StateReader): Steps<void> {
    const times = state.doubles('times')
    const words = state.words('words')
    const owners = state.words('owners')
    const lengths = state.words('labelLengths')
    const labels = state.bytes('labels')
    const refs = state.words('seriesRefs')
    const starts = state.words('seriesStarts')
    const seriesLengths = state.words('seriesLengths')
    const series = state.bytes('series')
    const entries = new Int32Array(refs.length).fill(nobody)
    let from = 0
    for (const [i, timeMs] of times.entries()) {
      const owner = owners[i]!
      if (entries[owner] === nobody) {
        entries[owner] = this.#series.add(series, starts[owner]!, starts[owner]! + seriesLengths[owner]!)
        if (refs[owner]! > 0) this.#series.setRef(entries[owner]!, refs[owner]!)
      }
      this.#series.hold(entries[owner]!)
      this.#put(entries[owner]!, { timeMs, low: words[2 * i]!, high: words[2 * i + 1]!, labels, from, to: (from += lengths[i]!) })
      if (i % exemplarsPerStep === exemplarsPerStep - 1) yield
    }
    this.appended = 0
  }

  get #oldest(): number {
    return this.#slotAt(0)
  }

  #after(slot: number): number {
    return slot + 1 === this.#capacity ? 0 : slot + 1
  }

  #slotAt(i: number): number {
    const first = this.#next - this.#count
    const slot = first + i
    return slot < 0 ? slot + this.#capacity : slot
  }

  #hashOf(slot: number): bigint {
    const start = this.#labels.starts[slot]!
    return hashLabels(this.#labels.bytes, start, start + this.#labels.lengths[slot]!)
  }

  #grow(): void {
    const room = Math.min(this.#capacity, Math.max(firstRoom, 2 * this.#times.length))
    const times = new Float64Array(room)
    const words = new Uint32Array(2 * room)
    const owners = new Int32Array(room).fill(nobody)
    times.set(this.#times)
    words.set(this.#words)
    owners.set(this.#owners)
    this.#setColumns(times, words, owners)
  }

  #setColumns(times: Float64Array<ArrayBuffer>, words: Uint32Array<ArrayBuffer>, owners: Int32Array<ArrayBuffer>): void {
    this.#times = times
    this.#words = words
    this.#values = new Float64Array(words.buffer)
    this.#owners = owners
  }
}

const valueWords = new Uint32Array(2)
const valueNumber = new Float64Array(valueWords.buffer)

function hashLabels(labels: Uint8Array, from: number, to: number): bigint {
  return Labels.fromPairs(readLabels(labels, from, to)).hash()
}
