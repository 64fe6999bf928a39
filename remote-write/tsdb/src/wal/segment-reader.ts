import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { crc32c } from '@narthex/bytes/crc32c'
import { uncompress } from '@narthex/wire/snappy'
import { zstdDecompressSync } from 'node:zlib'
import {
  CorruptionError,
  firstFragment,
  fragmentHeaderBytes,
  fragmentKindMask,
  fullFragment,
  lastFragment,
  middleFragment,
  pageBytes,
  pageEnd,
  recordBytesMax,
  segmentBytesMax,
  snappyFlag,
  zstdFlag,
} from './wal-format.ts'

const bufferBytes = 32 * pageBytes

/**
 * Reads the records of one segment in order, in 1 MiB steps. `next` throws `CorruptionError` at the first bytes that disagree
 * with the format; `recordOffset` is then where the damaged record begins, and everything before it was good.
 */
export class SegmentReader {
  readonly #fd: number
  readonly #size: number
  readonly #buffer: Uint8Array
  #bufferStart = 0
  #bufferLength = 0
  #offset = 0
  #record = new Uint8Array(0)
  recordOffset = 0

  constructor(path: string) {
    this.#fd = openSync(path, 'r')
    this.#size = Math.min(fstatSync(this.#fd).size, segmentBytesMax * 2)
    this.#buffer = new Uint8Array(Math.min(bufferBytes, Math.ceil(this.#size / pageBytes) * pageBytes))
  }

  get size(): number {
    return this.#size
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** The next record, uncompressed; valid until the next call. Undefined at the end of the segment. */
  next(): Uint8Array | undefined {
    this.recordOffset = this.#offset
    let length = 0
    let flags = 0
    for (let fragments = 0; ; fragments++) {
      if (!this.#skipToFragment(fragments)) return undefined
      const at = this.#offset - this.#bufferStart
      const kind = this.#buffer[at]!
      const count = (this.#buffer[at + 1]! << 8) | this.#buffer[at + 2]!
      this.#checkKind(kind, fragments)
      const dataStart = at + fragmentHeaderBytes
      if ((this.#offset % pageBytes) + fragmentHeaderBytes + count > pageBytes || this.#offset + fragmentHeaderBytes + count > this.#size) {
        throw new CorruptionError(`cannot read fragment at offset ${this.#offset}: ${count} bytes pass the end of the page or file`)
      }
      const b = this.#buffer
      const stored = ((b[at + 3]! << 24) | (b[at + 4]! << 16) | (b[at + 5]! << 8) | b[at + 6]!) >>> 0
      const checksum = crc32c(b, dataStart, dataStart + count)
      if (checksum !== stored) {
        throw new CorruptionError(`cannot read fragment at offset ${this.#offset}: want checksum ${stored}, got ${checksum}`)
      }
      const type = kind & fragmentKindMask
      if (fragments === 0) flags = kind
      this.#offset += fragmentHeaderBytes + count
      if (type === fullFragment) return this.#uncompress(b.subarray(dataStart, dataStart + count), flags)
      this.#reserve(length + count, length)
      this.#record.set(b.subarray(dataStart, dataStart + count), length)
      length += count
      if (type === lastFragment) return this.#uncompress(this.#record.subarray(0, length), flags)
    }
  }

  /** Passes ends of pages; loads the page of the next fragment. False at the end of the file. */
  #skipToFragment(fragments: number): boolean {
    for (;;) {
      const left = pageBytes - (this.#offset % pageBytes)
      if (this.#offset >= this.#size) {
        if (fragments > 0) throw new CorruptionError(`cannot read record at offset ${this.recordOffset}: the file ends within it`)
        return false
      }
      this.#load()
      const at = this.#offset - this.#bufferStart
      const available = Math.min(left, this.#size - this.#offset)
      if (left >= fragmentHeaderBytes && (this.#buffer[at]! & fragmentKindMask) !== pageEnd) {
        if (available < fragmentHeaderBytes) {
          throw new CorruptionError(
            `cannot read fragment at offset ${this.#offset}: want ${fragmentHeaderBytes} header bytes, got ${available}`,
          )
        }
        return true
      }
      for (let i = 0; i < available; i++) {
        if (this.#buffer[at + i] !== 0) {
          throw new CorruptionError(
            `cannot read page at offset ${this.#offset}: want zeros to its end, got ${this.#buffer[at + i]} at ${i}`,
          )
        }
      }
      this.#offset += available
      if (fragments === 0) this.recordOffset = this.#offset
    }
  }

  #load(): void {
    if (this.#offset >= this.#bufferStart && this.#offset < this.#bufferStart + this.#bufferLength) return
    this.#bufferStart = this.#offset - (this.#offset % pageBytes)
    this.#bufferLength = 0
    while (this.#bufferLength < this.#buffer.length) {
      const count = readSync(
        this.#fd,
        this.#buffer,
        this.#bufferLength,
        this.#buffer.length - this.#bufferLength,
        this.#bufferStart + this.#bufferLength,
      )
      if (count === 0) break
      this.#bufferLength += count
    }
  }

  #checkKind(kind: number, fragments: number): void {
    const type = kind & fragmentKindMask
    const isStart = type === fullFragment || type === firstFragment
    const isKnown = isStart || type === middleFragment || type === lastFragment
    const flags = kind & ~fragmentKindMask
    if (!isKnown || (flags !== 0 && flags !== snappyFlag && flags !== zstdFlag) || isStart !== (fragments === 0)) {
      throw new CorruptionError(`cannot read fragment at offset ${this.#offset}: unexpected kind ${kind} as fragment ${fragments}`)
    }
  }

  #uncompress(record: Uint8Array, flags: number): Uint8Array {
    try {
      if ((flags & snappyFlag) !== 0) return uncompress(record, recordBytesMax)
      if ((flags & zstdFlag) !== 0) return zstdDecompressSync(record, { maxOutputLength: recordBytesMax })
    } catch (cause) {
      throw new CorruptionError(`cannot uncompress record at offset ${this.recordOffset}`, { cause })
    }
    return record
  }

  #reserve(needed: number, kept: number): void {
    if (needed > recordBytesMax)
      throw new CorruptionError(`cannot read record at offset ${this.recordOffset}: more than ${recordBytesMax} bytes`)
    if (needed <= this.#record.length) return
    const larger = new Uint8Array(Math.max(needed, this.#record.length * 2, 4 * pageBytes))
    larger.set(this.#record.subarray(0, kept))
    this.#record = larger
  }
}
