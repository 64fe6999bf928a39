import { isStaleWords } from '@narthex/model/stale'
import { gaugeHistogram, unknownReset } from '@narthex/model/reset-hint'
import type { HistogramColumns } from '@narthex/model/histogram-columns'
import { readHistogram } from '../wal/histogram-payload.ts'
import { isFloatMark } from './histogram-mark.ts'
import { wordMask, wordShift } from './shared-arena.ts'
import type { SharedArena } from './shared-arena.ts'

// A late histogram lies in the arena of late samples as its record in the log has it:
// ┌ bytes 30 bits │ low bits of its mark 2 ┬ bytes, padded to what `roomFor` says ┐
export const markBits = 2
const markMask = (1 << markBits) - 1
export const wordsPerGranule = 16

/** Where the bytes of a payload lie in its window. */
export function payloadStart(place: number): number {
  return ((place & wordMask) + 1) * 4
}

export function payloadEnd(header: number, place: number): number {
  return payloadStart(place) + (header >>> markBits)
}

/** Payloads of late histograms; the writer's side. */
export class LatePayloads {
  readonly #arena: SharedArena

  constructor(arena: SharedArena) {
    this.#arena = arena
  }

  /** Words that a payload of so many bytes takes. */
  wordsFor(bytes: number): number {
    return roomFor(bytes)
  }

  /** Words that the one at `place` takes. */
  wordsAt(place: number): number {
    return roomFor(this.#header(place) >>> markBits)
  }

  /** Keeps bytes `[start, end)`; the caller has made sure of the memory. */
  put(bytes: Uint8Array, start: number, end: number, mark: number): number {
    const place = this.#arena.allocate(roomFor(end - start), wordsPerGranule)
    this.#arena.words[place >>> wordShift]![place & wordMask] = ((end - start) << markBits) | (mark & markMask)
    this.#arena.bytes[place >>> wordShift]!.set(bytes.subarray(start, end), payloadStart(place))
    return place
  }

  /** One more of the same. */
  copy(place: number): number {
    return this.put(this.bytesOf(place), payloadStart(place), this.endOf(place), this.markOf(place))
  }

  free(place: number, epoch: number): void {
    this.#arena.free(place, this.wordsAt(place), epoch)
  }

  /** The window that has it, at `payloadStart` to `endOf`. */
  bytesOf(place: number): Uint8Array {
    return this.#arena.bytes[place >>> wordShift]!
  }

  endOf(place: number): number {
    return payloadEnd(this.#header(place), place)
  }

  /** The low bits of its histogram's mark, which say of which kind it is. */
  markOf(place: number): number {
    return this.#header(place) & markMask
  }

  #header(place: number): number {
    return this.#arena.words[place >>> wordShift]![place & wordMask]!
  }
}

/** Appends the late histogram at `place` to columns. For any thread. */
export function readLatePayload(arena: SharedArena, place: number, timeMs: number, into: HistogramColumns): void {
  const header = arena.window(place >>> wordShift)[place & wordMask]!
  const end = payloadEnd(header, place)
  readPayload(arena.bytes[place >>> wordShift]!, payloadStart(place), end, isFloatMark(header & markMask), timeMs, into)
}

/** Appends the histogram of a payload to columns, without what its source said of resets: nobody knows which sample it meant. */
export function readPayload(bytes: Uint8Array, start: number, end: number, isFloat: boolean, timeMs: number, into: HistogramColumns): void {
  const logged = readHistogram(bytes, start, end, isFloat)
  if (logged === undefined) throw new Error('cannot read a late histogram: its spans and buckets disagree')
  const hint = logged.histogram.isGauge ? gaugeHistogram : unknownReset
  if (isStaleWords(logged.sumLow, logged.sumHigh)) into.pushStale(timeMs, 0, isFloat, hint)
  else into.pushHistogram(timeMs, 0, logged.histogram, hint)
}

/** In steps of a quarter or less, so that freed ones are used again for others of about the same size. */
function roomFor(bytes: number): number {
  const words = 1 + Math.ceil(bytes / 4)
  const step = Math.max(wordsPerGranule, 2 ** (29 - Math.clz32(words - 1)))
  return Math.ceil(words / step) * step
}
