import { memoryCeiling } from '../head/append-result.ts'
import type { AppendResult } from '../head/append-result.ts'
import type { ReturnedChunks } from '../head/chunk-loan.ts'
import type { Head } from '../head/head.ts'
import type { RestoredChunks } from '../head/restored-chunks.ts'
import { finishSteps } from '../steps.ts'
import type { Steps } from '../steps.ts'
import { LoggedLabels } from './logged-labels.ts'
import type { LogReferences } from './log-references.ts'
import { BatchBuilder, forEachKnown, recordOf } from './log-batch.ts'
import type { LogBatch } from './log-batch.ts'
import type { LoggedAppending } from './log-decoder.ts'
import { readRecord } from './read-record.ts'
import { RecordEntries } from './record-entries.ts'
import type { SeriesMap } from './series-map.ts'
import {
  exemplarsRecord,
  highestReferenceRecord,
  isHistograms,
  isSamples,
  metadataRecord,
  seriesRecord,
  tombstonesRecord,
} from './wal-format.ts'

/** What became of the records that were read. */
export interface RecordCounts {
  series: number
  samples: number
  /** Series the head refused, for its memory ceiling or broken labels. */
  seriesRefused: number
  /** Samples of series that were refused or whose record is missing; also histograms, exemplars, tombstones and metadata of such. */
  samplesUnknown: number
  /** Samples that are not newer than their series' last. */
  samplesOutOfOrder: number
  /** Samples the head had no memory for. */
  samplesRefused: number
}

/**
 * Takes what a log has beside series and floats. `entries.refs` are the head's references; entries of unknown series have been
 * taken out. `record` has the payloads. A method that is missing leaves its records unread, which is counted.
 */
export interface RecordTarget {
  /** Types 7 to 10, 12 and 13. */
  histograms?(type: number, record: Uint8Array, entries: RecordEntries): void
  exemplars?(record: Uint8Array, entries: RecordEntries): void
  tombstones?(entries: RecordEntries): void
  metadata?(record: Uint8Array, entries: RecordEntries): void
}

