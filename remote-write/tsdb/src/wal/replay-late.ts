import { existsSync } from 'node:fs'
import { accepted, invalidHistogram, memoryCeiling } from '../head/append-result.ts'
import type { Head } from '../head/head.ts'
import type { Steps } from '../steps.ts'
import { readHistogram } from './histogram-payload.ts'
import { listSegments } from './log-files.ts'
import type { RecordEntries } from './record-entries.ts'
import type { Damage } from './repair.ts'
import type { ReplayResult } from './replay.ts'
import { hasFloatHistograms, highestReferenceRecord, isHistograms, isSamples, mmapMarkersRecord } from './wal-format.ts'
import { replayWblInSteps } from './wbl.ts'
import type { WblReplay } from './wbl.ts'

/** What became of the floats and histograms that were read. */
interface LateCounts {
  samples: number
  /** Samples of series that the log does not know. */
  samplesUnknown: number
  /** Samples the head had no memory for. */
  samplesRefused: number
  /** Histograms of a schema that is not known, or that are none. */
  histogramsUnusable: number
}

export interface LateReplay extends WblReplay, Readonly<LateCounts> {
  /** Records by type that are not read; they stay. */
  readonly unreadRecords: ReadonlyMap<number, number>
}

const samplesPerCommit = 8192
const histogramsPerCommit = 2048

type Log = Pick<ReplayResult, 'headRefOf' | 'references'>

/**
 * Reads the log of late samples into a head that has just read its log. Markers are passed over: the samples before them are there as well, and
 * head chunks are not read. What is from before `minTimeMs` is out of the retention.
 */
export function* replayLateSamples(
  directory: string,
  head: Head,
  log: Log,
  minTimeMs: number,
  onDamage: (damage: Damage) => void,
): Steps<LateReplay> {
  const restoring = new LateRestoring(head, log, minTimeMs)
  const { counts } = restoring
  const unreadRecords = new Map<number, number>()
  if (!existsSync(directory) || listSegments(directory).length === 0) {
    return { ...counts, unreadRecords, segments: 0, bytes: 0, damages: [], nextSegment: 0 }
  }
  const take = (type: number, record: Uint8Array, entries: RecordEntries): void => {
    if (type === mmapMarkersRecord || type === highestReferenceRecord) return
    if (isSamples(type)) restoring.takeFloats(entries)
    else if (isHistograms(type)) restoring.takeHistograms(type, record, entries)
    else unreadRecords.set(type, (unreadRecords.get(type) ?? 0) + 1)
  }
  const replay = yield* replayWblInSteps(directory, take, onDamage)
  head.commit()
  return { ...replay, ...counts, unreadRecords }
}

/** Puts late samples of a log into a head. */
class LateRestoring {
  readonly counts: LateCounts = { samples: 0, samplesUnknown: 0, samplesRefused: 0, histogramsUnusable: 0 }
  readonly #head: Head
  readonly #log: Log
  readonly #minTimeMs: number

  constructor(head: Head, log: Log, minTimeMs: number) {
    this.#head = head
    this.#log = log
    this.#minTimeMs = minTimeMs
  }

  takeFloats({ refs, times, words, length }: RecordEntries): void {
    for (let i = 0; i < length; i++) {
      const ref = this.#refOf(refs[i]!)
      if (ref === 0 || times[i]! < this.#minTimeMs) continue
      if (this.#head.restoreLate(ref, times[i]!, words[2 * i]!, words[2 * i + 1]!)) this.counts.samples++
      else this.counts.samplesRefused++
      this.#commitFrom(samplesPerCommit)
    }
  }

  takeHistograms(type: number, record: Uint8Array, { refs, times, starts, ends, length }: RecordEntries): void {
    for (let i = 0; i < length; i++) {
      const ref = this.#refOf(refs[i]!)
      if (ref === 0 || times[i]! < this.#minTimeMs) continue
      const logged = readHistogram(record, starts[i]!, ends[i]!, hasFloatHistograms(type))
      const result = logged === undefined ? invalidHistogram : this.#head.restoreLateHistogram(ref, times[i]!, logged)
      if (result === accepted) this.counts.samples++
      else if (result === memoryCeiling) this.counts.samplesRefused++
      else this.counts.histogramsUnusable++
      this.#commitFrom(histogramsPerCommit)
    }
  }

  /** The head's reference, 0 if it has none. */
  #refOf(logRef: number): number {
    // Not given out again, even if a power failure took its series from the log.
    this.#log.references.note(logRef)
    const ref = this.#log.headRefOf(logRef)
    if (ref === 0) this.counts.samplesUnknown++
    return ref
  }

  #commitFrom(count: number): void {
    if (this.#head.late.samples.pendingCount >= count) this.#head.commit()
  }
}
