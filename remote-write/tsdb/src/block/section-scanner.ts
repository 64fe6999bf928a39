import { crc32c } from '@narthex/bytes/crc32c'
import { BlockError } from './block-error.ts'

const bufferBytesUsual = 1024 * 1024
/** A single item (a symbol, a series entry) longer than this is taken for damage. */
export const itemBytesMax = 64 * 1024 * 1024
const uvarintBytesMax = 10

/** Where a scan reads from. */
export interface ScannedFile {
  readonly path: string
  /** Fills `into` or throws. */
  readInto(into: Uint8Array, offset: number): void
}

/** Reads `[start, end)` of a file in order, in steps of 1 MiB or what is given, past the page cache. */
export class SectionScanner {
  readonly #file: ScannedFile
  readonly #end: number
  readonly #bufferBytes: number
  #buffer = new Uint8Array(0)
  // ┌ read by the caller ┬ #at … #length: still to be read ┐; the buffer's first byte is at #start of the file
  #start: number
  #at = 0
  #length = 0
  #summed: number
  #crc = 0

  constructor(file: ScannedFile, start: number, end: number, bufferBytes = bufferBytesUsual) {
    this.#file = file
    this.#start = start
    this.#summed = start
    this.#end = end
    this.#bufferBytes = bufferBytes
    if (end < start) throw BlockError.damage(file.path, start, `want a section, got one of ${end - start} bytes`)
  }

  /** Where in the file the next byte stands. */
  get offset(): number {
    return this.#start + this.#at
  }

  get remaining(): number {
    return this.#end - this.offset
  }

  /** CRC-32C of everything read since the start. */
  get crc(): number {
    this.#sum()
    return this.#crc
  }

  u32be(): number {
    const bytes = this.bytes(4)
    return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0
  }

  u8(): number {
    if (this.#at === this.#length) this.#need(1)
    return this.#buffer[this.#at++]!
  }

  /** Exact up to 2^53, rounded above. */
  uvarint(): number {
    const start = this.offset
    let value = 0
    let factor = 1
    for (let i = 0; i < uvarintBytesMax; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
    throw BlockError.damage(this.#file.path, start, 'want a varint of at most 64 bits, got more')
  }

  /** The next `count` bytes, valid until the next call. */
  bytes(count: number): Uint8Array {
    if (count > this.#length - this.#at) this.#need(count)
    this.#at += count
    return this.#buffer.subarray(this.#at - count, this.#at)
  }

  skip(count: number): void {
    this.bytes(count)
  }

  #need(count: number): void {
    if (count > this.remaining) {
      throw BlockError.damage(this.#file.path, this.offset, `want ${count} bytes, got ${this.remaining} up to the end of the section`)
    }
    if (count > itemBytesMax) {
      throw BlockError.damage(this.#file.path, this.offset, `want at most ${itemBytesMax} bytes in one piece, got ${count}`)
    }
    this.#sum()
    const rest = this.#buffer.subarray(this.#at, this.#length)
    const start = this.offset
    const wanted = Math.min(Math.max(count, this.#bufferBytes), this.#end - start)
    if (this.#buffer.length < wanted) {
      const larger = new Uint8Array(wanted)
      larger.set(rest)
      this.#buffer = larger
    } else this.#buffer.copyWithin(0, this.#at, this.#length)
    const kept = rest.length
    this.#file.readInto(this.#buffer.subarray(kept, wanted), start + kept)
    this.#start = start
    this.#at = 0
    this.#length = wanted
  }

  /** Adds what the caller has read to the checksum. */
  #sum(): void {
    this.#crc = crc32c(this.#buffer, this.#summed - this.#start, this.#at, this.#crc)
    this.#summed = this.offset
  }
}

/** Reads and checks what ends a section: the CRC-32C of all that was scanned. */
export function checkSum(scanner: SectionScanner, path: string, start: number, what: string): void {
  const sum = scanner.crc
  const stored = scanner.u32be()
  if (stored !== sum) throw BlockError.damage(path, start, `${what}: want checksum ${stored}, got ${sum}`)
}
