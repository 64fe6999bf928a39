import type { NativeHistogram } from '@narthex/model/native-histogram'
import { NORMAL_NAN_HIGH, NORMAL_NAN_LOW } from '@narthex/model/stale'
import { TargetHistograms } from './target-histograms.ts'

/** No explicit timestamp: the sample belongs to the time of the scrape. */
export const scrapeTimeMark = -Infinity

/**
 * What a target's series carry from scrape to scrape, one slot per series of its layout, in parallel arrays. `values` of a series that is
 * seen in a scrape is the scraped one; NaN is written as the normal NaN by `setValue`.
 */
export class TargetColumns {
  values = new Float64Array(0)
  words = new Uint32Array(0)
  /** The round (scrape) in which a series was seen last. */
  seenRounds = new Int32Array(0)
  round = 0

  /** Explicit timestamps of this scrape, and the newest that was written; both only once a target has sent one. */
  times: Float64Array | undefined
  writtenTimes: Float64Array | undefined

  /** Start timestamps, 0 = none, and native histograms; both only once a target has sent one. The value of a histogram's series is 0. */
  startTimes: Float64Array | undefined
  histograms: TargetHistograms | undefined

  get capacity(): number {
    return this.values.length
  }

  reserve(count: number): void {
    if (count <= this.values.length) return
    const capacity = Math.max(count, this.values.length + (this.values.length >> 1), 16)
    const values = new Float64Array(capacity)
    const words = new Uint32Array(values.buffer)
    // Copied as words: a stale marker would lose its bits as a number.
    words.set(this.words)
    const seenRounds = new Int32Array(capacity)
    seenRounds.set(this.seenRounds)
    this.values = values
    this.words = words
    this.seenRounds = seenRounds
    if (this.times !== undefined) this.times = growTimes(this.times, capacity)
    if (this.writtenTimes !== undefined) this.writtenTimes = growTimes(this.writtenTimes, capacity)
    if (this.startTimes !== undefined) this.startTimes = growStarts(this.startTimes, capacity)
    this.histograms?.reserve(capacity)
  }

  setValue(series: number, value: number): void {
    if (value === value) {
      this.values[series] = value
    } else {
      this.words[2 * series] = NORMAL_NAN_LOW
      this.words[2 * series + 1] = NORMAL_NAN_HIGH
    }
  }

  /** `timeMs` is scrapeTimeMark for a sample without a timestamp of its own. The sample has no start timestamp until `setStart`. */
  setSample(series: number, value: number, timeMs: number): void {
    this.setValue(series, value)
    this.histograms?.clear(series)
    this.#setTimes(series, timeMs)
  }

  /** As `setSample`. */
  setHistogram(series: number, histogram: NativeHistogram, timeMs: number): void {
    if (this.histograms === undefined) {
      this.histograms = new TargetHistograms()
      this.histograms.reserve(this.capacity)
    }
    this.values[series] = 0
    this.histograms.put(series, histogram)
    this.#setTimes(series, timeMs)
  }

  #setTimes(series: number, timeMs: number): void {
    if (this.startTimes !== undefined) this.startTimes[series] = 0
    if (timeMs !== scrapeTimeMark) this.setTime(series, timeMs)
    else if (this.times !== undefined) this.times[series] = scrapeTimeMark
  }

  /** 0 = none. */
  setStart(series: number, startTimeMs: number): void {
    if (startTimeMs === 0 && this.startTimes === undefined) return
    this.startTimes ??= new Float64Array(this.capacity)
    this.startTimes[series] = startTimeMs
  }

  /** Forgets histograms and start timestamps: an answer that failed half-way may have left some, and the next one sets its own. */
  forgetRare(): void {
    this.startTimes?.fill(0)
    this.histograms?.clearRange(0, this.capacity)
  }

  setTime(series: number, timeMs: number): void {
    if (this.times === undefined) {
      this.times = growTimes(new Float64Array(0), this.capacity)
      this.writtenTimes = growTimes(new Float64Array(0), this.capacity)
    }
    this.times[series] = timeMs
  }

  /** Moves slot i to `slots[i]`, which is never larger than i; a negative one drops the slot. */
  compact(slots: Int32Array, count: number): void {
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!
      if (slot < 0 || slot === i) continue
      this.words[2 * slot] = this.words[2 * i]!
      this.words[2 * slot + 1] = this.words[2 * i + 1]!
      this.seenRounds[slot] = this.seenRounds[i]!
      if (this.times !== undefined) this.times[slot] = this.times[i]!
      if (this.writtenTimes !== undefined) this.writtenTimes[slot] = this.writtenTimes[i]!
      if (this.startTimes !== undefined) this.startTimes[slot] = this.startTimes[i]!
      this.histograms?.move(i, slot)
    }
  }

  /** Makes the slot that of a series never seen. */
  clear(series: number): void {
    this.seenRounds[series] = 0
    if (this.times !== undefined) this.times[series] = scrapeTimeMark
    if (this.writtenTimes !== undefined) this.writtenTimes[series] = scrapeTimeMark
    if (this.startTimes !== undefined) this.startTimes[series] = 0
    this.histograms?.clear(series)
  }

  /** Makes the slots [from, to) those of series never seen. */
  clearRange(from: number, to: number): void {
    this.seenRounds.fill(0, from, to)
    this.times?.fill(scrapeTimeMark, from, to)
    this.writtenTimes?.fill(scrapeTimeMark, from, to)
    this.startTimes?.fill(0, from, to)
    this.histograms?.clearRange(from, to)
  }
}

function growTimes(times: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(capacity).fill(scrapeTimeMark)
  grown.set(times)
  return grown
}

function growStarts(times: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(capacity)
  grown.set(times)
  return grown
}
