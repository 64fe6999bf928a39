import { join } from 'node:path'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { crc32c } from '@narthex/bytes/crc32c'
import { isKnownEncoding } from '../chunk/chunk-encoding.ts'
import { BlockError } from './block-error.ts'
import {
  chunkBytesMax,
  chunkFileBytesMax,
  chunkFileHeaderBytes,
  chunkFileMagic,
  chunkFileName,
  chunkFileSpan,
  chunkFileVersion,
} from './chunk-format.ts'
import { OutputFile, outputBufferBytes } from './output-file.ts'

const lengthBytesMax = 5
const frameBytesMax = lengthBytesMax + 1 + 4
const sampleCountBytes = 2

/** Writes the files below `chunks/` one after another; a file is synced in the background when the next one begins. */
export class ChunkFileWriter {
  readonly #directory: string
  readonly #fileBytesMax: number
  // `finish` empties it before it waits, so the next file may use it at once.
  readonly #buffer = new Uint8Array(outputBufferBytes)
  readonly #frame = new ByteWriter(1024)
  readonly #synced: Promise<void>[] = []
  #file: OutputFile | undefined
  #count = 0

  constructor(directory: string, fileBytesMax = chunkFileBytesMax) {
    this.#directory = directory
    this.#fileBytesMax = fileBytesMax
  }

  /** Writes a chunk and gives its reference. */
  write(encoding: number, data: Uint8Array): number {
    if (!isKnownEncoding(encoding)) throw this.#refuse(`want encoding 1 to 6, got ${encoding}`)
    if (data.length < sampleCountBytes || data.length > chunkBytesMax) {
      throw this.#refuse(`want a chunk of ${sampleCountBytes} to ${chunkBytesMax} bytes, got ${data.length}`)
    }
    const file = this.#fileFor(data.length + frameBytesMax)
    const reference = (this.#count - 1) * chunkFileSpan + file.position
    const frame = this.#frame
    frame.reset()
    frame.uvarint(data.length)
    const start = frame.length
    frame.u8(encoding)
    frame.raw(data)
    frame.u32be(crc32c(frame.bytes, start, frame.length))
    file.write(frame.view())
    return reference
  }

  /** When it resolves all files survive a power cut. */
  async finish(): Promise<void> {
    this.#endFile()
    await Promise.all(this.#synced)
  }

  /** Closes what is open; nothing is synced that is not already on its way. */
  async abandon(): Promise<void> {
    this.#file?.abandon()
    this.#file = undefined
    await Promise.allSettled(this.#synced)
  }

  #fileFor(bytes: number): OutputFile {
    const current = this.#file
    // A chunk that is longer than a whole file gets one of its own.
    if (current !== undefined && (current.position === chunkFileHeaderBytes || current.position + bytes <= this.#fileBytesMax))
      return current
    this.#endFile()
    const file = new OutputFile(join(this.#directory, chunkFileName(this.#count++)), this.#buffer)
    const header = this.#frame
    header.reset()
    header.u32be(chunkFileMagic)
    header.u8(chunkFileVersion)
    header.raw(Uint8Array.of(0, 0, 0))
    file.write(header.view())
    return (this.#file = file)
  }

  #endFile(): void {
    const file = this.#file
    if (file === undefined) return
    this.#file = undefined
    const synced = file.finish()
    // Told by `finish`; until then a failure must not count as unhandled.
    synced.catch(() => {})
    this.#synced.push(synced)
  }

  #refuse(problem: string): BlockError {
    return new BlockError('write', this.#file?.path ?? this.#directory, this.#file?.position ?? 0, problem)
  }
}
