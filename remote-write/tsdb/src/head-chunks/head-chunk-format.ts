import { readdirSync } from 'node:fs'
import { join } from 'node:path'

// Prometheus' chunks_head. FORMAT.md, "Head chunks".

// ┌ magic 4 B ┬ version 1 B ┬ length of the file before, its low 3 B ┐, then chunks. Prometheus leaves zeros for the length, and reads over it.
const previousBytesAt = 5
const previousBytesMask = 0xff_ffff
export const fileHeaderBytes = 8
export const fileMagic = 0x0130bc91
export const fileVersion = 1
export const fileBytesMax = 128 * 1024 * 1024

// ┌ series u64 ┬ first time i64 ┬ last time i64 ┬ encoding 1 B ┬ length uvarint ┬ data ┬ crc32c of all before 4 B ┐
export const chunkHeaderBytes = 25
export const lengthBytesMax = 5
export const checksumBytes = 4
export const outOfOrderBit = 0x80
/** A longer chunk is taken for damage. */
export const chunkBytesMax = 16 * 1024 * 1024

/** Bytes of a chunk file that disagree with the format; `path` and `offset` say where. */
export class HeadChunkError extends Error {
  override name = 'HeadChunkError'
  readonly path: string
  readonly offset: number

  constructor(path: string, offset: number, problem: string, options?: ErrorOptions) {
    super(`cannot read head chunk in ${path} at offset ${offset}: ${problem}`, options)
    this.path = path
    this.offset = offset
  }
}

/** Where a chunk begins. Prometheus packs it as file << 32 | offset. */
export interface HeadChunkPlace {
  readonly file: number
  readonly offset: number
}

/** What stands in front of a chunk's data. */
export interface HeadChunkMeta extends HeadChunkPlace {
  readonly seriesRef: number
  readonly minTimeMs: number
  readonly maxTimeMs: number
  /** Without the bit of out-of-order chunks. */
  readonly encoding: number
  readonly isOutOfOrder: boolean
}

export function headChunkFileName(file: number): string {
  return String(file).padStart(6, '0')
}

/** The chunk files of a directory in order; other names (`*.corrupt-n`) are left alone. */
export function listHeadChunkFiles(directory: string): { file: number; path: string }[] {
  return readdirSync(directory)
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ file: Number(name), path: join(directory, name) }))
    .sort((a, b) => a.file - b.file)
}

/** The first bytes of every file. `previousBytes`: length of the file before, 0 = not known. */
export function createFileHeader(previousBytes = 0): Uint8Array {
  const header = new Uint8Array(fileHeaderBytes)
  const view = new DataView(header.buffer)
  view.setUint32(0, fileMagic)
  view.setUint32(previousBytesAt - 1, previousBytes & previousBytesMask)
  view.setUint8(4, fileVersion)
  return header
}

/** Whether a file may have had `previousBytes` when the one with this header was begun: one that is cut off between two chunks looks whole. */
export function followsFileOf(header: Uint8Array, previousBytes: number): boolean {
  const told = (header[previousBytesAt]! << 16) | (header[previousBytesAt + 1]! << 8) | header[previousBytesAt + 2]!
  return told === 0 || told === (previousBytes & previousBytesMask)
}

export function checkFileHeader(path: string, header: Uint8Array): void {
  if (header.length < fileHeaderBytes) throw new HeadChunkError(path, 0, `want a header of ${fileHeaderBytes} bytes, got ${header.length}`)
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength)
  const magic = view.getUint32(0)
  if (magic !== fileMagic) throw new HeadChunkError(path, 0, `want magic number ${fileMagic.toString(16)}, got ${magic.toString(16)}`)
  if (header[4] !== fileVersion) throw new HeadChunkError(path, 4, `want version ${fileVersion}, got ${header[4]}`)
}
