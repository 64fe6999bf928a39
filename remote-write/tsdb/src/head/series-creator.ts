import { randomInt } from 'node:crypto'
import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import type { HeadMemory } from './head-memory.ts'
import type { LabelPairs } from './label-pairs.ts'
import { PostingRuns } from './posting-runs.ts'
import * as record from './series-record.ts'
import { SeriesTable } from './series-table.ts'
import { wordMask, wordShift } from './shared-arena.ts'
import { mix32 } from './shared-table.ts'
import type { Symbols } from './symbols.ts'

/** A series with more labels is refused. */
export const labelsPerSeriesMax = 65_536

/** Finds series by their labels and makes new ones. Part of the head's writer. */
export class SeriesCreator {
  readonly #memory: HeadMemory
  readonly #symbols: Symbols
  readonly #pairs: LabelPairs
  readonly #table = new SeriesTable()
  #seed = randomInt(0x7fffffff)
  /** Places for series in use or used before: references 1…n. */
  places = 0
  /** Series that were not forgotten. */
  count = 0
  refusal = ''
  // The label set asked for: pair ids in the order given, without empty values.
  #ids = new Uint32Array(64)
  #length = 0
  #hash = 0
  #hashes = new Uint32Array(16)
  readonly #recent = new RecentPairs()
  readonly #postings: PostingRuns
  /** Pairs of the series made last, and the names of these, in their order. */
  #lastIds = new Uint32Array(64)
  #names = new Uint32Array(64)
  #namesLength = 0
  readonly #isSame = (ref: number): boolean => this.#hasLabels(ref)

  constructor(memory: HeadMemory, symbols: Symbols, pairs: LabelPairs) {
    this.#memory = memory
    this.#symbols = symbols
    this.#pairs = pairs
    this.#postings = new PostingRuns(pairs)
  }

  /** Puts the series made since into the lists of their pairs: to be called before anybody looks for them there. */
  flushPostings(): void {
    this.#postings.flush()
  }

  get usedBytes(): number {
    return this.#table.usedBytes
  }

