import { crc32c } from '@narthex/bytes/crc32c'
import { compress, maxCompressedBytes } from '@narthex/wire/snappy'
import { SnappyWriter, writerBytesMax } from '@narthex/wire/snappy-writer'
import {
  firstFragment,
  fragmentHeaderBytes,
  fullFragment,
  lastFragment,
  middleFragment,
  pageBytes,
  samplesRecord,
  snappyFlag,
} from './wal-format.ts'

const firstBytes = 256 * 1024
const bytesKept = 4 * 1024 * 1024

/**
 * Cuts records into the fragments of one segment after another, in memory: `[0, length)` of `bytes` belongs at `start` of the
 * segment. The owner writes that to the file and calls `takenAway`.
 */
export class FragmentWriter {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(firstBytes)
  length = 0
  /** Bytes of the segment that were taken away before. 0 begins a new segment. */
  start = 0
  pagesCompleted = 0
  readonly #segmentBytes: number
  readonly #compresses: boolean
  #record: Uint8Array = this.bytes
  #recordLength = 0
  #flags = 0
  readonly #snappy = new SnappyWriter()
  #compressed = new Uint8Array(0)

  constructor(segmentBytes: number, compresses: boolean) {
    this.#segmentBytes = segmentBytes
    this.#compresses = compresses
  }

  /** Takes the record that the next `put` puts, compressed if that makes it smaller; gives the bytes it then has. */
  prepare(record: Uint8Array, length: number): number {
    this.#record = record
    this.#recordLength = length
    this.#flags = 0
    if (this.#compresses) {
      const { bytes, end } =
        record[0] === samplesRecord && length <= writerBytesMax ? this.#compressSamples(record, length) : compressOther(record, length)
      if (end < length) {
        this.#record = bytes
        this.#recordLength = end
        this.#flags = snappyFlag
      }
    }
    return this.#recordLength
  }

  #compressSamples(record: Uint8Array, length: number): { bytes: Uint8Array; end: number } {
    const room = maxCompressedBytes(length)
    if (this.#compressed.length < room) this.#compressed = new Uint8Array(room)
    return { bytes: this.#compressed, end: this.#snappy.write(record, 0, length, this.#compressed, 0) }
  }

  /** Data bytes that fit in what is left of the segment, the headers taken off. */
  roomInSegment(): number {
    const used = this.start + this.length
    const inPage = Math.max(0, pageBytes - (used % pageBytes) - fragmentHeaderBytes)
    const pages = Math.floor((this.#segmentBytes - used) / pageBytes)
    return inPage + Math.max(0, pages) * (pageBytes - fragmentHeaderBytes)
  }

  /** Puts the prepared record; no fragment passes the end of a page. */
  put(): void {
    const length = this.#recordLength
    let from = 0
    // Exactly a header may be left of a page: then the first fragment has no data, and the next one is not the first.
    let isFirst = true
    do {
      let room = pageBytes - ((this.start + this.length) % pageBytes)
      if (room < fragmentHeaderBytes) {
        this.#putZeros(room)
        room = pageBytes
      }
      const end = Math.min(length, from + room - fragmentHeaderBytes)
      const kind = isFirst ? (end === length ? fullFragment : firstFragment) : end === length ? lastFragment : middleFragment
      this.#putFragment(kind | this.#flags, this.#record, from, end)
      from = end
      isFirst = false
    } while (from < length)
  }

  /** A segment ends with a full page. */
  padPage(): void {
    const rest = pageBytes - ((this.start + this.length) % pageBytes)
    if (rest < pageBytes) this.#putZeros(rest)
  }

  /** What was in `bytes` is in the file now. */
  takenAway(): void {
    this.start += this.length
    this.length = 0
    if (this.bytes.length > bytesKept) this.bytes = new Uint8Array(firstBytes)
  }

  /** Forgets what was not taken away. */
  drop(): void {
    this.length = 0
  }

  #putZeros(count: number): void {
    this.#reserve(count)
    this.bytes.fill(0, this.length, this.length + count)
    this.length += count
    this.pagesCompleted++
  }

  #putFragment(kind: number, record: Uint8Array, from: number, end: number): void {
    const count = end - from
    this.#reserve(fragmentHeaderBytes + count)
    const out = this.bytes
    const at = this.length
    const checksum = crc32c(record, from, end)
    out[at] = kind
    out[at + 1] = count >>> 8
    out[at + 2] = count
    out[at + 3] = checksum >>> 24
    out[at + 4] = checksum >>> 16
    out[at + 5] = checksum >>> 8
    out[at + 6] = checksum
    out.set(record.subarray(from, end), at + fragmentHeaderBytes)
    this.length = at + fragmentHeaderBytes + count
  }

  #reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }
}

function compressOther(record: Uint8Array, length: number): { bytes: Uint8Array; end: number } {
  const bytes = compress(record, 0, length)
  return { bytes, end: bytes.length }
}
