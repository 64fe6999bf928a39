import { crc32c } from '@narthex/bytes/crc32c'

/** "NXF1" read as little endian. */
export const frameMagic = 0x3146584e
export const headerBytes = 56
/** A longer payload is taken for damage. */
export const payloadBytesMax = 256 * 1024 * 1024

export const layoutFrame = 1
export const sampleFrame = 2

/** Columns of a sample frame that are there. */
export const hasIndexes = 1
export const hasTimes = 2
export const hasStartTimes = 4
export const hasHistograms = 8
export const hasExemplars = 16
/** Any frame: the payload is compressed (packed-payload.ts). */
export const isPacked = 128

export interface FrameHeader {
  payloadCrc: number
  payloadBytes: number
  kind: number
  columns: number
  /** Samples, or series of a layout frame. */
  count: number
  sequence: number
  minTimeMs: number
  maxTimeMs: number
  layoutHigh: number
  layoutLow: number
}

export function createHeader(): FrameHeader {
  return {
    payloadCrc: 0,
    payloadBytes: 0,
    kind: 0,
    columns: 0,
    count: 0,
    sequence: 0,
    minTimeMs: 0,
    maxTimeMs: 0,
    layoutHigh: 0,
    layoutLow: 0,
  }
}

// All little endian; FORMAT.md, "Frame":
// ┌ magic 4 ┬ header crc32c 4 ┬ payload crc32c 4 ┬ payload bytes 4 ┬ kind 1 ┬ columns 1 ┬ zero 2 ┬ count 4 ┐
// ├ sequence 8 ┬ min time f64 ┬ max time f64 ┬ layout high 4 ┬ layout low 4 ┤ payload …

/** Writes the header of a frame whose payload lies behind it already, ending at `end`. */
export function putHeader(bytes: Uint8Array, at: number, end: number, header: FrameHeader): void {
  const view = viewOf(bytes)
  header.payloadBytes = end - at - headerBytes
  header.payloadCrc = crc32c(bytes, at + headerBytes, end)
  view.setUint32(at, frameMagic, true)
  view.setUint32(at + 8, header.payloadCrc, true)
  view.setUint32(at + 12, header.payloadBytes, true)
  view.setUint32(at + 16, header.kind | (header.columns << 8), true)
  view.setUint32(at + 20, header.count, true)
  view.setUint32(at + 24, header.sequence >>> 0, true)
  view.setUint32(at + 28, Math.floor(header.sequence / 2 ** 32), true)
  view.setFloat64(at + 32, header.minTimeMs, true)
  view.setFloat64(at + 40, header.maxTimeMs, true)
  view.setUint32(at + 48, header.layoutHigh, true)
  view.setUint32(at + 52, header.layoutLow, true)
  view.setUint32(at + 4, crc32c(bytes, at + 8, at + headerBytes), true)
}

/** Reads the header at `at`; false if there is no undamaged header with a payload of possible length. The payload is not looked at. */
export function readHeader(bytes: Uint8Array, at: number, end: number, header: FrameHeader): boolean {
  if (at + headerBytes > end) return false
  const view = viewOf(bytes)
  if (view.getUint32(at, true) !== frameMagic) return false
  if (view.getUint32(at + 4, true) !== crc32c(bytes, at + 8, at + headerBytes)) return false
  const kindAndColumns = view.getUint32(at + 16, true)
  header.payloadCrc = view.getUint32(at + 8, true)
  header.payloadBytes = view.getUint32(at + 12, true)
  header.kind = kindAndColumns & 0xff
  header.columns = (kindAndColumns >>> 8) & 0xff
  header.count = view.getUint32(at + 20, true)
  header.sequence = view.getUint32(at + 24, true) + view.getUint32(at + 28, true) * 2 ** 32
  header.minTimeMs = view.getFloat64(at + 32, true)
  header.maxTimeMs = view.getFloat64(at + 40, true)
  header.layoutHigh = view.getUint32(at + 48, true)
  header.layoutLow = view.getUint32(at + 52, true)
  return header.payloadBytes <= payloadBytesMax
}

/** The first of the two bytes behind `columns`, which readers pass over. */
const packedSegmentAt = 18

/** Notes in the first frame of a segment that all its frames were packed, as far as that makes them shorter. */
export function markPackedSegment(bytes: Uint8Array, at: number): void {
  bytes[at + packedSegmentAt] = 1
  viewOf(bytes).setUint32(at + 4, crc32c(bytes, at + 8, at + headerBytes), true)
}

/** Whether a segment whose first header, read already, lies at `at` was packed. Those of before there was a mark show it by the frame itself, mostly. */
export function isOfPackedSegment(bytes: Uint8Array, at: number, header: FrameHeader): boolean {
  return bytes[at + packedSegmentAt] === 1 || (header.columns & isPacked) !== 0
}

/** Whether the payload behind a header lies before `end` and is undamaged. */
export function isPayloadWhole(bytes: Uint8Array, at: number, end: number, header: FrameHeader): boolean {
  const start = at + headerBytes
  if (start + header.payloadBytes > end) return false
  return crc32c(bytes, start, start + header.payloadBytes) === header.payloadCrc
}

/** The next place of the magic at or behind `at`, -1 if there is none. */
export function findMagic(bytes: Uint8Array, at: number, end: number): number {
  for (let from = at; from + 4 <= end; from++) {
    from = bytes.indexOf(0x4e, from)
    if (from < 0 || from + 4 > end) return -1
    if (bytes[from + 1] === 0x58 && bytes[from + 2] === 0x46 && bytes[from + 3] === 0x31) return from
  }
  return -1
}

let viewedBytes: Uint8Array = new Uint8Array(0)
let lastView = new DataView(viewedBytes.buffer)

/** One view per buffer: frames are written and read many to a buffer. */
function viewOf(bytes: Uint8Array): DataView {
  if (bytes !== viewedBytes) {
    viewedBytes = bytes
    lastView = new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength)
  }
  return lastView
}
