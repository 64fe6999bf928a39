import { RecordBuilder } from './record-builder.ts'
import type { RecordEntries } from './record-entries.ts'
import {
  exemplarsRecord,
  highestReferenceRecord,
  isHistograms,
  isSamples,
  metadataRecord,
  seriesRecord,
  tombstonesRecord,
} from './wal-format.ts'

export interface CheckpointCounts {
  seriesKept: number
  seriesDropped: number
  /** Samples, histograms, exemplars and tombstones. */
  entriesKept: number
  entriesDropped: number
  /** Records of types that are not known; they are dropped. */
  recordsUnknown: number
}

const metadataRecordBytes = 64 * 1024

/**
 * Decides what of a log goes into a checkpoint. Of `take` the result is the record to write, undefined if nothing of it is kept;
 * it is valid until the next call. `rest` gives the records that come after all others.
 */
export class CheckpointFilter {
  readonly counts: CheckpointCounts = { seriesKept: 0, seriesDropped: 0, entriesKept: 0, entriesDropped: 0, recordsUnknown: 0 }
  readonly #keeps: (reference: number) => boolean
  readonly #minTimeMs: number
  readonly #builder = new RecordBuilder()
  /** The newest metadata by series; equal bytes are kept once. */
  readonly #metadata = new Map<number, Uint8Array>()
  readonly #texts = new Map<string, Uint8Array>()
  #highestReference = 0

  constructor(keeps: (reference: number) => boolean, minTimeMs: number) {
    this.#keeps = keeps
    this.#minTimeMs = minTimeMs
  }

  take(type: number, record: Uint8Array, entries: RecordEntries): Uint8Array | undefined {
    if (type === seriesRecord) return this.#takeSeries(record, entries)
    if (type === metadataRecord) this.#noteMetadata(record, entries)
    else if (type === highestReferenceRecord) this.#highestReference = Math.max(this.#highestReference, entries.refs[0] ?? 0)
    else if (isSamples(type) || type === exemplarsRecord || isHistograms(type)) return this.#takeTimed(type, record, entries, entries.times)
    else if (type === tombstonesRecord) return this.#takeTimed(type, record, entries, entries.secondTimes)
    else this.counts.recordsUnknown++
    return undefined
  }

  /** Metadata, and the mark of references: those of dropped series are not given out again. */
  *rest(): Generator<Uint8Array> {
    const builder = this.#builder
    builder.begin(metadataRecord)
    for (const [ref, payload] of this.#metadata) {
      builder.addPayload(ref, 0, 0, 0, 0, payload, 0, payload.length)
      if (builder.length < metadataRecordBytes) continue
      yield builder.view()
      builder.begin(metadataRecord)
    }
    if (builder.count > 0) yield builder.view()
    if (this.#highestReference === 0) return
    builder.begin(highestReferenceRecord)
    builder.addHighestReference(this.#highestReference)
    yield builder.view()
  }

  #takeSeries(record: Uint8Array, entries: RecordEntries): Uint8Array | undefined {
    const { refs, starts, ends, length } = entries
    const builder = this.#builder
    builder.begin(seriesRecord)
    for (let i = 0; i < length; i++) {
      const ref = refs[i]!
      if (ref > this.#highestReference) this.#highestReference = ref
      if (this.#keeps(ref)) builder.addPayload(ref, 0, 0, 0, 0, record, starts[i]!, ends[i]!)
    }
    this.counts.seriesKept += builder.count
    this.counts.seriesDropped += length - builder.count
    return builder.count === 0 ? undefined : builder.view()
  }

  /** Entries whose `times` are not before the checkpoint's time; a record that is kept whole is given back as it is. */
  #takeTimed(type: number, record: Uint8Array, entries: RecordEntries, times: Float64Array): Uint8Array | undefined {
    const { refs, length } = entries
    const minTimeMs = this.#minTimeMs
    let kept = 0
    for (let i = 0; i < length; i++) {
      if (times[i]! >= minTimeMs && this.#keeps(refs[i]!)) kept++
      // Marks the entry for the pass below.
      else refs[i] = -1
    }
    this.counts.entriesKept += kept
    this.counts.entriesDropped += length - kept
    if (kept === 0) return undefined
    if (kept === length) return record
    this.#builder.begin(type)
    for (let i = 0; i < length; i++) if (refs[i]! >= 0) this.#putEntry(type, record, entries, i)
    return this.#builder.view()
  }

  #putEntry(type: number, record: Uint8Array, entries: RecordEntries, i: number): void {
    const { refs, times, secondTimes, words, starts, ends } = entries
    const builder = this.#builder
    const low = words[2 * i]!
    const high = words[2 * i + 1]!
    if (isSamples(type)) builder.addSample(refs[i]!, times[i]!, low, high, secondTimes[i]!)
    else if (type === tombstonesRecord) builder.addTombstone(refs[i]!, times[i]!, secondTimes[i]!)
    else builder.addPayload(refs[i]!, times[i]!, secondTimes[i]!, low, high, record, starts[i]!, ends[i]!)
  }

  #noteMetadata(record: Uint8Array, entries: RecordEntries): void {
    for (let i = 0; i < entries.length; i++) {
      const ref = entries.refs[i]!
      if (!this.#keeps(ref)) continue
      const payload = record.subarray(entries.starts[i], entries.ends[i])
      const key = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('latin1')
      let text = this.#texts.get(key)
      if (text === undefined) this.#texts.set(key, (text = payload.slice()))
      this.#metadata.set(ref, text)
    }
  }
}
