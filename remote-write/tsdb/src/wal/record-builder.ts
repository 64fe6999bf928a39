import { ByteWriter } from '@narthex/bytes/byte-writer'
import { putHistogram } from './histogram-payload.ts'
import type { LoggedHistogram } from './histogram-payload.ts'
import { putLabels, putMetadata } from './text-payload.ts'
import type { SeriesMetadata } from './text-payload.ts'
import {
  exemplarsRecord,
  floatHistogramSamplesV2Record,
  highestReferenceRecord,
  histogramSamplesV2Record,
  metadataRecord,
  mmapMarkersRecord,
  samplesRecord,
  samplesV2Record,
  seriesRecord,
  tombstonesRecord,
} from './wal-format.ts'

const bytesKept = 1024 * 1024

/**
 * Puts one record of any type together, entry by entry: `begin`, then the `add…` of that type, then `view`, which is valid until
 * the next `begin`. References are below 2^53, times whole milliseconds.
 */
export class RecordBuilder {
  #writer = new ByteWriter(64 * 1024)
  #type = 0
  #count = 0
  #firstRef = 0
  #firstTimeMs = 0
  #firstStartMs = 0
  #lastRef = 0
  #lastStartMs = 0

  begin(type: number): void {
    if (this.#writer.bytes.length > bytesKept) this.#writer = new ByteWriter(64 * 1024)
    this.#writer.reset()
    this.#writer.u8(type)
    this.#type = type
    this.#count = 0
  }

  /** The record's type, and how many entries and bytes it has. */
  get type(): number {
    return this.#type
  }

  get count(): number {
    return this.#count
  }

  get length(): number {
    return this.#writer.length
  }

  view(): Uint8Array {
    return this.#writer.view()
  }

  /** Type 1. Labels are name and value by turns, sorted by name. */
  addSeries(ref: number, labels: readonly string[]): void {
    this.#putReference(seriesRecord, ref)
    putLabels(this.#writer, labels)
  }

  /** Types 2 and 11; a start time of 0 is none. */
  addSample(ref: number, timeMs: number, lowWord: number, highWord: number, startMs = 0): void {
    if (this.#type === samplesV2Record) this.#putV2(ref, timeMs, startMs)
    else this.#putDeltas(samplesRecord, ref, timeMs)
    this.#writer.words64be(lowWord, highWord)
  }

  /** Type 3. Both times belong to it; those beyond 2^53 become the ends of Go's int64. */
  addTombstone(ref: number, firstMs: number, lastMs: number): void {
    this.#putReference(tombstonesRecord, ref)
    this.#putTime(firstMs)
    this.#putTime(lastMs)
  }

  /** Type 4. Labels are name and value by turns. */
  addExemplar(ref: number, timeMs: number, lowWord: number, highWord: number, labels: readonly string[]): void {
    this.#putDeltas(exemplarsRecord, ref, timeMs)
    this.#writer.words64be(lowWord, highWord)
    putLabels(this.#writer, labels)
  }

  /** Type 5: what the series has out of order so far is in the chunk at `offset` of head chunk file `file`. */
  addMarker(ref: number, file: number, offset: number): void {
    this.#putReference(mmapMarkersRecord, ref)
    this.#writer.words64be(offset, file)
  }

  /** Type 6. */
  addMetadata(ref: number, metadata: SeriesMetadata): void {
    this.#count++
    this.#writer.uvarint(ref)
    putMetadata(this.#writer, metadata)
  }

  /** Types 7 to 10, 12 and 13: the caller has chosen the one that fits the histogram (`histogramRecordOf`). */
  addHistogram(ref: number, timeMs: number, logged: LoggedHistogram, startMs = 0): void {
    if (this.#isV2()) this.#putV2(ref, timeMs, startMs)
    else this.#putDeltas(this.#type, ref, timeMs)
    putHistogram(this.#writer, logged)
  }

  /** Type 128. */
  addHighestReference(ref: number): void {
    this.#putReference(highestReferenceRecord, ref)
  }

  /**
   * An entry that was read, `payload` being its bytes `[start, end)`: series, exemplar (value words given), metadata, histogram.
   * Every bit stays as it was.
   */
  addPayload(
    ref: number,
    timeMs: number,
    startMs: number,
    lowWord: number,
    highWord: number,
    payload: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (this.#type === seriesRecord) this.#putReference(seriesRecord, ref)
    else if (this.#type === metadataRecord) {
      this.#count++
      this.#writer.uvarint(ref)
    } else if (this.#isV2()) this.#putV2(ref, timeMs, startMs)
    else this.#putDeltas(this.#type, ref, timeMs)
    if (this.#type === exemplarsRecord) this.#writer.words64be(lowWord, highWord)
    this.#writer.raw(payload, start, end)
  }

  #isV2(): boolean {
    return this.#type === histogramSamplesV2Record || this.#type === floatHistogramSamplesV2Record
  }

  #putReference(type: number, ref: number): void {
    this.#check(type)
    this.#count++
    this.#writer.words64be(ref >>> 0, Math.floor(ref / 0x1_0000_0000))
  }

  #putDeltas(type: number, ref: number, timeMs: number): void {
    this.#check(type)
    if (this.#count++ === 0) {
      this.#firstRef = ref
      this.#firstTimeMs = timeMs
      this.#writer.words64be(ref >>> 0, Math.floor(ref / 0x1_0000_0000))
      this.#writer.words64be(timeMs >>> 0, Math.floor(timeMs / 0x1_0000_0000))
    }
    this.#writer.varint(ref - this.#firstRef)
    this.#writer.varint(timeMs - this.#firstTimeMs)
  }

  #putV2(ref: number, timeMs: number, startMs: number): void {
    const writer = this.#writer
    if (this.#count++ === 0) {
      this.#firstTimeMs = timeMs
      this.#firstStartMs = startMs
      writer.varint(ref)
      writer.varint(timeMs)
      writer.varint(startMs)
    } else {
      writer.varint(ref - this.#lastRef)
      writer.varint(timeMs - this.#firstTimeMs)
      if (startMs === 0) writer.u8(0)
      else if (startMs === this.#lastStartMs) writer.u8(1)
      else {
        writer.u8(2)
        writer.varint(startMs - this.#firstStartMs)
      }
    }
    this.#lastRef = ref
    this.#lastStartMs = startMs
  }

  #putTime(timeMs: number): void {
    if (Math.abs(timeMs) <= Number.MAX_SAFE_INTEGER) {
      this.#writer.varint(timeMs)
      return
    }
    // Zigzag of -2^63 is 2^64 - 1, of 2^63 - 1 it is 2^64 - 2: ten bytes.
    this.#writer.u8(timeMs < 0 ? 0xff : 0xfe)
    for (let i = 0; i < 8; i++) this.#writer.u8(0xff)
    this.#writer.u8(1)
  }

  #check(type: number): void {
    if (type !== this.#type) throw new Error(`cannot add to record: want an entry of type ${this.#type}, got one of type ${type}`)
  }
}
