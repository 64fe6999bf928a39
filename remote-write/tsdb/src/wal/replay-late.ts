import { existsSync } from 'node:fs'
import type { Head } from '../head/head.ts'
import type { Steps } from '../steps.ts'
import { listSegments } from './log-files.ts'
import type { RecordEntries } from './record-entries.ts'
import type { Damage } from './repair.ts'
import type { ReplayResult } from './replay.ts'
import { highestReferenceRecord, mmapMarkersRecord, samplesRecord, samplesV2Record } from './wal-format.ts'
import { replayWblInSteps } from './wbl.ts'
import type { WblReplay } from './wbl.ts'

export interface LateReplay extends WblReplay {
  readonly samples: number
  /** Samples of series that the log does not know. */
  readonly samplesUnknown: number
  /** Samples the head had no memory for. */
  readonly samplesRefused: number
  /** Records by type that are not read; they stay. */
  readonly unreadRecords: ReadonlyMap<number, number>
}

const samplesPerCommit = 8192

/**
 * Reads the log of late samples into a head that has just read its log. Markers are passed over: the samples before them are there as well, and
 * head chunks are not read. What is from before `minTimeMs` is out of the retention.
 */
export function* replayLateSamples(
  directory: string,
  head: Head,
  log: Pick<ReplayResult, 'headRefOf' | 'references'>,
  minTimeMs: number,
  onDamage: (damage: Damage) => void,
): Steps<LateReplay> {
  const counts = { samples: 0, samplesUnknown: 0, samplesRefused: 0 }
  const unreadRecords = new Map<number, number>()
  if (!existsSync(directory) || listSegments(directory).length === 0) {
    return { ...counts, unreadRecords, segments: 0, bytes: 0, damages: [], nextSegment: 0 }
  }
  const take = (type: number, _record: Uint8Array, entries: RecordEntries): void => {
    if (type === mmapMarkersRecord || type === highestReferenceRecord) return
    if (type !== samplesRecord && type !== samplesV2Record) {
      unreadRecords.set(type, (unreadRecords.get(type) ?? 0) + 1)
      return
    }
    const { refs, times, words, length } = entries
    for (let i = 0; i < length; i++) {
      // Not given out again, even if a power failure took its series from the log.
      log.references.note(refs[i]!)
      const ref = log.headRefOf(refs[i]!)
      if (ref === 0) counts.samplesUnknown++
      else if (times[i]! < minTimeMs) continue
      else if (head.restoreLate(ref, times[i]!, words[2 * i]!, words[2 * i + 1]!)) counts.samples++
      else counts.samplesRefused++
      if (head.late.samples.pending.length >= samplesPerCommit) head.commit()
    }
  }
  const replay = yield* replayWblInSteps(directory, take, onDamage)
  head.commit()
  return { ...replay, ...counts, unreadRecords }
}
