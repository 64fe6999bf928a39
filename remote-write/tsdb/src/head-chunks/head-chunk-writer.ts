import { syncDirectory } from '@narthex/service/sync-directory'
import { close, closeSync, fsync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { StoredPlace } from '../chunk/open-chunk.ts'
import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { entryStartBytes, putChunkEntry } from './chunk-entry.ts'
import type { NewHeadChunk } from './chunk-entry.ts'
import { checksumBytes, createFileHeader, fileBytesMax, fileHeaderBytes, headChunkFileName } from './head-chunk-format.ts'
import type { HeadChunkFile } from './replay-head-chunks.ts'

/** `bytes`: 0 or absent, if they are not known. */
export type KnownChunkFile = Pick<HeadChunkFile, 'file' | 'maxTimeMs'> & Partial<Pick<HeadChunkFile, 'bytes'>>

export interface HeadChunkWriterOptions {
  /** The `chunks_head` directory; exists. */
  readonly directory: string
  /** As the replay found them. */
  readonly files: readonly KnownChunkFile[]
  readonly fileBytes?: number
  /** What was appended since the last `write` is not in a file. */
  readonly onWriteError?: (cause: Error) => void
  /** A file could not be synced when it ended, or not be removed: the log still has its samples. */
  readonly onError?: (cause: Error) => void
}

/** Chunks are gathered up to this size; one that is larger is written alone. */
const bufferBytes = 256 * 1024
const fsyncFile = promisify(fsync)
const closeFile = promisify(close)

/**
 * Writes closed chunks of the head to files. `append` only copies and gives the place; after `write` the system has them, so that readers in
 * other threads find them, and only then may the head free the chunks. Files are synced when they end, as their samples stay in the log until
 * then. Every start begins a new file. Nothing that a reader may have seen is written over.
 */
export class HeadChunkWriter {
  readonly #options: HeadChunkWriterOptions
  readonly #fileBytes: number
  readonly #maxTimes = new Map<number, number>()
  #file: number
  /** Bytes of the file that are written; 0 = there is none yet. */
  #size = 0
  /** Of the file before it; 0 = not known. */
  #previousBytes: number
  #fd = -1
  readonly #buffer = new ByteWriter(bufferBytes)
  /** Syncs of files that ended, and removals. */
  #behind: Promise<void> = Promise.resolve()
  #isClosed = false
  chunksWritten = 0
  bytesWritten = 0

  constructor(options: HeadChunkWriterOptions) {
    this.#options = options
    this.#fileBytes = options.fileBytes ?? fileBytesMax
    for (const { file, maxTimeMs } of options.files) this.#maxTimes.set(file, maxTimeMs)
    this.#file = (options.files.at(-1)?.file ?? 0) + 1
    this.#previousBytes = options.files.at(-1)?.bytes ?? 0
  }

  get directory(): string {
    return this.#options.directory
  }

  /** For `readFilesState`. */
  saveState(state: StateWriter): void {
    state.numbers({ previousBytes: this.#previousBytes })
    state.array('files', Float64Array.from(this.#maxTimes.keys()))
    state.array('maxTimes', Float64Array.from(this.#maxTimes.values()))
  }

  /** Number of the file that the next chunk goes to, if it fits. */
  get file(): number {
    return this.#file
  }

  /** Number of the oldest file there is, or will be. */
  get oldestFile(): number {
    return Math.min(this.#file, ...this.#maxTimes.keys())
  }

  /** The files there are, oldest first, for another writer that goes on instead of this one; the one being written ends. */
  endFiles(): HeadChunkFile[] {
    this.write()
    if (this.#size > 0) this.#endFile()
    const bytesOf = (file: number): number => (file === this.#file - 1 ? this.#previousBytes : 0)
    return [...this.#maxTimes].map(([file, maxTimeMs]) => ({ file, maxTimeMs, bytes: bytesOf(file) })).sort((a, b) => a.file - b.file)
  }

  /** Another writer has gone on instead of this one, left these files, and could not write others for `writeError`. */
  takeOver(files: readonly HeadChunkFile[], writeError: string | undefined): void {
    if (writeError !== undefined) this.#options.onWriteError?.(new Error(writeError))
    for (const { file, maxTimeMs, bytes } of files) {
      this.#maxTimes.set(file, maxTimeMs)
      if (file < this.#file) continue
      this.#file = file + 1
      this.#previousBytes = bytes
      // Its thread may end before the file is synced.
      const fd = openSync(join(this.#options.directory, headChunkFileName(file)), 'r')
      this.#syncAndClose(fd)
    }
  }

  /** Whether a chunk with so many bytes of data may be appended before the next `write`. */
  fits(dataBytes: number): boolean {
    const { length } = this.#buffer
    if (length === 0) return true
    const bytesMax = length + entryStartBytes + dataBytes + checksumBytes
    return bytesMax <= bufferBytes && Math.max(this.#size, fileHeaderBytes) + bytesMax <= this.#fileBytes
  }

  /** The caller has asked `fits`. */
  append(chunk: NewHeadChunk): StoredPlace {
    if (this.#isClosed) throw new Error('cannot write head chunk: the writer is closed')
    if (this.#buffer.length === 0) this.#beginBatch(entryStartBytes + chunk.data.length + checksumBytes)
    const before = this.#buffer.length
    putChunkEntry(this.#buffer, chunk)
    this.chunksWritten++
    const maxTimeMs = this.#maxTimes.get(this.#file) ?? -Infinity
    if (chunk.maxTimeMs > maxTimeMs) this.#maxTimes.set(this.#file, chunk.maxTimeMs)
    return { file: this.#file, offset: Math.max(this.#size, fileHeaderBytes) + before, bytes: this.#buffer.length - before }
  }

  /** Writes what was appended since the last time; false if that failed: then none of it is in a file, nor will be. */
  write(): boolean {
    if (this.#buffer.length === 0) return true
    try {
      if (this.#size === 0) this.#openFile()
      this.#writeAll(this.#buffer.bytes, this.#buffer.length)
      return true
    } catch (cause) {
      this.#abandon()
      this.#options.onWriteError?.(cause instanceof Error ? cause : new Error(String(cause)))
      return false
    } finally {
      this.#buffer.reset()
    }
  }

  /**
   * The oldest files, as far as all their chunks ended before `minTimeMs`; never one behind a file with newer ones. Ends the file being written, so that
   * a later call can give it.
   */
  filesBefore(minTimeMs: number): number[] {
    if (this.#size > 0) this.#endFile()
    const found: number[] = []
    for (const [file, maxTimeMs] of [...this.#maxTimes].sort(([a], [b]) => a - b)) {
      if (file === this.#file || maxTimeMs >= minTimeMs) break
      found.push(file)
    }
    return found
  }

  /** Deletes files that `filesBefore` gave, one after the other. */
  remove(files: readonly number[]): void {
    for (const file of files) this.#maxTimes.delete(file)
    this.#doBehind(async () => {
      for (const file of files) await rm(join(this.#options.directory, headChunkFileName(file)), { force: true })
    })
  }

  /** Writes what is left and waits for the disk. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.write()
    this.#isClosed = true
    if (this.#size > 0) this.#endFile()
    await this.#behind
  }

  #beginBatch(bytes: number): void {
    if (this.#size > 0 && this.#size + bytes > this.#fileBytes) this.#endFile()
  }

  #openFile(): void {
    const path = join(this.#options.directory, headChunkFileName(this.#file))
    // Numbers are ours alone, but an old `promtool tsdb dump` writes such files too: it may keep the one that it has open.
    rmSync(path, { force: true })
    this.#fd = openSync(path, 'wx')
    this.#writeAll(createFileHeader(this.#previousBytes), fileHeaderBytes)
  }

  #writeAll(bytes: Uint8Array, length: number): void {
    let written = 0
    while (written < length) written += writeSync(this.#fd, bytes, written, length - written, this.#size + written)
    this.#size += length
    this.bytesWritten += length
  }

  /** After a failed write: what is whole stays. */
  #abandon(): void {
    if (this.#size > fileHeaderBytes) {
      tryAll(() => ftruncateSync(this.#fd, this.#size))
      this.#endFile()
      return
    }
    this.#size = 0
    if (this.#fd < 0) return
    tryAll(() => closeSync(this.#fd))
    this.#fd = -1
    tryAll(() => rmSync(join(this.#options.directory, headChunkFileName(this.#file)), { force: true }))
  }

  #endFile(): void {
    const fd = this.#fd
    this.#fd = -1
    this.#previousBytes = this.#size
    this.#size = 0
    this.#file++
    this.#syncAndClose(fd)
  }

  #syncAndClose(fd: number): void {
    this.#doBehind(async () => {
      try {
        await fsyncFile(fd)
        await syncDirectory(this.#options.directory)
      } finally {
        await closeFile(fd)
      }
    })
  }

  /** No append waits for the disk. */
  #doBehind(work: () => Promise<void>): void {
    const before = this.#behind
    this.#behind = (async () => {
      await before
      try {
        await work()
      } catch (error) {
        this.#options.onError?.(error instanceof Error ? error : new Error(String(error)))
      }
    })()
  }
}

/** The files that a writer had written or found. */
export function readFilesState(state: StateReader): KnownChunkFile[] {
  const bytes = state.number('previousBytes')
  const maxTimes = state.doubles('maxTimes')
  const files = Array.from(state.doubles('files'), (file, i) => ({ file, maxTimeMs: maxTimes[i]! })).sort((a, b) => a.file - b.file)
  return files.map((file, i) => (i === files.length - 1 ? { ...file, bytes } : file))
}

/** A second failure adds nothing to the first. */
function tryAll(work: () => void): void {
  try {
    work()
  } catch {
    // The next start finds what is left.
  }
}