  /** After `flushPostings`. */
  saveState(state: StateWriter): void {
    state.numbers({ seed: this.#seed, places: this.places, count: this.count })
    this.#table.saveState(state.part('table'))
  }

  restoreState(state: StateReader): void {
    this.#seed = state.number('seed')
    this.places = state.number('places')
    this.count = state.number('count')
    this.#table.restoreState(state.part('table'))
  }

  /** The series with these pairs of name and value symbols, 0 if there is none yet, -1 if one of them is no symbol. */
  find(symbols: Uint32Array, pairCount: number): number {
    let hash = 0
    let length = 0
    if (pairCount > this.#ids.length) this.#ids = new Uint32Array(Math.min(pairCount * 2, labelsPerSeriesMax + 1))
    for (let i = 0; i < pairCount && length < labelsPerSeriesMax; i++) {
      const value = symbols[2 * i + 1]!
      const name = symbols[2 * i]!
      let pair = this.#recent.find(i, name, value)
      if (pair === 0) {
        if (value === 0 || name === 0) return -1
        if (this.#symbols.length(value) === 0) continue
        pair = this.#pairs.find(name, value)
        if (pair === 0) return 0
        this.#recent.set(i, name, value, pair)
      }
      this.#ids[length++] = pair
      // A sum, so that the order of the labels does not matter.
      hash = (hash + mix32(pair ^ this.#seed)) | 0
    }
    this.#length = length
    this.#hash = hash >>> 0
    return this.#table.find(this.#hash, this.#isSame)
  }

  /** Makes the series that `find` did not find; below 0 if it is refused, with the reason in `refusal`. */
  create(symbols: Uint32Array, pairCount: number): number {
    return this.#resolve(symbols, pairCount) ? this.#make() : -1
  }

  /** Reads where `findByPairs` will look; nothing comes of it but that the processor has it. See `Head.touchSeries`. */
  touch(pairs: Uint32Array, starts: Uint32Array, count: number): void {
    if (count > this.#hashes.length) this.#hashes = new Uint32Array(count)
    const hashes = this.#hashes
    for (let k = 0; k < count; k++) {
      hashes[k] = this.#hashOf(pairs, starts[k]!, starts[k + 1]!)
    }
    this.#table.touch(hashes, count)
  }

  /** As `find`, for `count` pairs that are known, from `from` on. */
  findByPairs(pairs: Uint32Array, from: number, count: number): number {
    if (count > this.#ids.length) this.#ids = new Uint32Array(Math.min(count * 2, labelsPerSeriesMax + 1))
    let hash = 0
    const length = Math.min(count, this.#ids.length)
    for (let i = 0; i < length; i++) {
      const pair = pairs[from + i]!
      this.#ids[i] = pair
      hash = (hash + mix32(pair ^ this.#seed)) | 0
    }
    this.#length = length
    this.#hash = hash >>> 0
    return this.#table.find(this.#hash, this.#isSame)
  }

  /** Makes the series that `findByPairs` did not find. */
  createByPairs(count: number): number {
    if (count > labelsPerSeriesMax) return this.#refuse(tooManyLabelsText(count))
    return count === 0 ? this.#refuse(emptyLabelsText) : this.#make()
  }

  #make(): number {
    const length = this.#length
    const ids = this.#ids
    if (!this.#hasNamesOfLast() && !this.#orderByName()) return -1
    const { labels, series, postings } = this.#memory
    if (!labels.ensure(length + 1) || !series.ensure(record.recordWords) || !postings.ensure(PostingRuns.wordsMax(length))) {
      return this.#refuse('head memory ceiling for new series reached: no shared memory left')
    }
    const list = labels.allocate(length + 1)
    const listWords = labels.words[list >>> wordShift]!
    listWords[list & wordMask] = length
    for (let i = 0; i < length; i++) listWords[(list & wordMask) + 1 + i] = ids[i]!
    const ref = this.#addRecord(list)
    this.#postings.add(ref, ids, length)
    this.#table.add(this.#hash, ref)
    return ref
  }

  /** Whether the labels come in an order that was found good for the series made before. */
  #hasNamesOfLast(): boolean {
    const length = this.#length
    if (length !== this.#namesLength) return false
    const ids = this.#ids
    const last = this.#lastIds
    for (let i = 0; i < length; i++) {
      if (ids[i] === last[i]) continue
      if (this.#pairs.name(ids[i]!) !== this.#names[i]) return false
      last[i] = ids[i]!
    }
    return true
  }

  #orderByName(): boolean {
    const length = this.#length
    const ids = this.#ids
    this.#sortByName()
    if (this.#names.length < length) {
      this.#names = new Uint32Array(ids.length)
      this.#lastIds = new Uint32Array(ids.length)
    }
    this.#namesLength = 0
    for (let i = 0; i < length; i++) {
      const name = this.#pairs.name(ids[i]!)
      if (i > 0 && name === this.#names[i - 1])
        return this.#refuse(`label name "${this.#symbols.text(name)}" is not unique: invalid sample`) > 0
      this.#names[i] = name
      this.#lastIds[i] = ids[i]!
    }
    this.#namesLength = length
    return true
  }

  #addRecord(list: number): number {
    const { series } = this.#memory
    const at = series.allocate(record.recordWords, record.recordWords)
    series.words[at >>> wordShift]![(at & wordMask) + record.labelsField] = list
    series.doubles[at >>> wordShift]![(at & wordMask) >>> 1] = -Infinity
    const ref = at >>> record.recordShift
    this.count++
    this.places = Math.max(this.places, ref)
    return ref
  }

  /** For when pairs are freed: what is kept of the last series' ones is forgotten. */
  forgetRecentPairs(): void {
    this.#recent.clear()
    this.#namesLength = 0
  }

  /** From here on its labels do not find a series; the caller sees to its memory. */
  forget(ref: number): void {
    const { series, labels } = this.#memory
    const words = series.words[ref >>> record.seriesPerWindowShift]!
    const list = words[((ref & record.seriesPerWindowMask) << record.recordShift) + record.labelsField]!
    const listWords = labels.words[list >>> wordShift]!
    const at = list & wordMask
    this.#table.remove(this.#hashOf(listWords, at + 1, at + 1 + listWords[at]!), ref)
    this.count--
  }

  /** Of the pairs in the words [from, to). */
  #hashOf(words: Uint32Array, from: number, to: number): number {
    let hash = 0
    for (let i = from; i < to; i++) hash = (hash + mix32(words[i]! ^ this.#seed)) | 0
    return hash >>> 0
  }

  /** Interns the pairs; false if that is refused. */
  #resolve(symbols: Uint32Array, pairCount: number): boolean {
    let hash = 0
    let length = 0
    if (pairCount > labelsPerSeriesMax) return this.#refuse(tooManyLabelsText(pairCount)) > 0
    for (let i = 0; i < pairCount; i++) {
      const name = symbols[2 * i]!
      const value = symbols[2 * i + 1]!
      let pair = this.#recent.find(i, name, value)
      if (pair === 0) {
        if (this.#symbols.length(value) === 0) continue
        pair = this.#pairs.intern(name, value)
        if (pair === 0) return this.#refuse('head memory ceiling for new series reached: no shared memory left') > 0
        this.#recent.set(i, name, value, pair)
      }
      this.#ids[length++] = pair
      hash = (hash + mix32(pair ^ this.#seed)) | 0
    }
    if (length === 0) return this.#refuse(emptyLabelsText) > 0
    this.#length = length
    this.#hash = hash >>> 0
    return true
  }

  #refuse(reason: string): number {
    this.refusal = reason
    return -1
  }

  /** Senders have to sort, so this mostly only checks. */
  #sortByName(): void {
    const ids = this.#ids.subarray(0, this.#length)
    if (ids.length > 64) {
      ids.set([...ids].sort((a, b) => this.#compareNames(a, b)))
      return
    }
    for (let i = 1; i < ids.length; i++) {
      const moved = ids[i]!
      let to = i
      for (; to > 0 && this.#compareNames(ids[to - 1]!, moved) > 0; to--) ids[to] = ids[to - 1]!
      ids[to] = moved
    }
  }

  #compareNames(a: number, b: number): number {
    return this.#symbols.compare(this.#pairs.name(a), this.#pairs.name(b))
  }

  #hasLabels(ref: number): boolean {
    const { series, labels } = this.#memory
    const list =
      series.words[ref >>> record.seriesPerWindowShift]![((ref & record.seriesPerWindowMask) << record.recordShift) + record.labelsField]!
    const words = labels.words[list >>> wordShift]!
    const at = (list & wordMask) + 1
    const length = this.#length
    if (words[at - 1] !== length) return false
    let same = 0
    while (same < length && words[at + same] === this.#ids[same]) same++
    if (same === length) return true
    // Not in the stored order: each stored pair must be among those asked for, and none of these may be there twice.
    const asked = this.#ids.slice(0, length).sort()
    const stored = words.slice(at, at + length).sort()
    return asked.every((pair, i) => pair === stored[i])
  }
}

const placesKept = 64

/** The pairs of the series asked for last, by their places: the next one has most of them at the same. */
class RecentPairs {
  readonly #names = new Uint32Array(placesKept)
  readonly #values = new Uint32Array(placesKept)
  readonly #pairs = new Uint32Array(placesKept)

  /** 0 if another pair or none was at this place. */
  find(place: number, name: number, value: number): number {
    return place < placesKept && this.#names[place] === name && this.#values[place] === value ? this.#pairs[place]! : 0
  }

  set(place: number, name: number, value: number, pair: number): void {
    if (place >= placesKept) return
    this.#names[place] = name
    this.#values[place] = value
    this.#pairs[place] = pair
  }

  clear(): void {
    this.#pairs.fill(0)
  }
}

const emptyLabelsText = 'empty labelset: invalid sample'

function tooManyLabelsText(count: number): string {
  return `want at most ${labelsPerSeriesMax} labels a series, got ${count}`
}
