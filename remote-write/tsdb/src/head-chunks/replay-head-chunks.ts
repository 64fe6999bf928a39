import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { finishSteps } from '../steps.ts'
import type { Steps } from '../steps.ts'
import { setTailAside } from '../wal/repair.ts'
import { chunkEntryBytes, entryStartBytes, readChunkEntry } from './chunk-entry.ts'
import type { HeadChunk } from './chunk-entry.ts'
import {
  checkFileHeader,
  createFileHeader,
  fileHeaderBytes,
  followsFileOf,
  HeadChunkError,
  listHeadChunkFiles,
} from './head-chunk-format.ts'
import type { HeadChunkPlace } from './head-chunk-format.ts'

/** Damage that was found and dealt with. */
export interface HeadChunkDamage {
  readonly path: string
  /** What is before was read and stays. */
  readonly offset: number
  /** 'torn': an unfinished last write, cut off. 'corrupt': moved to `setAside`. 'after': a later file than a corrupt one, moved whole. */
  readonly kind: 'torn' | 'corrupt' | 'after'
  readonly setAside?: string
  readonly bytes: number
  readonly reason: string
}

export interface HeadChunkReplay {
  readonly files: readonly HeadChunkFile[]
  readonly chunks: number
  readonly bytes: number
  readonly damages: readonly HeadChunkDamage[]
  /** The last chunk that was read; markers of the log of out-of-order samples that point beyond it mean nothing. */
  readonly last: HeadChunkPlace | undefined
  readonly seconds: number
}

export interface HeadChunkFile {
  readonly file: number
  /** Newest time of its chunks, -Infinity without any. */
  readonly maxTimeMs: number
  readonly bytes: number
}

const bufferBytes = 1024 * 1024
const chunksPerStep = 256

/** Gets a chunk, whose data are valid for the call, and the length of its entry in the file. */
export type TakeHeadChunk = (chunk: HeadChunk, entryBytes: number) => void

/**
 * Reads all head chunks of a directory in the order they were written, 1 MiB at a time. At damage the rest of the file and all later files are set
 * aside as `*.corrupt-<n>`, and `onDamage` is told each; so the chunks of a series have no gap, and the log has what follows. Later files are replaced by
 * empty ones, so that no place of a chunk is given out twice. A missing file counts as damage, and one that is shorter than when the next one was begun.
 */
export function replayHeadChunks(directory: string, take: TakeHeadChunk, onDamage: (damage: HeadChunkDamage) => void): HeadChunkReplay {
  return finishSteps(replayHeadChunksInSteps(directory, take, onDamage))
}

/** As `replayHeadChunks`, some chunks a step. */
export function* replayHeadChunksInSteps(
  directory: string,
  take: TakeHeadChunk,
  onDamage: (damage: HeadChunkDamage) => void,
): Steps<HeadChunkReplay> {
  const startedAt = performance.now()
  const damages: HeadChunkDamage[] = []
  const files: HeadChunkFile[] = []
  const scan = new FileScan(take)
  const tell = (damage: HeadChunkDamage): void => {
    damages.push(damage)
    onDamage(damage)
  }
  const listed = listHeadChunkFiles(directory)
  let bytes = 0
  // Why no later file is read.
  let reason: string | undefined
  let isGap = false
  for (const [i, { file, path }] of listed.entries()) {
    if (i > 0 && file !== listed[i - 1]!.file + 1) {
      isGap = true
      reason ??= `file ${listed[i - 1]!.file + 1} is missing`
    }
    if (i > 0 && reason === undefined && !follows(path, scan.size)) {
      reason = `${listed[i - 1]!.path} is not as long as it was: ${scan.size} bytes are left`
    }
    if (reason !== undefined) {
      tell(setFileAside(path, reason))
      // Behind a gap an empty file would be behind it again at the next start.
      if (isGap) continue
      writeFileSync(path, createFileHeader())
      files.push({ file, maxTimeMs: -Infinity, bytes: fileHeaderBytes })
      continue
    }
    const error = yield* scan.read(path, file)
    bytes += scan.offset
    if (error !== undefined) {
      const damage = repairFile(path, scan, error, i === listed.length - 1)
      if (damage.kind === 'corrupt') reason = `comes after the damage of ${path}: ${damage.reason}`
      tell(damage)
    }
    files.push({ file, maxTimeMs: scan.maxTimeMs, bytes: Math.max(fileHeaderBytes, scan.offset) })
  }
  return { files, chunks: scan.chunks, bytes, damages, last: scan.last, seconds: (performance.now() - startedAt) / 1000 }
}

/** Whether a file was begun when the one before it was as long as now; true if the header does not tell. */
function follows(path: string, previousBytes: number): boolean {
  const header = new Uint8Array(fileHeaderBytes)
  const fd = openSync(path, 'r')
  try {
    return readSync(fd, header, 0, fileHeaderBytes, 0) < fileHeaderBytes || followsFileOf(header, previousBytes)
  } finally {
    closeSync(fd)
  }
}

