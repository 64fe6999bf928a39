import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { crc32c } from '@narthex/bytes/crc32c'
import { BlockError } from './block-error.ts'
import { crcBytes, postingsAlignment, postingsKeyParts, sectionBytesMax, seriesAlignment } from './index-format.ts'
import type { OutputFile } from './output-file.ts'
import type { PairTable } from './pair-table.ts'
import { SectionScanner } from './section-scanner.ts'
import type { WrittenSymbols } from './written-symbols.ts'

const notNow = 2 ** 32 - 1
const entryBytesKept = 64 * 1024
/** Of references put together at a time, 4 MiB; what a large block has more is made in so many readings of its series. */
const atOnceMin = 1024 * 1024
const readingsUsual = 8

/**
 * Writes the lists of postings and their table behind the series of an index. The lists are made by reading the series again, as many lists at a
 * time as have an eighth of the references together, but not below 1 Mi of them nor above `atOnceMax`.
 */
export class PostingsWriter {
  readonly #file: OutputFile
  readonly #symbols: WrittenSymbols
  readonly #pairs: PairTable
  readonly #atOnceMax: number
  /** Numbers of the pairs in the order of the table, and the offsets of their lists. */
  readonly #sorted: Uint32Array
  readonly #offsets: Float64Array
  readonly #entry = new ByteWriter(entryBytesKept + 4096)
  /** CRC-32C of the list that is being written, without what is still in the entry. */
  #listSum = 0
  #allOffset = 0
  #seriesStart = 0
  #seriesEnd = 0
  #seriesCount = 0

  constructor(file: OutputFile, symbols: WrittenSymbols, pairs: PairTable, atOnceMax: number) {
    this.#file = file
    this.#symbols = symbols
    this.#pairs = pairs
    this.#atOnceMax = atOnceMax
    this.#sorted = pairs.sorted(symbols.count)
    this.#offsets = new Float64Array(this.#sorted.length)
  }

  /** Of the `seriesCount` series in [seriesStart, seriesEnd) of the file. */
  writeLists(seriesStart: number, seriesEnd: number, seriesCount: number): void {
    this.#seriesStart = seriesStart
    this.#seriesEnd = seriesEnd
    this.#seriesCount = seriesCount
    this.#allOffset = this.#writeAllSeries()
    const sorted = this.#sorted
    const { counts } = this.#pairs
    let references = 0
    for (let i = 0; i < sorted.length; i++) references += counts[sorted[i]!]!
    const atOnce = Math.min(this.#atOnceMax, Math.max(atOnceMin, Math.ceil(references / readingsUsual)))
    for (let from = 0; from < sorted.length;) {
      let to = from
      let total = 0
      do total += counts[sorted[to++]!]!
      while (to < sorted.length && total + counts[sorted[to]!]! <= atOnce)
      this.#writePostings(sorted.subarray(from, to), total, this.#offsets.subarray(from, to))
      from = to
    }
  }

  /** After the lists. */
  writeTable(): void {
    const symbols = this.#symbols
    const sorted = this.#sorted
    const offsets = this.#offsets
    const allOffset = this.#allOffset
    const { names, values } = this.#pairs
    let sectionBytes = 4 + 3 + uvarintLength(allOffset)
    for (let i = 0; i < sorted.length; i++) {
      const name = symbols.bytes(names[sorted[i]!]!).length
      const value = symbols.bytes(values[sorted[i]!]!).length
      sectionBytes += 1 + uvarintLength(name) + name + uvarintLength(value) + value + uvarintLength(offsets[i]!)
    }
    if (sectionBytes > sectionBytesMax)
      throw this.#refuse(`want a table of postings of at most ${sectionBytesMax} bytes, got ${sectionBytes}`)
    const entry = this.#begin()
    entry.u32be(sectionBytes)
    this.#flushEntry()
    entry.u32be(sorted.length + 1)
    entry.u8(postingsKeyParts)
    entry.u8(0)
    entry.u8(0)
    entry.uvarint(allOffset)
    let crc = 0
    for (let i = 0; i < sorted.length; i++) {
      entry.u8(postingsKeyParts)
      for (const ordinal of [names[sorted[i]!]!, values[sorted[i]!]!]) {
        const bytes = symbols.bytes(ordinal)
        entry.uvarint(bytes.length)
        entry.raw(bytes)
      }
      entry.uvarint(offsets[i]!)
      if (entry.length < entryBytesKept) continue
      crc = crc32c(entry.bytes, 0, entry.length, crc)
      this.#flushEntry()
    }
    entry.u32be(crc32c(entry.bytes, 0, entry.length, crc))
    this.#flushEntry()
  }

  #writeAllSeries(): number {
    const offset = this.#beginList(this.#seriesCount)
    this.#forEachSeries((reference) => this.#addToList(reference))
    this.#endList()
    return offset
  }

