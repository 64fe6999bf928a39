import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ByteReader } from '@narthex/bytes/byte-reader'
import { crc32c } from '@narthex/bytes/crc32c'
import { isKnownEncoding } from '../chunk/chunk-encoding.ts'
import { BlockError, asBlockError } from './block-error.ts'
import { BlockFile } from './block-file.ts'
import { readU32 } from './byte-order.ts'
import { copyBytes } from './byte-slab.ts'
import { chunkBytesMin, chunkCheck } from './chunk-check.ts'
import { chunkBytesMax, chunkFileHeaderBytes, chunkFileMagic, chunkFileName, chunkFileSpan, chunkFileVersion } from './chunk-format.ts'
import { crcBytes } from './index-format.ts'
import type { PageCache } from './page-cache.ts'

const lengthBytesMax = 5
const encodingBytes = 1
const fileNamePattern = /^0*[1-9]\d{0,8}$/

/** The bytes of one chunk, without length and checksum. */
export interface ChunkData {
  /** 1 to 6. */
  readonly encoding: number
  /** Its ArrayBuffer is not this chunk's alone. */
  readonly data: Uint8Array
}

/** The files below `chunks/`, by their numbers. */
export class ChunkFiles {
  readonly directory: string
  /** The first has number 0. */
  readonly #files = new Map<number, BlockFile>()

  private constructor(directory: string) {
    this.directory = directory
  }

  static open(directory: string, cache: PageCache): ChunkFiles {
    const chunks = new ChunkFiles(directory)
    try {
      for (const name of readdirSync(directory)) {
        if (!fileNamePattern.test(name)) continue
        const file = BlockFile.open(join(directory, name), cache)
        chunks.#files.set(Number(name) - 1, file)
        checkHeader(file)
      }
    } catch (cause) {
      chunks.close()
      throw asBlockError(directory, 0, cause)
    }
    return chunks
  }

  close(): void {
    for (const file of this.#files.values()) file.close()
    this.#files.clear()
  }

  /** Bytes of all files. */
  get byteLength(): number {
    let total = 0
    for (const { size } of this.#files.values()) total += size
    return total
  }

  /** The chunk of this reference, the caller's own bytes; their checksum was right. */
  read(reference: number): ChunkData {
    const { encoding, data } = this.view(reference)
    return { encoding, data: copyBytes(data, 0, data.length) }
  }

  /**
   * As `read`, but the bytes are valid until the next read of any file of the same cache. Those behind it up to `lastReference` are wanted soon: they are
   * checked with it where they lie in one page.
   */
  view(reference: number, lastReference = reference): ChunkData {
    const file = this.#file(Math.floor(reference / chunkFileSpan))
    const offset = reference % chunkFileSpan
    try {
      if (offset < chunkFileHeaderBytes) throw BlockError.damage(file.path, offset, `want a chunk at ${chunkFileHeaderBytes} or later`)
      const page = file.viewRest(offset, lengthBytesMax)
      const first = page[0]
      const second = page[1]
      let start: number
      let length: number
      // Most chunks have a length of one or two bytes.
      if (first !== undefined && first < 0x80) {
        length = first
        start = 1
      } else if (first !== undefined && second !== undefined && second < 0x80) {
        length = (first & 0x7f) | (second << 7)
        start = 2
      } else {
        const head = new ByteReader(page)
        length = head.uvarint()
        start = head.offset
      }
      if (length < 1 || length > chunkBytesMax) {
        throw BlockError.damage(file.path, offset, `want a chunk of 1 to ${chunkBytesMax} bytes, got ${length}`)
      }
      const end = start + encodingBytes + length + crcBytes
      const bytes = end <= page.length ? page : file.view(offset, end)
      if (!file.wasChecked(offset, end)) {
        const isFirst = reference < lastReference && end < page.length
        if (!isFirst || !checkTogether(file, offset, page, lastReference - reference + 1)) checkChunk(file, offset, bytes, start, end)
      }
      return { encoding: bytes[start]!, data: bytes.subarray(start + encodingBytes, end - crcBytes) }
    } catch (cause) {
      throw asBlockError(file.path, offset, cause)
    }
  }

  #file(number: number): BlockFile {
    const file = this.#files.get(number)
    if (file !== undefined) return file
    throw BlockError.damage(join(this.directory, chunkFileName(number)), 0, 'want a file of chunks, got none')
  }
}

/** Checks the chunk that `page` begins with, at `offset` of the file, and those behind it. False if the first one is not right. */
function checkTogether(file: BlockFile, offset: number, page: Uint8Array, until: number): boolean {
  const check = chunkCheck()
  const count = check.check(page, until)
  for (let i = 0; i < count; i++) file.markChecked(offset + check.places[i]!, chunkBytesMin)
  return count > 0
}

/** From ┌ encoding ┬ data ┬ crc32c ┐ in `bytes[start, end)`, which begin at `offset` of the file. Throws if it is not right. */
function checkChunk(file: BlockFile, offset: number, bytes: Uint8Array, start: number, end: number): void {
  const dataEnd = end - crcBytes
  const stored = readU32(bytes, dataEnd)
  const sum = crc32c(bytes, start, dataEnd)
  if (sum !== stored) throw BlockError.damage(file.path, offset, `chunk: want checksum ${stored}, got ${sum}`)
  const encoding = bytes[start]!
  if (!isKnownEncoding(encoding)) throw BlockError.damage(file.path, offset, `chunk: want encoding 1 to 6, got ${encoding}`)
  file.markChecked(offset, end)
}

function checkHeader(file: BlockFile): void {
  const header = new ByteReader(file.view(0, chunkFileHeaderBytes))
  const magic = header.u32be()
  if (magic !== chunkFileMagic)
    throw BlockError.damage(file.path, 0, `want magic ${chunkFileMagic.toString(16)}, got ${magic.toString(16)}`)
  const version = header.u8()
  if (version !== chunkFileVersion) throw BlockError.damage(file.path, 4, `want version ${chunkFileVersion}, got ${version}`)
}
