import { existsSync } from 'node:fs'
import { finishSteps } from '../steps.ts'
import type { Steps } from '../steps.ts'
import { checkpointFiles } from './checkpoint-files.ts'
import { listSegments } from './log-files.ts'
import { readSegmentInSteps } from './read-segments.ts'
import type { TakeRecord } from './read-segments.ts'
import { RecordBuilder } from './record-builder.ts'
import { RecordEntries } from './record-entries.ts'
import type { Damage } from './repair.ts'
import { SegmentReader } from './segment-reader.ts'
import { CorruptionError, mmapMarkersRecord, samplesRecord } from './wal-format.ts'
import { WalWriter } from './wal-writer.ts'
import type { WalWriterOptions } from './wal-writer.ts'

/** As in the log of samples in order. */
const entriesPerRecord = 8192

/**
 * Writes the log of out-of-order samples (`wbl/`): segments as those of the log, with samples and markers. A marker says that all
 * samples of its series so far are in a head chunk; so it comes before the samples that begin the next chunk.
 */
export class WblWriter {
  readonly #options: WalWriterOptions
  readonly #writer: WalWriter
  readonly #builder = new RecordBuilder()
  readonly #full: Uint8Array[] = []

  constructor(options: WalWriterOptions) {
    this.#options = options
    this.#writer = new WalWriter(options)
  }

  get segment(): number {
    return this.#writer.segment
  }

  /** What was written, for metrics. */
  get figures(): Pick<WalWriter, 'segment' | 'pagesCompleted' | 'flushes' | 'writesFailed' | 'bytesWritten'> {
    return this.#writer
  }

  addSample(logRef: number, timeMs: number, lowWord: number, highWord: number): void {
    this.#begin(samplesRecord)
    this.#builder.addSample(logRef, timeMs, lowWord, highWord)
  }

  addMarker(logRef: number, file: number, offset: number): void {
    this.#begin(mmapMarkersRecord)
    this.#builder.addMarker(logRef, file, offset)
  }

  /** Writes what was added, in that order; on an error nothing of it is in the log, and it is forgotten. */
  commit(): void {
    this.#cut()
    if (this.#full.length === 0) return
    try {
      this.#writer.writeRecords(this.#full)
    } finally {
      this.#full.length = 0
    }
  }

  /** Whole records, as `WalWriter.writeRecords`. */
  writeRecords(records: Iterable<Uint8Array>): void {
    this.#writer.writeRecords(records)
  }

  /** Goes on in a new segment and gives its index: older ones can go when what they have is in blocks. */
  nextSegment(): number {
    return this.#writer.nextSegment()
  }

  /** Removes the segments before this index, the oldest first. */
  async removeBefore(index: number): Promise<void> {
    for (const segment of listSegments(this.#options.directory)) if (segment.index < index) await checkpointFiles.remove(segment.path)
  }

  sync(): Promise<void> {
    return this.#writer.sync()
  }

  close(): Promise<void> {
    return this.#writer.close()
  }

  #begin(type: number): void {
    if (this.#builder.type === type && this.#builder.count < entriesPerRecord) return
    this.#cut()
    this.#builder.begin(type)
  }

  #cut(): void {
    if (this.#builder.count > 0) this.#full.push(this.#builder.view().slice())
    this.#builder.begin(0)
  }
}

export interface WblReplay {
  readonly segments: number
  readonly bytes: number
  readonly damages: readonly Damage[]
  readonly nextSegment: number
}

/**
 * Reads the log of out-of-order samples in the order it was written, one record in memory at a time. References are those of the
 * log (`ReplayResult.headRefOf`). Damage is dealt with as in the log.
 */
export function replayWbl(directory: string, take: TakeRecord, onDamage: (damage: Damage) => void): WblReplay {
  return finishSteps(replayWblInSteps(directory, take, onDamage))
}

/** As `replayWbl`, a record a step. */
export function* replayWblInSteps(directory: string, take: TakeRecord, onDamage: (damage: Damage) => void): Steps<WblReplay> {
  const entries = new RecordEntries()
  const damages: Damage[] = []
  const segments = listSegments(directory)
  let bytes = 0
  for (const [i, { path }] of segments.entries()) {
    const read = yield* readSegmentInSteps(path, i === segments.length - 1, entries, take)
    bytes += read.bytes
    for (const damage of read.damages) {
      damages.push(damage)
      onDamage(damage)
    }
  }
  return { segments: segments.length, bytes, damages, nextSegment: (segments.at(-1)?.index ?? -1) + 1 }
}

/** Whether a log of out-of-order samples has markers, or damage within that may have been one. Reads the first byte of each record. */
export function hasMarkers(directory: string): boolean {
  if (!existsSync(directory)) return false
  return listSegments(directory).some(({ path }, i, { length }) => {
    const reader = new SegmentReader(path)
    try {
      for (let record = reader.next(mmapMarkersRecord); record !== undefined; record = reader.next(mmapMarkersRecord)) {
        if (record[0] === mmapMarkersRecord) return true
      }
      return false
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      // The end of the last one may be a write that was cut short.
      return i < length - 1
    } finally {
      reader.close()
    }
  })
}
