import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Tombstones } from '../block/tombstones.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { memoryCeiling } from '../head/append-result.ts'
import { Head } from '../head/head.ts'
import { readHistogram } from '../wal/histogram-payload.ts'
import type { LoggedHistogram } from '../wal/histogram-payload.ts'
import { LogReferences } from '../wal/log-references.ts'
import { listLog, listSegments } from '../wal/log-files.ts'
import type { LogFile } from '../wal/log-files.ts'
import { readRecord } from '../wal/read-record.ts'
import { RecordEntries } from '../wal/record-entries.ts'
import { RecordReader } from '../wal/record-reader.ts'
import { SegmentReader } from '../wal/segment-reader.ts'
import { SeriesMap } from '../wal/series-map.ts'
import {
  CorruptionError,
  customFloatHistogramSamplesRecord,
  customHistogramSamplesRecord,
  floatHistogramSamplesRecord,
  floatHistogramSamplesV2Record,
  hasFloatHistograms,
  histogramSamplesRecord,
  histogramSamplesV2Record,
  isSamples,
  seriesRecord,
  tombstonesRecord,
} from '../wal/wal-format.ts'
import { LateHistograms, pushLogged } from './late-histograms.ts'
import { LateSamples } from './late-samples.ts'
import { ToolError } from './open-blocks.ts'

const histogramRecords: ReadonlySet<number> = new Set([
  histogramSamplesRecord,
  floatHistogramSamplesRecord,
  customHistogramSamplesRecord,
  customFloatHistogramSamplesRecord,
  histogramSamplesV2Record,
  floatHistogramSamplesV2Record,
])
const samplesPerCommit = 8192

/** Where samples of a log go, by the head's references. */
interface SampleTarget {
  takeFloat(ref: number, timeMs: number, low: number, high: number): void
  takeHistogram(ref: number, timeMs: number, logged: LoggedHistogram): void
}

export interface LogRequest {
  /** Earlier samples that came in order are in blocks. */
  readonly minTimeMs: number
  /** Ceiling over series and floats. */
  readonly memoryBytesMax: number
}

/** Whether there are out-of-order samples that are in no block. */
export function hasLateSamples(directory: string): boolean {
  const wbl = join(directory, 'wbl')
  return existsSync(wbl) && listSegments(wbl).some(({ path }) => statSync(path).size > 0)
}

/**
 * What the log of a data directory has that is in no block: series and floats in a head of its own, the rest by the head's references. Read
 * only: nothing is repaired, locked or removed. Where a segment is damaged its rest is passed over and `problems` has a line about it.
 */
export class LogContents {
  readonly head: Head
  readonly histograms = new Map<number, HistogramColumns>()
  /** Samples of `wbl/`. */
  readonly late = new LateSamples()
  readonly lateHistograms = new LateHistograms()
  readonly tombstones = new Tombstones()
  readonly problems: string[] = []
  /** From the log's references to the head's. */
  readonly map = new SeriesMap()
  readonly #request: LogRequest
  readonly #entries = new RecordEntries()
  readonly #series: RecordReader
  #pending = 0
  #withoutSeries = 0

  private constructor(request: LogRequest) {
    this.#request = request
    this.head = new Head({ memoryBytesMax: request.memoryBytesMax })
    this.head.startReplay()
    const counts = { series: 0, samples: 0, seriesRefused: 0, samplesUnknown: 0, samplesOutOfOrder: 0, samplesRefused: 0 }
    this.#series = new RecordReader(this.head, this.map, new LogReferences(), 0, counts)
  }