class FileScan {
  chunks = 0
  last: HeadChunkPlace | undefined
  /** Of the file that was read: its size, where its good chunks end, whether it ended within the next one. */
  size = 0
  offset = 0
  isShort = false
  maxTimeMs = -Infinity
  readonly #take: TakeHeadChunk
  #buffer = new Uint8Array(bufferBytes)
  #bufferStart = 0
  #bufferLength = 0
  #fd = 0

  constructor(take: TakeHeadChunk) {
    this.#take = take
  }

  /** The damage that ended it, if any. */
  *read(path: string, file: number): Steps<HeadChunkError | undefined> {
    this.#fd = openSync(path, 'r')
    try {
      this.size = fstatSync(this.#fd).size
      this.offset = 0
      this.maxTimeMs = -Infinity
      this.isShort = this.size < fileHeaderBytes
      this.#bufferLength = 0
      this.#load(fileHeaderBytes)
      checkFileHeader(path, this.#buffer.subarray(0, Math.min(fileHeaderBytes, this.#bufferLength)))
      this.offset = fileHeaderBytes
      for (let read = 1; this.offset < this.size && this.#readOne(path, file); read++) if (read % chunksPerStep === 0) yield
      return undefined
    } catch (error) {
      if (!(error instanceof HeadChunkError)) throw error
      return error
    } finally {
      closeSync(this.#fd)
    }
  }

  #checkZeros(path: string): void {
    const { offset } = this
    while (this.offset < this.size) {
      this.#load(1)
      const from = this.offset - this.#bufferStart
      const at = this.#buffer.subarray(from, this.#bufferLength).findIndex((byte) => byte !== 0)
      if (at >= 0) {
        const problem = `want zeros to the end of the file, got ${this.#buffer[from + at]} at ${this.offset + at}`
        this.offset = offset
        throw new HeadChunkError(path, offset, problem)
      }
      this.offset = this.#bufferStart + this.#bufferLength
    }
    this.offset = offset
  }

  /** False at the zeros that Prometheus leaves behind the last chunk. */
  #readOne(path: string, file: number): boolean {
    const { offset } = this
    const left = this.size - offset
    this.#load(Math.min(left, entryStartBytes))
    this.isShort = left < entryStartBytes
    const start = offset - this.#bufferStart
    const count = chunkEntryBytes(path, offset, this.#buffer, start, start + Math.min(left, entryStartBytes))
    if (count === 0) {
      this.#checkZeros(path)
      return false
    }
    this.isShort = count > left
    if (count > left) throw new HeadChunkError(path, offset, `want ${count} bytes, got ${left}`)
    this.#load(count)
    const chunk = readChunkEntry(path, file, offset, this.#buffer, offset - this.#bufferStart, count)
    this.#take(chunk, count)
    this.chunks++
    this.last = { file, offset }
    if (chunk.maxTimeMs > this.maxTimeMs) this.maxTimeMs = chunk.maxTimeMs
    this.offset = offset + count
    return true
  }

  /** Makes sure that `count` bytes from `offset` on are in the buffer. */
  #load(count: number): void {
    const { offset } = this
    if (offset >= this.#bufferStart && offset + count <= this.#bufferStart + this.#bufferLength) return
    if (count > this.#buffer.length) this.#buffer = new Uint8Array(count)
    this.#bufferStart = offset
    this.#bufferLength = 0
    while (this.#bufferLength < this.#buffer.length) {
      const more = readSync(
        this.#fd,
        this.#buffer,
        this.#bufferLength,
        this.#buffer.length - this.#bufferLength,
        offset + this.#bufferLength,
      )
      if (more === 0) return
      this.#bufferLength += more
    }
  }
}

function repairFile(path: string, scan: FileScan, error: HeadChunkError, isNewest: boolean): HeadChunkDamage {
  const found = { path, offset: scan.offset, bytes: scan.size - scan.offset, reason: error.message }
  if (isNewest && scan.isShort) {
    truncateSync(path, scan.offset)
    if (scan.offset === 0) writeFileSync(path, createFileHeader())
    return { ...found, kind: 'torn' }
  }
  const setAside = setTailAside(path, scan.offset)
  if (scan.offset === 0) writeFileSync(path, createFileHeader())
  return { ...found, kind: 'corrupt', setAside }
}

function setFileAside(path: string, reason: string): HeadChunkDamage {
  const fd = openSync(path, 'r')
  const bytes = fstatSync(fd).size
  closeSync(fd)
  let number = 1
  while (existsSync(`${path}.corrupt-${number}`)) number++
  const setAside = `${path}.corrupt-${number}`
  renameSync(path, setAside)
  return { path, offset: 0, kind: 'after', setAside, bytes, reason }
}
