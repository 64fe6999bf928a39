import { crc32 } from 'node:zlib'
import type { Section } from './state-sections.ts'
import { smallBytesOf } from './state-sections.ts'

// FORMAT.md, "The head's state". A file:
// ┌ magic 8 B ┬ 01020304 in the machine's byte order 4 B ┬ length u32 ┬ contents, JSON ┬ crc32 of all before u32 ┐
//   small sections, each padded to 8 ┬ large sections ┬ crc32 of each piece u32* ┬ crc32 of these u32 ┐
const magic = 'NXHEAD\r\n'
const fixedBytes = 16
const checksumBytes = 4
/** What a checksum is of; small and large sections are cut into pieces apart from each other. */
export const pieceBytes = 1024 * 1024
/** Of the contents: names of sections, and of files, some 60 bytes each. */
const contentsBytesMax = 64 * 1024 * 1024

/** What stands in front of a state: what it is of, and where its parts are. */
export interface StateContents {
  /** Of the program that wrote it. */
  readonly version: string
  readonly layout: string
  /** What the head depends on. */
  readonly options: Readonly<Record<string, number | boolean>>
  readonly usedBytes: number
  /** Of the data directory, a line a file or block: `directory-state.ts`. */
  readonly directory: readonly string[]
  readonly small: readonly Section[]
  readonly large: readonly Section[]
}

/** Bytes that are no state, or not all of one. */
export class StateError extends Error {
  override name = 'StateError'
}

/** Lengths of the parts of a file. */
export interface StateExtent {
  readonly headerBytes: number
  readonly smallBytes: number
  readonly largeBytes: number
  readonly pieces: number
  readonly fileBytes: number
}

export function encodeHeader(contents: StateContents): Uint8Array {
  const json = Buffer.from(JSON.stringify(contents))
  if (json.length > contentsBytesMax) throw new StateError(`want at most ${contentsBytesMax} bytes of contents, got ${json.length}`)
  const header = new Uint8Array(fixedBytes + json.length + checksumBytes)
  const view = new DataView(header.buffer)
  header.set(Buffer.from(magic, 'latin1'))
  header.set(orderMark(), 8)
  view.setUint32(12, json.length)
  header.set(json, fixedBytes)
  view.setUint32(fixedBytes + json.length, crc32(header.subarray(0, fixedBytes + json.length)))
  return header
}

/** `read` gives the bytes of a file at a place, fewer if it ends there. Throws a `StateError`. */
export function decodeHeader(read: (from: number, length: number) => Uint8Array, fileBytes: number): [StateContents, StateExtent] {
  const fixed = read(0, fixedBytes)
  if (fixed.length < fixedBytes || Buffer.from(fixed.subarray(0, 8)).toString('latin1') !== magic) throw new StateError('it is no state')
  if (Buffer.compare(fixed.subarray(8, 12), orderMark()) !== 0) throw new StateError('it is of a machine with another byte order')
  const length = new DataView(fixed.buffer, fixed.byteOffset).getUint32(12)
  if (length > contentsBytesMax || fixedBytes + length + checksumBytes > fileBytes) throw new StateError('its contents are cut off')
  const header = read(0, fixedBytes + length + checksumBytes)
  const sum = new DataView(header.buffer, header.byteOffset).getUint32(fixedBytes + length)
  if (crc32(header.subarray(0, fixedBytes + length)) !== sum) throw new StateError('the checksum of its contents is wrong')
  // Written by this program, as the checksum says; of another version of it, fields may be missing.
  const contents = JSON.parse(Buffer.from(header.subarray(fixedBytes, fixedBytes + length)).toString()) as StateContents
  if (!Array.isArray(contents.small) || !Array.isArray(contents.large) || !Array.isArray(contents.directory)) {
    throw new StateError('its contents are of another version')
  }
  return [contents, measure(contents, header.length)]
}

export function measure({ small, large }: StateContents, headerBytes: number): StateExtent {
  const smallBytes = smallBytesOf(small)
  const largeBytes = large.reduce((sum, { bytes }) => sum + bytes, 0)
  const pieces = Math.ceil(smallBytes / pieceBytes) + Math.ceil(largeBytes / pieceBytes)
  return {
    headerBytes,
    smallBytes,
    largeBytes,
    pieces,
    fileBytes: headerBytes + smallBytes + largeBytes + (pieces + 1) * checksumBytes,
  }
}

/** Of a piece that may lie in several places. */
export function checksumOf(piece: readonly Uint8Array[]): number {
  let sum = 0
  for (const view of piece) sum = crc32(view, sum)
  return sum
}

export function encodeChecksums(sums: readonly number[]): Uint8Array {
  const bytes = new Uint8Array((sums.length + 1) * checksumBytes)
  const view = new DataView(bytes.buffer)
  for (const [i, sum] of sums.entries()) view.setUint32(i * checksumBytes, sum)
  const end = sums.length * checksumBytes
  view.setUint32(end, crc32(bytes.subarray(0, end)))
  return bytes
}

/** Throws a `StateError`. */
export function decodeChecksums(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = bytes.length - checksumBytes
  if (end < 0 || crc32(bytes.subarray(0, end)) !== view.getUint32(end)) throw new StateError('the checksum of its checksums is wrong')
  return Array.from({ length: end / checksumBytes }, (_, i) => view.getUint32(i * checksumBytes))
}

function orderMark(): Uint8Array {
  return new Uint8Array(Uint32Array.of(0x01020304).buffer)
}
