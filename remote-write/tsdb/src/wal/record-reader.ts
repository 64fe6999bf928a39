import { ByteReader } from '@narthex/bytes/byte-reader'
import type { Head } from '../head/head.ts'
import { labelsPerSeriesMax } from '../head/series-creator.ts'
import type { SeriesMap } from './series-map.ts'
import { CorruptionError } from './wal-format.ts'

/** What became of the records that were read. */
export interface RecordCounts {
  series: number
  samples: number
  /** Series the head refused, for its memory ceiling or broken labels. */
  seriesRefused: number
  /** Samples of series that were refused or whose record is missing. */
  samplesUnknown: number
  /** Samples that are not newer than their series' last. */
  samplesOutOfOrder: number
  /** Samples the head had no memory for. */
  samplesRefused: number
}

// Samples per commit while a log is read.
const commitEvery = 8192

/** Puts the series and samples of log records into a head. A record that ends early is damage: `CorruptionError`. */
export class RecordReader {
  readonly #head: Head
  readonly #map: SeriesMap
  readonly #counts: RecordCounts
  #symbols = new Uint32Array(128)
  #pending = 0

  constructor(head: Head, map: SeriesMap, counts: RecordCounts) {
    this.#head = head
    this.#map = map
    this.#counts = counts
  }

  /** A record of type 1, its type byte included. */
  readSeries(record: Uint8Array): void {
    const reader = this.#begin(record)
    while (reader.remaining > 0) {
      const logRef = reader.u64be()
      const labelCount = reader.uvarint()
      if (labelCount > Math.min(labelsPerSeriesMax, reader.remaining))
        throw new CorruptionError(`cannot read series ${logRef}: want ${labelCount} labels in ${reader.remaining} bytes`)
      if (labelCount * 2 > this.#symbols.length) this.#symbols = new Uint32Array(labelCount * 4)
      for (let i = 0; i < labelCount * 2; i++) {
        const length = reader.uvarint()
        const start = reader.offset
        if (length > reader.remaining)
          throw new CorruptionError(`cannot read series ${logRef}: want ${length} bytes, got ${reader.remaining}`)
        reader.offset = start + length
        this.#symbols[i] = this.#head.internSymbol(record, start, start + length)
      }
      const ref = this.#head.refBySymbols(this.#symbols, labelCount)
      if (ref > 0) {
        this.#map.set(logRef, ref)
        this.#counts.series++
      } else {
        this.#map.set(logRef, 0)
        this.#counts.seriesRefused++
      }
    }
  }

  /** A record of type 2, its type byte included. */
  readSamples(record: Uint8Array): void {
    const reader = this.#begin(record)
    if (reader.remaining === 0) return
    const baseRef = reader.u64be()
    reader.words64be()
    const baseTimeMs = (reader.high | 0) * 0x1_0000_0000 + reader.low
    const head = this.#head
    const map = this.#map
    const counts = this.#counts
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
    const end = record.length
    // Every sample of the log passes here: short deltas are read in place, long ones by the reader.
    let at = reader.offset
    while (at < end) {
      let refDelta = record[at]!
      if (refDelta < 0x80) at++
      else if (at + 1 < end && record[at + 1]! < 0x80) {
        refDelta = (refDelta & 0x7f) | (record[at + 1]! << 7)
        at += 2
      } else refDelta = -1
      let timeDelta = 0
      if (refDelta >= 0 && at < end && record[at]! < 0x80) {
        refDelta = (refDelta & 1) === 0 ? refDelta >>> 1 : -((refDelta + 1) >>> 1)
        timeDelta = (record[at]! & 1) === 0 ? record[at]! >>> 1 : -((record[at]! + 1) >>> 1)
        at++
      } else {
        if (refDelta >= 0) refDelta = (refDelta & 1) === 0 ? refDelta >>> 1 : -((refDelta + 1) >>> 1)
        else {
          reader.offset = at
          refDelta = readVarint(reader)
          at = reader.offset
        }
        reader.offset = at
        timeDelta = readVarint(reader)
        at = reader.offset
      }
      if (at + 8 > end) throw new CorruptionError(`cannot read sample at byte ${at} of the record: want 8 bytes of value, got ${end - at}`)
      const high = view.getUint32(at)
      const low = view.getUint32(at + 4)
      at += 8
      const ref = map.get(baseRef + refDelta)
      if (ref === 0) {
        counts.samplesUnknown++
        continue
      }
      const result = head.append(ref, baseTimeMs + timeDelta, low, high)
      if (result === 0) counts.samples++
      else if (result === 7) counts.samplesRefused++
      else counts.samplesOutOfOrder++
      if (++this.#pending >= commitEvery) this.commit()
    }
  }

  commit(): void {
    this.#pending = 0
    this.#head.commit()
  }

  #begin(record: Uint8Array): ByteReader {
    return new ByteReader(record, 1)
  }
}

function readVarint(reader: ByteReader): number {
  try {
    return reader.varint()
  } catch (cause) {
    throw new CorruptionError('cannot read delta in samples record', { cause })
  }
}