  /** Makes the lists of these pairs, `total` references in all, from the series in the file. */
  #writePostings(pairs: Uint32Array, total: number, offsets: Float64Array): void {
    const { counts } = this.#pairs
    // Where the next reference of a pair goes, by number of the pair.
    const cursors = new Uint32Array(this.#pairs.count).fill(notNow)
    for (let i = 0, start = 0; i < pairs.length; i++) {
      cursors[pairs[i]!] = start
      start += counts[pairs[i]!]!
    }
    const references = new Uint32Array(total)
    this.#forEachSeries((reference, reader) => {
      for (let left = reader.uvarint(); left > 0; left--) {
        const pair = this.#pairs.find(reader.uvarint(), reader.uvarint())
        if (cursors[pair] !== notNow) references[cursors[pair]!++] = reference
      }
    })
    for (let i = 0, start = 0; i < pairs.length; i++) {
      const end = start + counts[pairs[i]!]!
      offsets[i] = this.#writeList(references.subarray(start, end))
      start = end
    }
  }

  #writeList(references: Uint32Array): number {
    const offset = this.#beginList(references.length)
    for (let i = 0; i < references.length; i++) this.#addToList(references[i]!)
    this.#endList()
    return offset
  }

  /** Begins a list of `count` references, of which memory holds 64 KiB at a time. */
  #beginList(count: number): number {
    const file = this.#file
    file.pad(postingsAlignment)
    const offset = file.position
    if (4 + 4 * count > sectionBytesMax) throw this.#refuse(`want fewer than ${count} postings in a list`)
    const entry = this.#begin()
    entry.u32be(4 + 4 * count)
    this.#flushEntry()
    entry.u32be(count)
    this.#listSum = 0
    return offset
  }

  #addToList(reference: number): void {
    this.#entry.u32be(reference)
    if (this.#entry.length >= entryBytesKept) this.#flushSummed()
  }

  #endList(): void {
    this.#flushSummed()
    this.#entry.u32be(this.#listSum)
    this.#flushEntry()
  }

  #flushSummed(): void {
    const { bytes, length } = this.#entry
    this.#listSum = crc32c(bytes, 0, length, this.#listSum)
    this.#flushEntry()
  }

  #forEachSeries(onSeries: (reference: number, reader: ByteReader) => void): void {
    const scanner = new SectionScanner(this.#file, this.#seriesStart, this.#seriesEnd)
    for (let i = 0; i < this.#seriesCount; i++) {
      scanner.skip((seriesAlignment - (scanner.offset % seriesAlignment)) % seriesAlignment)
      const reference = scanner.offset / seriesAlignment
      onSeries(reference, new ByteReader(scanner.bytes(scanner.uvarint())))
      scanner.skip(crcBytes)
    }
  }

  #begin(): ByteWriter {
    this.#entry.reset()
    return this.#entry
  }

  #flushEntry(): void {
    this.#file.write(this.#entry.view())
    this.#entry.reset()
  }

  #refuse(problem: string): BlockError {
    return new BlockError('write', this.#file.path, this.#file.position, problem)
  }
}

/** Bytes of a number as uvarint. */
export function uvarintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++
  return length
}
