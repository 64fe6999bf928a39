import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { listSegments } from '@narthex/tsdb/wal/log-files'
import { SegmentReader } from '@narthex/tsdb/wal/segment-reader'
import { CorruptionError, segmentName } from '@narthex/tsdb/wal/wal-format'
import type { LogPlace } from './log-place.ts'

export interface LogCursorEvents {
  /** The rest of a segment cannot be read. */
  onDamage(place: LogPlace, bytes: number, reason: string): void
  /** Segments from `from` to before `to` were removed before they were read. */
  onGap(from: number, to: number): void
}

/** An unfinished record that does not become whole for this long is damage, or was written over. */
const unfinishedMsMax = 5_000
/** How often the directory is listed for a later segment when the next number is not there. */
const listEveryMs = 1_000

/**
 * Reads the records of a log while it is written, across segments. What the writer has not finished is no record yet; what it took back (a
 * commit that the disk refused) is passed over.
 */
export class LogCursor {
  readonly #directory: string
  readonly #events: LogCursorEvents
  readonly #now: () => number
  #reader: SegmentReader | undefined
  #segment: number
  #offset: number
  /** A later segment was seen: this one does not grow any more. */
  #isFinal = false
  #unfinished: { readonly reason: string; readonly sinceMs: number } | undefined
  #listedMs = -Infinity

  /** `directory`: the `wal` directory. `now` never goes back, in milliseconds. */
  constructor(directory: string, place: LogPlace, events: LogCursorEvents, now: () => number = () => performance.now()) {
    this.#directory = directory
    this.#segment = place.segment
    this.#offset = place.offset
    this.#events = events
    this.#now = now
  }

  /** Where the next record begins. */
  get place(): LogPlace {
    return { segment: this.#segment, offset: this.#offset }
  }

  /**
   * The next record, uncompressed, valid until the next call; undefined when no further one is written yet, or the place has come to segment
   * `limit`.
   */
  next(limit = Infinity): Uint8Array | undefined {
    while (this.#segment < limit) {
      const reader = (this.#reader ??= this.#open())
      if (reader === undefined) return undefined
      const record = this.#read(reader)
      if (record !== undefined) {
        this.#offset = reader.offset
        this.#unfinished = undefined
        return record
      }
      if (this.#isFinal) {
        this.#leave(reader)
        continue
      }
      if (reader.refresh()) continue
      if (reader.size < this.#offset || this.#isStuck()) {
        this.#findBoundary(reader)
        return undefined
      }
      if (!this.#hasLaterSegment()) return undefined
      // What it has now is all: one more look.
      this.#isFinal = true
      reader.refresh()
    }
    return undefined
  }

  close(): void {
    this.#reader?.close()
    this.#reader = undefined
  }

  /** Bytes of the log that were not read. */
  measureBehind(): number {
    let bytes = 0
    for (const { index, path } of listSegments(this.#directory)) {
      if (index < this.#segment) continue
      bytes += sizeOf(path) - (index === this.#segment ? this.#offset : 0)
    }
    return Math.max(0, bytes)
  }

  #read(reader: SegmentReader): Uint8Array | undefined {
    try {
      return reader.next()
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      this.#unfinished ??= { reason: error.message, sinceMs: this.#now() }
      return undefined
    }
  }

  #open(): SegmentReader | undefined {
    try {
      return new SegmentReader(join(this.#directory, segmentName(this.#segment)), this.#offset)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    const later = this.#laterSegments()[0]
    if (later === undefined) return undefined
    this.#events.onGap(this.#segment, later)
    this.#goTo(later)
    return this.#open()
  }

  #goTo(segment: number): void {
    this.close()
    this.#segment = segment
    this.#offset = 0
    this.#isFinal = false
    this.#unfinished = undefined
  }

  #leave(reader: SegmentReader): void {
    const { place } = this
    if (this.#unfinished !== undefined) {
      const { reason } = this.#unfinished
      if (this.#findBoundary(reader)) return
      this.#events.onDamage(place, reader.size - place.offset, reason)
    }
    const next = this.#segment + 1
    const later = this.#laterSegments()[0] ?? next
    if (later > next) this.#events.onGap(next, later)
    this.#goTo(later)
  }

  #isStuck(): boolean {
    return this.#unfinished !== undefined && this.#now() - this.#unfinished.sinceMs > unfinishedMsMax
  }

  /** The writer took a commit back, and may have written another in its place: finds where a record begins. False if nothing says so. */
  #findBoundary(stuck: SegmentReader): boolean {
    const wanted = Math.min(this.#offset, stuck.size)
    const reader = new SegmentReader(join(this.#directory, segmentName(this.#segment)), 0)
    let start = 0
    let end = 0
    try {
      while (end < wanted && reader.next() !== undefined) {
        start = reader.recordOffset
        end = reader.offset
      }
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
    }
    reader.close()
    this.#unfinished = undefined
    // A record that lies across the place is one that was written later: it is read whole.
    const boundary = end > wanted ? start : end
    if (boundary === this.#offset || (end < wanted && boundary !== stuck.size)) return false
    this.#offset = boundary
    this.close()
    return true
  }

  #hasLaterSegment(): boolean {
    if (existsSync(join(this.#directory, segmentName(this.#segment + 1)))) return true
    const now = this.#now()
    if (now - this.#listedMs < listEveryMs) return false
    this.#listedMs = now
    return this.#laterSegments().length > 0
  }

  #laterSegments(): number[] {
    return listSegments(this.#directory)
      .map(({ index }) => index)
      .filter((index) => index > this.#segment)
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    // Removed meanwhile.
    return 0
  }
}
