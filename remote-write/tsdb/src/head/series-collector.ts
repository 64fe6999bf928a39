import { epochAt, freedAt } from './head-memory.ts'
import type { HeadMemory } from './head-memory.ts'
import type { LabelPairs } from './label-pairs.ts'
import { ReferenceList } from './reference-list.ts'
import type { SeriesCreator } from './series-creator.ts'
import * as record from './series-record.ts'
import { wordMask, wordShift } from './shared-arena.ts'
import type { WireAliases } from './wire-aliases.ts'

/** A step does so much: a place looked at is one, a reference copied too, a series freed or a list written anew some more. About a millisecond. */
const workPerStep = 20_000
const workPerSeries = 32
const workPerList = 16
const aliasesPerStep = 32_768
const valuesPerStep = 8192

export interface SeriesCollectorParts {
  readonly memory: HeadMemory
  readonly pairs: LabelPairs
  readonly creator: SeriesCreator
  readonly aliases: WireAliases
  /** A series was freed; its labels are still there. */
  readonly onFreed: (ref: number) => void
  /** Whether a series without a chunk is needed all the same. */
  readonly keeps: (ref: number) => boolean
}

/**
 * Frees the series that have no sample left in the head, and the label pairs and texts that only they had, in steps between two commits. What a
 * step makes unreachable readers may still hold, by the epoch they pinned; its memory is used again when none does.
 */
export class SeriesCollector {
  /** Goes up with each step that freed a series: references that were asked for before may mean another one. */
  version = 0
  freed = 0
  readonly #parts: SeriesCollectorParts
  #round: Generator<void> | undefined

  constructor(parts: SeriesCollectorParts) {
    this.#parts = parts
  }

  /** Whether a round has begun and not ended. */
  get isRunning(): boolean {
    return this.#round !== undefined
  }

  /** Does one step of a round, the first one if none is running; false at its end. */
  step(): boolean {
    this.#round ??= this.#collect()
    this.#parts.creator.forgetRecentPairs()
    const { freed } = this
    const isDone = this.#round.next().done === true
    if (isDone) this.#round = undefined
    if (this.freed > freed) this.version++
    const { control } = this.#parts.memory
    // In this order: who pins an epoch after the step sees that what it knows is out of date.
    Atomics.add(control, freedAt, 1)
    Atomics.add(control, epochAt, 1)
    return !isDone
  }

  *#collect(): Generator<void> {
    const { memory, creator, aliases } = this.#parts
    const dead = new DeadSeries(creator.places, memory.pairs.usedWords >>> 3)
    yield* this.#findDead(dead)
    if (dead.refs.length === 0) return
    for (let entry = 1; entry !== 0;) {
      entry = aliases.forget(dead.bits, entry, aliasesPerStep)
      yield
    }
    const isWhole = yield* this.#cleanPostings(dead)
    yield* this.#unlinkValues(dead)
    // A list that could not be written anew still has some of the places: they stay unused.
    if (isWhole) yield* this.#freeRecords(dead)
  }

  *#findDead(dead: DeadSeries): Generator<void> {
    const { memory, creator, onFreed, keeps } = this.#parts
    let work = 0
    for (let ref = 1, { places } = creator; ref <= places; ref++) {
      if (++work >= workPerStep) {
        work = 0
        yield
      }
      const at = (ref & record.seriesPerWindowMask) << record.recordShift
      const words = memory.series.words[ref >>> record.seriesPerWindowShift]!
      const doubles = memory.series.doubles[ref >>> record.seriesPerWindowShift]!
      if (words[at + record.labelsField] === 0 || words[at + record.openChunkField] !== 0 || doubles[at >>> 1] === Infinity) continue
      if (keeps(ref)) continue
      creator.forget(ref)
      onFreed(ref)
      // No sample is later than this, and a reader that meets it from now on finds that it never had one.
      doubles[at >>> 1] = Infinity
      words[at + record.totalField] = 0
      words[at + record.previousTotalField] = 0
      dead.add(ref)
      this.#forEachPair(ref, (pair) => dead.touched.add(pair))
      this.freed++
      work += workPerSeries
    }
  }

  *#cleanPostings(dead: DeadSeries): Generator<void, boolean> {
    const { memory, pairs } = this.#parts
    let isWhole = true
    let work = 0
    for (const pair of dead.touched.members()) {
      const epoch = memory.control[epochAt]!
      work += workPerList + pairs.count(pair)
      const left = pairs.removePostings(pair, dead.bits, epoch)
      if (left < 0) isWhole = false
      if (left === 0) {
        dead.emptied.add(pair)
        dead.names.add(pairs.find(pairs.name(pair), 0))
        pairs.removePair(pair, epoch)
      }
      if (work < workPerStep) continue
      work = 0
      yield
    }
    return isWhole
  }

  *#unlinkValues(dead: DeadSeries): Generator<void> {
    const { memory, pairs } = this.#parts
    for (const name of dead.names) {
      for (let previous = 0; previous >= 0;) {
        previous = pairs.unlinkValues(name, dead.emptied.bits, previous, valuesPerStep, memory.control[epochAt]!)
        if (previous > 0) yield
      }
    }
  }

  *#freeRecords(dead: DeadSeries): Generator<void> {
    const { memory } = this.#parts
    let work = 0
    // From the last to the first, so that the places come out of their stack ascending, and postings mostly stay so.
    for (let i = dead.refs.length - 1; i >= 0; i--) {
      const ref = dead.refs.at(i)
      const epoch = memory.control[epochAt]!
      const list = this.#labelList(ref)
      memory.labels.free(list, memory.labels.words[list >>> wordShift]![list & wordMask]! + 1, epoch)
      memory.series.free((ref << record.recordShift) >>> 0, record.recordWords, epoch)
      work += 4
      if (work < workPerStep) continue
      work = 0
      yield
    }
  }

  #labelList(ref: number): number {
    const words = this.#parts.memory.series.words[ref >>> record.seriesPerWindowShift]!
    return words[((ref & record.seriesPerWindowMask) << record.recordShift) + record.labelsField]!
  }

  #forEachPair(ref: number, visit: (pair: number) => void): void {
    const list = this.#labelList(ref)
    const words = this.#parts.memory.labels.words[list >>> wordShift]!
    const at = list & wordMask
    for (let i = 1; i <= words[at]!; i++) visit(words[at + i]!)
  }
}

/** What one round is about. Memory: a bit for each place and two for each pair, and four bytes for each series freed. */
class DeadSeries {
  readonly refs = new ReferenceList()
  readonly bits: Uint32Array
  /** Pairs that dead series had; those of them that have no series left; and the records of the names of these. */
  readonly touched: Bits
  readonly emptied: Bits
  readonly names = new Set<number>()

  constructor(places: number, pairs: number) {
    this.bits = new Uint32Array((places >>> 5) + 1)
    this.touched = new Bits(pairs)
    this.emptied = new Bits(pairs)
  }

  add(ref: number): void {
    this.refs.add(ref)
    this.bits[ref >>> 5]! |= 1 << (ref & 31)
  }
}

class Bits {
  readonly bits: Uint32Array

  constructor(highest: number) {
    this.bits = new Uint32Array((highest >>> 5) + 1)
  }

  add(member: number): void {
    this.bits[member >>> 5]! |= 1 << (member & 31)
  }

  *members(): Generator<number> {
    for (let i = 0; i < this.bits.length; i++) {
      for (let word = this.bits[i]!; word !== 0; word &= word - 1) yield i * 32 + 31 - Math.clz32(word & -word)
    }
  }
}