  /** Reads checkpoint, segments and out-of-order log below `directory`; what is not there is taken for empty. */
  static read(directory: string, request: LogRequest): LogContents {
    const contents = new LogContents(request)
    const wal = join(directory, 'wal')
    if (existsSync(wal)) {
      const { segmentsOfCheckpoint, segments } = listLog(wal)
      contents.#readSegments([...segmentsOfCheckpoint, ...segments], {
        takeFloat(ref, timeMs, low, high) {
          if (timeMs >= request.minTimeMs) contents.#append(ref, timeMs, low, high)
        },
        takeHistogram(ref, timeMs, logged) {
          if (timeMs >= request.minTimeMs) contents.#appendHistogram(ref, timeMs, logged)
        },
      })
    }
    const wbl = join(directory, 'wbl')
    if (existsSync(wbl)) {
      // Whatever their times: blocks do not have them yet.
      contents.#readSegments(listSegments(wbl), {
        takeFloat: (ref, timeMs, low, high) => contents.late.add(ref, timeMs, low, high),
        takeHistogram: (ref, timeMs, logged) => contents.lateHistograms.add(ref, timeMs, logged),
      })
    }
    contents.late.sort()
    if (contents.#withoutSeries > 0) contents.problems.push(`${contents.#withoutSeries} samples of the log belong to no series`)
    return contents
  }

  #readSegments(segments: readonly LogFile[], target: SampleTarget): void {
    for (const { path } of segments) {
      const segment = new SegmentReader(path)
      try {
        for (let record = segment.next(); record !== undefined; record = segment.next()) {
          this.#takeRecord(readRecord(record, this.#entries), record, target)
        }
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error
        this.problems.push(`${path} is damaged at offset ${segment.recordOffset}, its rest is left out: ${error.message}`)
      } finally {
        segment.close()
      }
      this.#commit()
    }
  }

  #takeRecord(type: number, record: Uint8Array, target: SampleTarget): void {
    const entries = this.#entries
    if (type === seriesRecord) this.#takeSeries(record)
    else if (isSamples(type)) {
      for (let i = 0; i < entries.length; i++) {
        const ref = this.#refOf(i)
        if (ref > 0) target.takeFloat(ref, entries.times[i]!, entries.words[2 * i]!, entries.words[2 * i + 1]!)
      }
    } else if (histogramRecords.has(type)) this.#takeHistograms(type, record, target)
    else if (type === tombstonesRecord) {
      for (let i = 0; i < entries.length; i++) {
        const ref = this.map.get(entries.refs[i]!)
        if (ref > 0 && entries.times[i]! <= entries.secondTimes[i]!) this.tombstones.add(ref, entries.times[i]!, entries.secondTimes[i]!)
      }
    }
  }

  #takeSeries(record: Uint8Array): void {
    this.#series.take(seriesRecord, record, this.#entries)
    for (let i = 0; i < this.#entries.length; i++) if (this.map.get(this.#entries.refs[i]!) === 0) this.#endForMemory()
  }

  /** The head's reference for entry `i`, 0 if it is of no series. */
  #refOf(i: number): number {
    const ref = this.map.get(this.#entries.refs[i]!)
    if (ref === 0) this.#withoutSeries++
    return ref
  }

  #append(ref: number, timeMs: number, low: number, high: number): void {
    if (this.head.append(ref, timeMs, low, high) === memoryCeiling) this.#endForMemory()
    // Those that are not newer than the one before are in `wbl/` too, or were refused.
    if (++this.#pending >= samplesPerCommit) this.#commit()
  }

  #takeHistograms(type: number, record: Uint8Array, target: SampleTarget): void {
    const entries = this.#entries
    for (let i = 0; i < entries.length; i++) {
      const ref = this.#refOf(i)
      if (ref === 0) continue
      const logged = readHistogram(record, entries.starts[i]!, entries.ends[i]!, hasFloatHistograms(type))
      if (logged !== undefined) target.takeHistogram(ref, entries.times[i]!, logged)
    }
  }

  #appendHistogram(ref: number, timeMs: number, logged: LoggedHistogram): void {
    const columns = this.histograms.get(ref) ?? new HistogramColumns(16, 64)
    this.histograms.set(ref, columns)
    // As of floats, those that are not newer are in `wbl/` too.
    if (columns.length === 0 || timeMs > columns.times[columns.length - 1]!) pushLogged(columns, timeMs, logged)
  }

  #commit(): void {
    this.#pending = 0
    this.head.commit()
  }

  #endForMemory(): never {
    throw new ToolError(
      `read WAL: want at most ${this.#request.memoryBytesMax} bytes of memory: ${this.head.refusal() || 'samples need more'}`,
    )
  }
}
