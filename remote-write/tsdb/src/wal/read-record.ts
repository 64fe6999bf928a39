import { ByteReader } from '@narthex/bytes/byte-reader'
import { skipHistogram } from './histogram-payload.ts'
import type { RecordEntries } from './record-entries.ts'
import {
  CorruptionError,
  customFloatHistogramSamplesRecord,
  customHistogramSamplesRecord,
  exemplarsRecord,
  floatHistogramSamplesRecord,
  floatHistogramSamplesV2Record,
  hasFloatHistograms,
  highestReferenceRecord,
  histogramSamplesRecord,
  histogramSamplesV2Record,
  metadataRecord,
  mmapMarkersRecord,
  samplesRecord,
  samplesV2Record,
  seriesRecord,
  tombstonesRecord,
} from './wal-format.ts'

/** An entry of types 2 and 11 takes at least two bytes of deltas and eight of value. */
const sampleBytesMin = 10
// What a start time of a V2 entry is:
const noStartTime = 0
const sameStartTime = 1
const ownStartTime = 2

/**
 * Takes one record of the log apart, its type byte included; gives its type, 0 for an empty record. Of a type that is not known
 * `entries` is empty. A record that ends early or has impossible numbers is damage: `CorruptionError`.
 */
export function readRecord(record: Uint8Array, entries: RecordEntries): number {
  entries.clear()
  const type = record[0] ?? 0
  try {
    readEntries(type, record, entries)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new CorruptionError(`cannot read record of type ${type} after ${entries.length} entries: ${cause.message}`, { cause })
  }
  return type
}

function readEntries(type: number, record: Uint8Array, entries: RecordEntries): void {
  if (record.length < 2) return
  const reader = new ByteReader(record, 1)
  switch (type) {
    case seriesRecord:
      while (reader.remaining > 0) readPayload(reader, entries, readReference(reader), skipLabels)
      return
    case samplesRecord:
      readSamples(record, reader, entries)
      return
    case tombstonesRecord:
      while (reader.remaining > 0) {
        const i = entries.add()
        entries.refs[i] = readReference(reader)
        entries.times[i] = reader.varint()
        entries.secondTimes[i] = reader.varint()
      }
      return
    case exemplarsRecord:
      readByDeltas(reader, entries, () => {
        reader.words64be()
        putWords(entries, reader)
        skipLabels(reader)
      })
      return
    case mmapMarkersRecord:
      while (reader.remaining > 0) {
        const i = entries.add()
        entries.refs[i] = readReference(reader)
        reader.words64be()
        entries.secondTimes[i] = reader.high
        entries.words[2 * i] = reader.low
        entries.words[2 * i + 1] = 0
      }
      return
    case metadataRecord:
      while (reader.remaining > 0) readPayload(reader, entries, checkReference(reader.uvarint()), skipMetadata)
      return
    case histogramSamplesRecord:
    case floatHistogramSamplesRecord:
    case customHistogramSamplesRecord:
    case customFloatHistogramSamplesRecord:
      readByDeltas(reader, entries, () => skipHistogram(reader, hasFloatHistograms(type)))
      return
    case samplesV2Record:
      readV2(reader, entries, () => {
        reader.words64be()
        putWords(entries, reader)
      })
      return
    case histogramSamplesV2Record:
    case floatHistogramSamplesV2Record:
      readV2(reader, entries, () => skipHistogram(reader, hasFloatHistograms(type)))
      return
    case highestReferenceRecord:
      entries.refs[entries.add()] = readReference(reader)
  }
}

function readReference(reader: ByteReader): number {
  return checkReference(reader.u64be())
}

/** A number holds no larger one exactly: it would be another series'. */
function checkReference(reference: number): number {
  if (!(reference >= 0 && reference <= Number.MAX_SAFE_INTEGER)) throw new RangeError(`series reference ${reference} is not in 0 to 2^53`)
  return reference
}

