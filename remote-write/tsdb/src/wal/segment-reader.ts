import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { crc32c } from '@narthex/bytes/crc32c'
import { SnappyReader } from '@narthex/wire/snappy'
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
  #size: number
  readonly #buffer: Uint8Array
  #bufferStart = 0
  #bufferLength = 0
  #offset = 0
  #record = new Uint8Array(0)
  readonly #snappy = new SnappyReader()
  recordOffset = 0

  /** `followFrom`: where a record begins, in a segment that may still grow (`refresh`). */
  constructor(path: string, followFrom?: number) {
    this.#fd = openSync(path, 'r')
    this.#size = this.#measure()
    const wanted = followFrom === undefined ? Math.ceil(this.#size / pageBytes) * pageBytes : bufferBytes
    this.#buffer = new Uint8Array(Math.min(bufferBytes, wanted))
    this.#offset = this.recordOffset = followFrom ?? 0
  }

  /** Behind the record that `next` gave last. */
  get offset(): number {
    return this.#offset
  }

  /**
   * Looks how long the file is now, and goes back to where `next` found no whole record, so that it can try again. Gives whether the file
   * became longer.
   */
  refresh(): boolean {
    const before = this.#size
    this.#size = this.#measure()
    this.#offset = this.recordOffset
    this.#bufferLength = 0
    return this.#size > before
  }

  #measure(): number {
    return Math.min(fstatSync(this.#fd).size, segmentBytesMax * 2)
  }

  get size(): number {
    return this.#size
  }

  close(): void {
    this.#snappy.close()
    closeSync(this.#fd)
  }

  /**
   * The next record, uncompressed; valid until the next call. Undefined at the end of the segment. With `onlyType`, a record that is of
   * another type may come as its first bytes alone, which are cheaper to have.
   */
  next(onlyType?: number): Uint8Array | undefined {
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
      if (type === fullFragment) return this.#uncompress(b.subarray(dataStart, dataStart + count), flags, onlyType)
      this.#reserve(length + count, length)
      this.#record.set(b.subarray(dataStart, dataStart + count), length)
      length += count
      if (type === lastFragment) return this.#uncompress(this.#record.subarray(0, length), flags, onlyType)
    }
  }

  /**
   * After a `CorruptionError`: goes on to where the next whole fragment begins a record, and `offset` is there. False if none does. The damaged
   * record ends where its length says, if a good fragment stands there; otherwise what is left of its page is lost.
   */
  skipDamage(): boolean {
    const damaged = this.#offset
    for (let at = damaged; at < this.#size;) {
      const end = this.#endOfWholeFragment(at)
      if (end === undefined) {
        const claimed = at === damaged ? this.#endOfClaimedFragment(at) : undefined
        const isBelieved = claimed !== undefined && this.#endOfWholeFragment(claimed) !== undefined
        at = isBelieved ? claimed : (Math.floor(at / pageBytes) + 1) * pageBytes
        continue
      }
      const type = this.#byteAt(at) & fragmentKindMask
      if (type === fullFragment || type === firstFragment) {
        this.#offset = at
        return true
      }
      at = end
    }
    return false
  }

  /** Where the fragment that begins here ends, if its checksum is right. */
  #endOfWholeFragment(at: number): number | undefined {
    const end = this.#endOfClaimedFragment(at)
    if (end === undefined || !isFragmentKind(this.#byteAt(at))) return undefined
    const b = this.#buffer
    const from = at - this.#bufferStart
    const stored = ((b[from + 3]! << 24) | (b[from + 4]! << 16) | (b[from + 5]! << 8) | b[from + 6]!) >>> 0
    return crc32c(b, from + fragmentHeaderBytes, end - this.#bufferStart) === stored ? end : undefined
  }

  /** Where the fragment that begins here ends, if that is in the page and the file; its page is in the buffer then. */
  #endOfClaimedFragment(at: number): number | undefined {
    const pageRest = pageBytes - (at % pageBytes)
    if (Math.min(pageRest, this.#size - at) < fragmentHeaderBytes) return undefined
    const end = at + fragmentHeaderBytes + ((this.#byteAt(at + 1) << 8) | this.#byteAt(at + 2))
    return end <= at + pageRest && end <= this.#size ? end : undefined
  }

  #byteAt(offset: number): number {
    this.#loadAt(offset)
    return this.#buffer[offset - this.#bufferStart]!
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
    this.#loadAt(this.#offset)
  }

  /** Whole pages, of which the first is that of this offset. */
  #loadAt(offset: number): void {
    if (offset >= this.#bufferStart && offset < this.#bufferStart + this.#bufferLength) return
    this.#bufferStart = offset - (offset % pageBytes)
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
    if (!isFragmentKind(kind) || isStart !== (fragments === 0)) {
      throw new CorruptionError(`cannot read fragment at offset ${this.#offset}: unexpected kind ${kind} as fragment ${fragments}`)
    }
  }

  #uncompress(record: Uint8Array, flags: number, onlyType: number | undefined): Uint8Array {
    try {
      if ((flags & snappyFlag) !== 0) {
        const first = onlyType === undefined ? -1 : firstByteOf(record)
        return first >= 0 && first !== onlyType ? Uint8Array.of(first) : this.#snappy.uncompress(record, recordBytesMax)
      }
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

/** The first byte of what a snappy block holds: it begins with a literal. -1 if this one is malformed. */
function firstByteOf(block: Uint8Array): number {
  let at = 0
  while (at < block.length && block[at]! >= 0x80) at++
  const tag = block[++at]
  if (tag === undefined || (tag & 3) !== 0) return -1
  // Of 60 literals' length follows in 1 byte, of 61 in 2, …
  const lengthBytes = Math.max(0, (tag >>> 2) - 59)
  return block[at + 1 + lengthBytes] ?? -1
}

function isFragmentKind(kind: number): boolean {
  const type = kind & fragmentKindMask
  const isKnown = type === fullFragment || type === firstFragment || type === middleFragment || type === lastFragment
  const flags = kind & ~fragmentKindMask
  return isKnown && (flags === 0 || flags === snappyFlag || flags === zstdFlag)
}
