import { setImmediate as nextTurn } from 'node:timers/promises'
import { listLog } from '@narthex/tsdb/wal/log-files'
import { readRecord } from '@narthex/tsdb/wal/read-record'
import { RecordEntries } from '@narthex/tsdb/wal/record-entries'
import { SegmentReader } from '@narthex/tsdb/wal/segment-reader'
import { CorruptionError, seriesRecord } from '@narthex/tsdb/wal/wal-format'
import { isBefore, type LogPlace } from './log-place.ts'
import type { SeriesCatalog } from './series-catalog.ts'

/** Work of this long is done between two turns of the event loop. */
const sliceMs = 10

/** Fills the catalog with the series that stand in the log before a place, and empties it of those that checkpoints let go of. */
export class SeriesLoader {
  readonly #directory: string
  readonly #catalog: SeriesCatalog
  readonly #entries = new RecordEntries()
  /** Series before this place are in the catalog; undefined: none are. */
  #loadedTo: LogPlace | undefined
  #checkpoint = -1
  #working: Promise<void> = Promise.resolve()
  #isClosed = false

  /** `directory`: the `wal` directory. */
  constructor(directory: string, catalog: SeriesCatalog) {
    this.#directory = directory
    this.#catalog = catalog
  }

  /** Resolves when the catalog has all series before `place`, or this is closed. */
  loadTo(place: LogPlace): Promise<void> {
    const turn = this.#working.then(() => this.#loadTo(place))
    this.#working = turn.catch(() => undefined)
    return turn
  }

  /** Somebody took all records from `from` to before `to` himself. */
  noteRead(from: LogPlace, to: LogPlace): void {
    if (this.#loadedTo !== undefined && !isBefore(this.#loadedTo, from) && isBefore(this.#loadedTo, to)) this.#loadedTo = to
  }

  /** Looks for a new checkpoint; `oldestSegment` is the oldest one that anybody still reads. */
  forgetDropped(oldestSegment: number): Promise<void> {
    const turn = this.#working.then(() => this.#forgetDropped(oldestSegment))
    this.#working = turn.catch(() => undefined)
    return turn
  }

  close(): void {
    this.#isClosed = true
  }

  async #forgetDropped(oldestSegment: number): Promise<void> {
    const { checkpoint, segmentsOfCheckpoint } = listLog(this.#directory)
    if (this.#loadedTo === undefined || checkpoint === undefined || checkpoint.index <= this.#checkpoint) return
    if (oldestSegment <= checkpoint.index) return
    // What the checkpoint has counts as seen behind it.
    for (const { path } of segmentsOfCheckpoint) await this.#loadSegment(path, 0, Infinity, checkpoint.index + 1)
    if (this.#isClosed) return
    this.#checkpoint = checkpoint.index
    this.#catalog.forget(checkpoint.index + 1)
  }

  async #loadTo(place: LogPlace): Promise<void> {
    const { checkpoint, segmentsOfCheckpoint, segments } = listLog(this.#directory)
    if (this.#loadedTo === undefined) {
      for (const { path } of segmentsOfCheckpoint) await this.#loadSegment(path, 0, Infinity, checkpoint!.index + 1)
      if (this.#isClosed) return
      this.#checkpoint = checkpoint?.index ?? -1
      this.#loadedTo = { segment: segments[0]?.index ?? place.segment, offset: 0 }
    }
    for (const { index, path } of segments) {
      const from: LogPlace = this.#loadedTo
      if (index < from.segment || index > place.segment) continue
      const start = index === from.segment ? from.offset : 0
      const end = index === place.segment ? place.offset : Infinity
      await this.#loadSegment(path, start, end, index)
      if (this.#isClosed) return
    }
    if (isBefore(this.#loadedTo, place)) this.#loadedTo = place
  }

  /** A damaged segment ends where the damage begins, and one that was removed meanwhile is in a checkpoint: the next look finds that. */
  async #loadSegment(path: string, start: number, end: number, segment: number): Promise<void> {
    if (start >= end) return
    let reader: SegmentReader | undefined
    let sliceStart = performance.now()
    try {
      reader = new SegmentReader(path, start)
      while (reader.offset < end && !this.#isClosed) {
        const record = reader.next(seriesRecord)
        if (record === undefined) return
        this.#take(record, segment)
        if (performance.now() - sliceStart < sliceMs) continue
        await nextTurn()
        sliceStart = performance.now()
      }
    } catch (error) {
      if (!(error instanceof CorruptionError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    } finally {
      reader?.close()
    }
  }

  #take(record: Uint8Array, segment: number): void {
    const entries = this.#entries
    if (record[0] !== seriesRecord) return
    readRecord(record, entries)
    const { refs, starts, ends, length } = entries
    for (let i = 0; i < length; i++) this.#catalog.add(refs[i]!, segment, record, starts[i]!, ends[i]!)
  }
}
