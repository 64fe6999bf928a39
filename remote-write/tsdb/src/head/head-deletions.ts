import { addInterval } from '../block/tombstones.ts'
import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import type { DeletedIntervals } from './deleted-intervals.ts'

/**
 * What was deleted of the head's series: times up to the last one that a series had, so that what it gets later is there. The writer's side;
 * readers and cuts of the head get `view`. Memory: some 28 bytes an interval, twice that while intervals are added.
 */
export class HeadDeletions {
  #view: DeletedIntervals | undefined
  // Added, and not in the view yet: one reference, and a first and a last time each.
  #newRefs: number[] = []
  #newTimes: number[] = []

  /** For readers in any thread; the same until something changes, undefined if nothing is deleted. */
  get view(): DeletedIntervals | undefined {
    if (this.#newRefs.length > 0) this.#merge()
    return this.#view
  }

  /** Intervals of milliseconds, both ends included; those that end before they begin are passed over. */
  add(refs: ArrayLike<number>, firstMs: ArrayLike<number>, lastMs: ArrayLike<number>, count = refs.length): void {
    for (let i = 0; i < count; i++) {
      if (!(firstMs[i]! <= lastMs[i]!)) continue
      this.#newRefs.push(refs[i]!)
      this.#newTimes.push(firstMs[i]!, lastMs[i]!)
    }
  }

  /**
   * For when the head has nothing any more from before this time: intervals that ended before it go. To be called before a reference is used for
   * another series.
   */
  forgetBefore(cutoffMs: number): void {
    const { view } = this
    if (view === undefined || view.times.every((timeMs, i) => i % 2 === 0 || timeMs >= cutoffMs)) return
    const kept = new Columns(view.refs.length, view.times.length)
    for (let i = 0; i < view.refs.length; i++) {
      kept.begin(view.refs[i]!)
      for (let at = view.starts[i]!; at < view.starts[i + 1]!; at += 2) {
        if (view.times[at + 1]! >= cutoffMs) kept.put(view.times[at]!, view.times[at + 1]!)
      }
    }
    this.#view = kept.finish()
  }

  saveState(state: StateWriter): void {
    const { refs, starts, times } = this.view ?? nothing
    state.array('refs', refs)
    state.array('starts', starts)
    state.array('times', times)
  }

  restoreState(state: StateReader): void {
    const refs = state.words('refs')
    const starts = state.words('starts')
    const times = state.doubles('times')
    if (refs.length === 0) return
    const columns = new Columns(refs.length, times.length)
    for (let i = 0; i < refs.length; i++) columns.copy({ refs, starts, times }, i)
    this.#view = columns.finish()
  }

  #merge(): void {
    const refs = this.#newRefs
    const times = this.#newTimes
    this.#newRefs = []
    this.#newTimes = []
    const order = orderOf(refs)
    const old = this.#view ?? nothing
    const merged = new Columns(old.refs.length + refs.length, old.times.length + times.length)
    let oldAt = 0
    for (let from = 0; from < refs.length;) {
      const ref = refs[order[from]!]!
      for (; oldAt < old.refs.length && old.refs[oldAt]! < ref; oldAt++) merged.copy(old, oldAt)
      let to = from + 1
      while (to < refs.length && refs[order[to]!] === ref) to++
      merged.begin(ref)
      const hasOld = old.refs[oldAt] === ref
      // Most have one interval: no list is made for those.
      if (!hasOld && to === from + 1) merged.put(times[2 * order[from]!]!, times[2 * order[from]! + 1]!)
      else {
        const intervals: number[] = hasOld ? [...old.times.subarray(old.starts[oldAt], old.starts[oldAt + 1])] : []
        for (let i = from; i < to; i++) addInterval(intervals, times[2 * order[i]!]!, times[2 * order[i]! + 1]!)
        for (let i = 0; i < intervals.length; i += 2) merged.put(intervals[i]!, intervals[i + 1]!)
      }
      if (hasOld) oldAt++
      from = to
    }
    for (; oldAt < old.refs.length; oldAt++) merged.copy(old, oldAt)
    this.#view = merged.finish()
  }
}

/** Places in ascending order of references; a deletion gives them in that order already. */
function orderOf(refs: readonly number[]): Uint32Array {
  const order = new Uint32Array(refs.length)
  let isAscending = true
  for (let i = 0; i < refs.length; i++) {
    order[i] = i
    if (i > 0 && refs[i]! < refs[i - 1]!) isAscending = false
  }
  return isAscending ? order : order.sort((a, b) => refs[a]! - refs[b]! || a - b)
}

const nothing: DeletedIntervals = { refs: new Uint32Array(0), starts: new Uint32Array(1), times: new Float64Array(0) }

/** Intervals being put together, in memory that threads share. */
class Columns {
  readonly #refs: Uint32Array
  readonly #starts: Uint32Array
  readonly #times: Float64Array
  #refCount = 0
  #timeCount = 0

  constructor(refsMax: number, timesMax: number) {
    this.#refs = new Uint32Array(new SharedArrayBuffer(4 * refsMax))
    this.#starts = new Uint32Array(new SharedArrayBuffer(4 * (refsMax + 1)))
    this.#times = new Float64Array(new SharedArrayBuffer(8 * timesMax))
  }

  /** A series; one that gets no interval does not count. */
  begin(ref: number): void {
    if (this.#refCount > 0 && this.#starts[this.#refCount - 1] === this.#timeCount) this.#refCount--
    this.#refs[this.#refCount] = ref
    this.#starts[this.#refCount++] = this.#timeCount
  }

  put(firstMs: number, lastMs: number): void {
    this.#times[this.#timeCount++] = firstMs
    this.#times[this.#timeCount++] = lastMs
  }

  copy({ refs, starts, times }: DeletedIntervals, i: number): void {
    this.begin(refs[i]!)
    for (let at = starts[i]!; at < starts[i + 1]!; at += 2) this.put(times[at]!, times[at + 1]!)
  }

  finish(): DeletedIntervals | undefined {
    if (this.#refCount > 0 && this.#starts[this.#refCount - 1] === this.#timeCount) this.#refCount--
    if (this.#refCount === 0) return undefined
    this.#starts[this.#refCount] = this.#timeCount
    return {
      refs: this.#refs.subarray(0, this.#refCount),
      starts: this.#starts.subarray(0, this.#refCount + 1),
      times: this.#times.subarray(0, this.#timeCount),
    }
  }
}