/** Puts what log records have into a head and a target. */
export class RecordReader {
  readonly #head: Head
  readonly #map: SeriesMap
  readonly #counts: RecordCounts
  readonly #target: RecordTarget
  /** Records by type that nobody took. */
  readonly unread = new Map<number, number>()
  readonly #labels: LoggedLabels
  readonly #countOther = (result: AppendResult): void => {
    if (result === memoryCeiling) this.#counts.samplesRefused++
    else this.#counts.samplesOutOfOrder++
  }
  /** For records that come alone, and for those that are not taken as columns. */
  readonly #builder = new BatchBuilder()
  readonly #entries = new RecordEntries()

  readonly #references: LogReferences
  readonly #lastSegment: number
  readonly #restored: RestoredChunks | undefined
  #toAttach: { readonly logRef: number; readonly ref: number } | undefined
  #appending: LoggedAppending | undefined

  /**
   * `references` get what the log calls the head's series; `lastSegment` is the last one that will be read. Series get what is restored of them before
   * their first sample.
   */
  constructor(
    head: Head,
    map: SeriesMap,
    references: LogReferences,
    lastSegment: number,
    counts: RecordCounts,
    target: RecordTarget = {},
    restored?: RestoredChunks,
  ) {
    this.#restored = restored
    this.#references = references
    this.#lastSegment = lastSegment
    this.#head = head
    this.#labels = new LoggedLabels(head)
    this.#map = map
    this.#counts = counts
    this.#target = target
  }

  /** Takes one record: its type, bytes (type included) and entries. */
  take(type: number, record: Uint8Array, entries: RecordEntries): void {
    this.#builder.begin(this.#builder.batch, 0)
    this.#builder.add(type, record, entries)
    finishSteps(this.takeBatch(this.#builder.batch))
  }

  /** From now on floats are only given their series: who has the batch next appends them. */
  startAppendingElsewhere(appending: LoggedAppending): void {
    this.#appending = appending
  }

  /** Whether floats of batches are appended elsewhere. */
  get appending(): LoggedAppending | undefined {
    return this.#appending
  }

  /** Floats are appended here again, if they were not; those that were given their series are appended. */
  *endAppendingElsewhere(): Steps<void> {
    const appending = this.#appending
    if (appending === undefined) return
    this.#appending = undefined
    let returned: ReturnedChunks | undefined
    let failure: unknown
    yield appending.takeBack().then(
      (chunks) => void (returned = chunks),
      (cause: unknown) => void (failure = cause),
    )
    if (returned === undefined) throw failure
    this.#head.takeBackChunks(returned)
    this.#counts.samples += returned.taken
    this.#counts.samplesOutOfOrder += returned.outOfOrder
    this.#counts.samplesRefused += returned.refused
  }

  /** A record a step. */
  *takeBatch(batch: LogBatch): Steps<void> {
    for (let i = 0; i < batch.recordCount; i++) {
      const type = recordOf(batch, i, 'type')
      const first = recordOf(batch, i, 'firstEntry')
      const end = recordOf(batch, i, 'endEntry')
      if (isSamples(type)) this.#takeSamples(batch, first, end)
      else {
        const record = batch.bytes.subarray(recordOf(batch, i, 'start'), recordOf(batch, i, 'end'))
        if (type === seriesRecord) {
          this.#labels.begin(record, batch, first, end)
          for (let from = first; from < end;) {
            from = this.#takeSeries(batch, from, end)
            if (this.#toAttach === undefined) continue
            yield* this.#endInBatch(batch, i)
            this.#attach(this.#toAttach)
          }
        } else {
          if (isHistograms(type)) yield* this.#endInBatch(batch, i)
          this.#takeOther(type, record)
        }
      }
      yield
    }
  }

  /** Before record `record` of a batch, floats are appended here again, those of the records before it first. */
  *#endInBatch(batch: LogBatch, record: number): Steps<void> {
    if (this.#appending === undefined) return
    yield* this.endAppendingElsewhere()
    for (let i = 0; i < record; i++) {
      if (isSamples(recordOf(batch, i, 'type'))) this.#append(batch, recordOf(batch, i, 'firstEntry'), recordOf(batch, i, 'endEntry'))
    }
  }

  #takeOther(type: number, record: Uint8Array): void {
    const target = this.#target
    const entries = this.#entries
    readRecord(record, entries)
    if (type === highestReferenceRecord) this.#references.note(entries.refs[0] ?? 0)
    else if (isHistograms(type) && target.histograms !== undefined) target.histograms(type, record, this.#toHead(entries))
    else if (type === exemplarsRecord && target.exemplars !== undefined) target.exemplars(record, this.#toHead(entries))
    else if (type === tombstonesRecord && target.tombstones !== undefined) target.tombstones(this.#toHead(entries))
    else if (type === metadataRecord && target.metadata !== undefined) target.metadata(record, this.#toHead(entries))
    else this.unread.set(type, (this.unread.get(type) ?? 0) + 1)
  }

  commit(): void {
    this.#head.commit()
  }

  /** Series `from`…`end - 1` of a batch; stops behind one to which `#toAttach` is to be attached, and gives where. */
  #takeSeries({ refs }: LogBatch, from: number, end: number): number {
    const labels = this.#labels
    for (let i = from; i < end; i++) {
      const before = this.#head.seriesCount
      const ref = labels.refOf(i)
      const logRef = refs[i]!
      this.#map.set(logRef, Math.max(0, ref))
      if (ref > 0) {
        const isKnown = this.#head.seriesCount === before
        this.#counts.series++
        this.#references.set(ref, logRef, this.#lastSegment, isKnown)
        if (this.#restored?.has(logRef) === true) {
          if (isKnown) {
            this.#toAttach = { logRef, ref }
            return i + 1
          }
          this.#restored.attach(logRef, ref)
        }
      } else this.#counts.seriesRefused++
    }
    return end
  }

  /** To a series that has had another reference before. */
  #attach({ logRef, ref }: { readonly logRef: number; readonly ref: number }): void {
    this.#toAttach = undefined
    // What is taken of the series so far has to be in its chunks.
    this.#head.commit()
    this.#restored!.attach(logRef, ref)
  }

  #takeSamples(batch: LogBatch, first: number, end: number): void {
    const { refs, headRefs } = batch
    let unknown = 0
    for (let i = first; i < end; i++) {
      const ref = this.#map.get(refs[i]!)
      headRefs[i] = ref
      if (ref === 0) unknown++
    }
    this.#counts.samplesUnknown += unknown
    if (this.#appending === undefined) this.#append(batch, first, end)
  }

  /** Samples whose `headRefs` are set. */
  #append({ headRefs, times, words }: LogBatch, first: number, end: number): void {
    forEachKnown(headRefs, first, end, (from, to) => {
      this.#counts.samples += this.#head.appendLogged(headRefs.subarray(from, to), times, words, from, to, this.#countOther)
    })
  }

  #toHead(entries: RecordEntries): RecordEntries {
    const { refs, times, secondTimes, words, starts, ends } = entries
    let kept = 0
    for (let i = 0; i < entries.length; i++) {
      const ref = this.#map.get(refs[i]!)
      if (ref === 0) {
        this.#counts.samplesUnknown++
        continue
      }
      refs[kept] = ref
      times[kept] = times[i]!
      secondTimes[kept] = secondTimes[i]!
      words[2 * kept] = words[2 * i]!
      words[2 * kept + 1] = words[2 * i + 1]!
      starts[kept] = starts[i]!
      ends[kept] = ends[i]!
      kept++
    }
    entries.length = kept
    return entries
  }
}
