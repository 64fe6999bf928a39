import { syncDirectory } from '@narthex/service/sync-directory'
import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { entryStartBytes, putChunkEntry } from './chunk-entry.ts'
import type { NewHeadChunk } from './chunk-entry.ts'
import { checksumBytes, createFileHeader, fileBytesMax, fileHeaderBytes, headChunkFileName } from './head-chunk-format.ts'
import type { HeadChunkPlace } from './head-chunk-format.ts'
import type { HeadChunkFile } from './replay-head-chunks.ts'

export interface HeadChunkWriterOptions {
  /** The `chunks_head` directory; exists. */
  readonly directory: string
  /** As the replay found them. */
  readonly files: readonly HeadChunkFile[]
  readonly fileBytes?: number
  /** A failed fsync of a full file: the log still has its samples. */
  readonly onSyncError?: (cause: Error) => void
}

/** What is to be written to one file. */
interface Batch {
  readonly file: number
  readonly start: number
  readonly bytes: Uint8Array
  /** Whether the file ends with it. */
  readonly endsFile: boolean
}

const bufferBytes = 256 * 1024

/**
 * Appends full chunks of the head to files. `append` only copies and gives the place; `flush` hands everything to libuv's pool and
 * resolves when the system has it, so that readers in other threads find it: only then may the head free the chunk. Files are
 * synced when they end, as their samples stay in the log until then. Every start begins a new file.
 */
export class HeadChunkWriter {
  readonly #options: HeadChunkWriterOptions
  readonly #fileBytes: number
  readonly #maxTimes = new Map<number, number>()
  #file: number
  /** Bytes of the file that are in batches, and those being put together. */
  #start = 0
  #pending = new ByteWriter(bufferBytes)
  #batches: Batch[] = []
  #handle: FileHandle | undefined
  #handleOf = 0
  #flushing: Promise<void> = Promise.resolve()
  /** Syncs of full files. */
  #syncing: Promise<void> = Promise.resolve()
  #isClosed = false
  chunksWritten = 0
  bytesWritten = 0

  constructor(options: HeadChunkWriterOptions) {
    this.#options = options
    this.#fileBytes = options.fileBytes ?? fileBytesMax
    for (const { file, maxTimeMs } of options.files) this.#maxTimes.set(file, maxTimeMs)
    this.#file = options.files.at(-1)?.file ?? 0
    this.#startFile()
  }

  /** Number of the file that the next chunk goes to, if it fits. */
  get file(): number {
    return this.#file
  }

  /** Bytes that wait for a flush, or for the end of one. */
  get pendingBytes(): number {
    return this.#batches.reduce((sum, { bytes }) => sum + bytes.length, this.#pending.length)
  }

  append(chunk: NewHeadChunk): HeadChunkPlace {
    if (this.#isClosed) throw new Error('cannot write head chunk: the writer is closed')
    const bytesMax = entryStartBytes + chunk.data.length + checksumBytes
    const used = this.#start + this.#pending.length
    if (used + bytesMax > this.#fileBytes && used > fileHeaderBytes) this.#endFile()
    const offset = this.#start + this.#pending.length
    putChunkEntry(this.#pending, chunk)
    this.chunksWritten++
    const maxTimeMs = this.#maxTimes.get(this.#file) ?? -Infinity
    if (chunk.maxTimeMs > maxTimeMs) this.#maxTimes.set(this.#file, chunk.maxTimeMs)
    return { file: this.#file, offset }
  }

  /**
   * Writes what was appended so far. Rejects if that failed: nothing is lost then, the next flush writes it again at the same
   * place.
   */
  flush(): Promise<void> {
    if (this.#pending.length > 0) this.#cutBatch(false)
    const before = this.#flushing
    const flushing = (async () => {
      await before.catch(() => undefined)
      await this.#writeBatches()
    })()
    // A rejection that nobody waits for is told by the next flush.
    flushing.catch(() => undefined)
    this.#flushing = flushing
    return flushing
  }

  /**
   * Deletes the oldest files as long as all their chunks ended before `minTimeMs`, never a file with newer ones or one after it.
   * Ends the file being written, so that a later call can delete it. Gives the deleted numbers.
   */
  async truncate(minTimeMs: number): Promise<number[]> {
    if (this.#start + this.#pending.length > fileHeaderBytes) this.#endFile()
    // A full disk must not keep old files from going.
    await this.flush().catch(() => undefined)
    const deleted: number[] = []
    for (const [file, maxTimeMs] of [...this.#maxTimes].sort(([a], [b]) => a - b)) {
      const isWritten = file < (this.#batches[0]?.file ?? this.#file)
      if (!isWritten || maxTimeMs >= minTimeMs) break
      await rm(join(this.#options.directory, headChunkFileName(file)), { force: true })
      this.#maxTimes.delete(file)
      deleted.push(file)
    }
    return deleted
  }

  /** Writes what is left and waits for the disk. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    try {
      await this.flush()
      await this.#handle?.sync()
      await syncDirectory(this.#options.directory)
    } finally {
      await this.#syncing
      await this.#handle?.close()
      this.#handle = undefined
    }
  }

  /** The header is written with the first chunk, so that no empty file is left behind. */
  #startFile(): void {
    this.#file++
    this.#start = 0
    this.#pending.raw(createFileHeader())
  }

  #endFile(): void {
    this.#cutBatch(true)
    this.#startFile()
  }

  #cutBatch(endsFile: boolean): void {
    // A header alone waits for its first chunk.
    if (!endsFile && this.#start === 0 && this.#pending.length === fileHeaderBytes) return
    const bytes = this.#pending.view()
    this.#batches.push({ file: this.#file, start: this.#start, bytes, endsFile })
    this.#start += bytes.length
    this.#pending = new ByteWriter(bufferBytes)
  }

  async #writeBatches(): Promise<void> {
    for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
      const handle = await this.#openFile(batch.file)
      const { bytes, start } = batch
      for (let from = 0; from < bytes.length;) from += (await handle.write(bytes, from, bytes.length - from, start + from)).bytesWritten
      this.bytesWritten += bytes.length
      this.#batches.shift()
      if (batch.endsFile) this.#syncAndClose()
    }
  }

  async #openFile(file: number): Promise<FileHandle> {
    if (this.#handle !== undefined && this.#handleOf === file) return this.#handle
    const path = join(this.#options.directory, headChunkFileName(file))
    // Numbers are ours alone, but an old `promtool tsdb dump` writes such files too: it may keep the one that it has open.
    await rm(path, { force: true })
    this.#handle = await open(path, 'wx')
    this.#handleOf = file
    return this.#handle
  }

  /** No flush waits for the disk. */
  #syncAndClose(): void {
    const handle = this.#handle
    this.#handle = undefined
    if (handle === undefined) return
    const before = this.#syncing
    this.#syncing = (async () => {
      await before
      try {
        await handle.sync()
        await syncDirectory(this.#options.directory)
      } catch (error) {
        this.#options.onSyncError?.(error instanceof Error ? error : new Error(String(error)))
      } finally {
        await handle.close()
      }
    })()
  }
}