/** ┌ reference u64 ┬ time u64 ┬ (Δreference varint ┬ Δtime varint ┬ value u64)* ┐, both against the first. */
function readSamples(record: Uint8Array, reader: ByteReader, entries: RecordEntries): void {
  const baseRef = readReference(reader)
  const baseTimeMs = readTime(reader)
  entries.reserve(Math.floor(reader.remaining / sampleBytesMin) + 1)
  const { refs, times, secondTimes, words } = entries
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
  const end = record.length
  // Every sample of the log passes here: short deltas are read in place, long ones by the reader.
  let at = reader.offset
  let i = 0
  while (at < end) {
    let refDelta = record[at]!
    if (refDelta < 0x80) at++
    else if (at + 1 < end && record[at + 1]! < 0x80) {
      refDelta = (refDelta & 0x7f) | (record[at + 1]! << 7)
      at += 2
    } else refDelta = -1
    let timeDelta = 0
    if (refDelta >= 0) refDelta = (refDelta & 1) === 0 ? refDelta >>> 1 : -((refDelta + 1) >>> 1)
    else {
      reader.offset = at
      refDelta = reader.varint()
      at = reader.offset
    }
    if (at < end && record[at]! < 0x80) {
      timeDelta = (record[at]! & 1) === 0 ? record[at]! >>> 1 : -((record[at]! + 1) >>> 1)
      at++
    } else {
      reader.offset = at
      timeDelta = reader.varint()
      at = reader.offset
    }
    if (at + 8 > end) throw new RangeError(`want 8 bytes of value at byte ${at} of the record, got ${end - at}`)
    const ref = baseRef + refDelta
    refs[i] = checkReference(ref)
    times[i] = baseTimeMs + timeDelta
    secondTimes[i] = 0
    words[2 * i] = view.getUint32(at + 4)
    words[2 * i + 1] = view.getUint32(at)
    at += 8
    i++
  }
  entries.length = i
}

/** As samples, with any payload in the place of the value. */
function readByDeltas(reader: ByteReader, entries: RecordEntries, skipPayload: () => void): void {
  const baseRef = readReference(reader)
  const baseTimeMs = readTime(reader)
  while (reader.remaining > 0) {
    const ref = baseRef + reader.varint()
    const timeMs = baseTimeMs + reader.varint()
    addEntry(reader, entries, ref, timeMs, 0, skipPayload)
  }
}

/**
 * ┌ reference varint ┬ time varint ┬ start time varint ┬ payload ┐, then by entry
 * ┌ reference - the one before varint ┬ time - first time varint ┬ kind 1 B ┬ start time - first start time varint, by kind ┬ payload ┐
 */
function readV2(reader: ByteReader, entries: RecordEntries, skipPayload: () => void): void {
  let ref = reader.varint()
  const firstTimeMs = reader.varint()
  const firstStartMs = reader.varint()
  let startMs = firstStartMs
  addEntry(reader, entries, ref, firstTimeMs, startMs, skipPayload)
  while (reader.remaining > 0) {
    ref += reader.varint()
    const timeMs = firstTimeMs + reader.varint()
    const kind = reader.u8()
    if (kind === noStartTime) startMs = 0
    else if (kind === ownStartTime) startMs = firstStartMs + reader.varint()
    else if (kind !== sameStartTime) throw new RangeError(`kind ${kind} of start time is none of 0, 1, 2`)
    addEntry(reader, entries, ref, timeMs, startMs, skipPayload)
  }
}

function addEntry(reader: ByteReader, entries: RecordEntries, ref: number, timeMs: number, startMs: number, skipPayload: () => void): void {
  const i = entries.add()
  entries.refs[i] = checkReference(ref)
  entries.times[i] = timeMs
  entries.secondTimes[i] = startMs
  entries.starts[i] = reader.offset
  skipPayload()
  entries.ends[i] = reader.offset
}

function readPayload(reader: ByteReader, entries: RecordEntries, ref: number, skip: (reader: ByteReader) => void): void {
  const i = entries.add()
  entries.refs[i] = ref
  entries.starts[i] = reader.offset
  skip(reader)
  entries.ends[i] = reader.offset
}

/** The value of the entry that was added last; the payload that is left are the labels. */
function putWords(entries: RecordEntries, reader: ByteReader): void {
  const i = entries.length - 1
  entries.words[2 * i] = reader.low
  entries.words[2 * i + 1] = reader.high
  entries.starts[i] = reader.offset
}

/** ┌ count uvarint ┬ (length uvarint ┬ bytes)* ┐, name and value by turns. */
function skipLabels(reader: ByteReader): void {
  const count = reader.uvarint()
  // Two lengths of at least one byte each.
  if (count * 2 > reader.remaining) throw new RangeError(`want ${count} labels in ${reader.remaining} bytes`)
  for (let i = 0; i < count * 2; i++) reader.skip(reader.uvarint())
}

function skipMetadata(reader: ByteReader): void {
  reader.u8()
  const count = reader.uvarint()
  if (count * 2 > reader.remaining) throw new RangeError(`want ${count} fields in ${reader.remaining} bytes`)
  for (let i = 0; i < count * 2; i++) reader.skip(reader.uvarint())
}

function readTime(reader: ByteReader): number {
  reader.words64be()
  return (reader.high | 0) * 0x1_0000_0000 + reader.low
}
