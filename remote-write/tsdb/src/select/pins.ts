import { applyingAt, committedAt, epochAt, seriesCountAt, slotsAt } from '../head/head-memory.ts'
import type { HeadMemory } from '../head/head-memory.ts'
import { listLateGenerations } from '../head/late-layout.ts'
import type { LateGeneration } from '../head/late-layout.ts'
import * as record from '../head/series-record.ts'
import { pinLate } from './late-reader.ts'
import type { LatePins } from './late-reader.ts'

// Series per pass between two looks at the commit number: some 20 µs, less than the time between two commits.
const seriesPerPass = 2048
const attemptsMax = 20
const waitMs = 1

/** What a query may read of its series: for each, the newest chunk, how many samples the series had, and a time it has nothing after. */
export interface Pins {
  readonly refs: Uint32Array
  readonly chunks: Uint32Array
  readonly totals: Uint32Array
  readonly lastTimesMs: Float64Array
  /** Late samples, by generation; none if the head has none. */
  late: readonly LatePins[]
}

/** Moves what is pinned of series `from` to place `to`. */
export function movePin({ refs, chunks, totals, lastTimesMs, late }: Pins, from: number, to: number): void {
  refs[to] = refs[from]!
  chunks[to] = chunks[from]!
  totals[to] = totals[from]!
  lastTimesMs[to] = lastTimesMs[from]!
  for (const each of late) {
    each.pieces[to] = each.pieces[from]!
    each.totals[to] = each.totals[from]!
  }
}

/**
 * Takes snapshots of the head. Commits are applied between two stores of their number (`applying` before, `committed` after), so
 * what was read while both stayed equal is whole. A series that a later commit touched since the snapshot's began is taken as it
 * was before that commit; if two touched it, the pinning starts again from a newer commit.
 */
export class Pinner {
  readonly #memory: HeadMemory
  readonly #slotAt: number

  constructor(memory: HeadMemory, readerSlot: number) {
    this.#memory = memory
    this.#slotAt = slotsAt + readerSlot
  }

  get isHeld(): boolean {
    return this.#memory.control[this.#slotAt] !== 0
  }

  /** From here to `release` the writer uses no memory again that this reader can reach. */
  hold(): void {
    const { control } = this.#memory
    for (;;) {
      const epoch = Atomics.load(control, epochAt)
      Atomics.store(control, this.#slotAt, epoch)
      if (Atomics.load(control, epochAt) === epoch) return
    }
  }

  release(): void {
    Atomics.store(this.#memory.control, this.#slotAt, 0)
  }

  /** How many series are published. */
  seriesCount(): number {
    this.#waitForCommit()
    return this.#memory.control[seriesCountAt]!
  }

  pin(refs: Uint32Array): Pins {
    const count = refs.length
    const pins: Pins = {
      refs,
      chunks: new Uint32Array(count),
      totals: new Uint32Array(count),
      lastTimesMs: new Float64Array(count),
      late: [],
    }
    for (let attempt = 1; ; attempt++) {
      const { snapshot, generations } = this.#readGenerations()
      pins.late = generations.map((generation) => ({ ...generation, pieces: new Uint32Array(count), totals: new Uint32Array(count) }))
      // After many attempts against a very busy writer each series is taken at its own newest commit: whole, if not all of one instant.
      const newest = attempt > attemptsMax
      if (this.#pinAll(pins, snapshot, newest)) return pins
    }
  }

  #pinAll(pins: Pins, snapshot: number, newest: boolean): boolean {
    for (let from = 0; from < pins.refs.length; from += seriesPerPass) {
      const to = Math.min(pins.refs.length, from + seriesPerPass)
      for (;;) {
        const commit = this.#waitForCommit()
        const complete = this.#pinPass(pins, from, to, newest ? commit : snapshot)
        // The store keeps the reads before it and the load after it in their order on every processor.
        Atomics.store(this.#memory.control, this.#slotAt, this.#memory.control[this.#slotAt]!)
        if (Atomics.load(this.#memory.control, applyingAt) !== commit) continue
        if (!complete) return false
        break
      }
    }
    return true
  }

  #pinPass(pins: Pins, from: number, to: number, snapshot: number): boolean {
    const { series } = this.#memory
    for (let i = from; i < to; i++) {
      const ref = pins.refs[i]!
      const words = series.window(ref >>> record.seriesPerWindowShift)
      const at = (ref & record.seriesPerWindowMask) << record.recordShift
      if (words[at + record.lastCommitField]! <= snapshot) pins.totals[i] = words[at + record.totalField]!
      else if (words[at + record.previousCommitField]! <= snapshot) pins.totals[i] = words[at + record.previousTotalField]!
      else return false
      pins.chunks[i] = words[at + record.openChunkField]!
      for (const late of pins.late) if (!pinLate(this.#memory, late, i, ref, snapshot)) return false
      // Pending samples and newer commits included: an upper bound is enough.
      pins.lastTimesMs[i] = series.doubles[ref >>> record.seriesPerWindowShift]![at >>> 1]!
    }
    return true
  }

  /** A commit, and the generations that have all late samples up to it. */
  #readGenerations(): { readonly snapshot: number; readonly generations: readonly LateGeneration[] } {
    for (;;) {
      const snapshot = this.#waitForCommit()
      const generations = listLateGenerations(this.#memory)
      Atomics.store(this.#memory.control, this.#slotAt, this.#memory.control[this.#slotAt]!)
      if (Atomics.load(this.#memory.control, applyingAt) === snapshot) return { snapshot, generations }
    }
  }

  /** Waits until no commit is being applied and gives the number of the last. */
  #waitForCommit(): number {
    const { control } = this.#memory
    for (;;) {
      const committed = Atomics.load(control, committedAt)
      if (Atomics.load(control, applyingAt) === committed) return committed
      Atomics.wait(control, committedAt, committed, waitMs)
    }
  }
}
