import { ByteReader } from '@narthex/bytes/byte-reader'
import { crc32c } from '@narthex/bytes/crc32c'
import { BlockError, asBlockError } from './block-error.ts'
import { BlockFile } from './block-file.ts'
import { readU32 } from './byte-order.ts'
import {
  crcBytes,
  indexBytesMax,
  indexHeaderBytes,
  indexMagic,
  indexVersionMax,
  seriesAlignment,
  tocBytes,
  tocFields,
} from './index-format.ts'
import type { PageCache } from './page-cache.ts'
import { loadPostingsTable } from './postings-table.ts'
import type { PostingsTable } from './postings-table.ts'
import { itemBytesMax } from './section-scanner.ts'
import { decodeSeriesEntry } from './series-entry.ts'
import type { BlockSeries } from './series-entry.ts'
import { SeriesReferences } from './series-references.ts'
import { SymbolTable } from './symbol-table.ts'

const lengthBytesMax = 10
const empty = new Uint8Array(0)

/** Offsets of the sections of an index; each ends where the next one begins. */
export interface IndexSections {
  readonly symbols: number
  readonly series: number
  readonly labelIndices: number
  readonly labelIndicesTable: number
  readonly postings: number
  readonly postingsTable: number
}

/**
 * An index of versions 1 to 3. The table of contents is read on opening, symbols and the table of postings when first needed. What
 * has a checksum is checked each time that it is read, so that damage to an open file is found as well.
 */
export class IndexReader {
  readonly file: BlockFile
  readonly version: number
  readonly sections: IndexSections
  #symbols: SymbolTable | undefined
  #table: PostingsTable | undefined

  private constructor(file: BlockFile, version: number, sections: IndexSections) {
    this.file = file
    this.version = version
    this.sections = sections
  }

  static open(path: string, cache: PageCache): IndexReader {
    const file = BlockFile.open(path, cache)
    try {
      const version = readVersion(file)
      return new IndexReader(file, version, readSections(file, version))
    } catch (error) {
      file.close()
      throw asBlockError(path, 0, error)
    }
  }

  close(): void {
    this.file.close()
  }

  get symbols(): SymbolTable {
    return (this.#symbols ??= this.#at(this.sections.symbols, (start) => SymbolTable.load(this.file, start, this.version)))
  }

  get table(): PostingsTable {
    return (this.#table ??= this.#at(this.sections.postingsTable, (start) => loadPostingsTable(this.file, start, this.version)))
  }

  /** References of all series, ascending: also the order of their labels. */
  allSeries(): Uint32Array {
    return this.postings(this.#allSeriesOffset())
  }

  /** The same one after the other. */
  eachSeries(): SeriesReferences {
    return this.#at(this.#allSeriesOffset(), (offset) => new SeriesReferences(this.file, offset))
  }

  /** The list at this offset, ┌ length u32 ┬ count u32 ┬ references u32… ┬ crc32c ┐: ascending, the caller's own. */
  postings(offset: number): Uint32Array {
    return this.#at(offset, () => {
      const { file } = this
      const head = file.view(offset, 8)
      const length = readU32(head, 0)
      const count = readU32(head, 4)
      if (length !== 4 + 4 * count)
        throw BlockError.damage(file.path, offset, `postings: want ${4 + 4 * count} bytes for ${count}, got ${length}`)
      const bytes = file.view(offset + 4, length + crcBytes)
      this.#checkList(offset, bytes)
      return this.#decodePostings(offset, bytes, count)
    })
  }

  /** Where the entry of a series begins. */
  seriesOffset(reference: number): number {
    return this.version === 1 ? reference : reference * seriesAlignment
  }

  /** Fills `into` with the series of this reference, its labels as ordinals of symbols. */
  readSeries(reference: number, into: BlockSeries): void {
    const offset = this.seriesOffset(reference)
    const { file, sections } = this
    if (offset < sections.series || offset >= sections.labelIndices) {
      throw BlockError.damage(file.path, offset, `want a series between ${sections.series} and ${sections.labelIndices}`)
    }
    try {
      const page = file.viewRest(offset, lengthBytesMax)
      const head = new ByteReader(page)
      const length = head.uvarint()
      const start = head.offset
      if (length > itemBytesMax) throw BlockError.damage(file.path, offset, `want a series of at most ${itemBytesMax} bytes, got ${length}`)
      const end = start + length + crcBytes
      const bytes = end <= page.length ? page : file.view(offset, end)
      this.decodeSeries(reference, offset, bytes, start, end, into)
    } catch (cause) {
      throw asBlockError(file.path, offset, cause)
    }
  }

  /** From ┌ entry ┬ crc32c ┐ as it stands behind its length, in `bytes[start, end)`; `offset` is that of the length. */
  decodeSeries(reference: number, offset: number, bytes: Uint8Array, start: number, end: number, into: BlockSeries): void {
    const entryEnd = end - crcBytes
    const stored = readU32(bytes, entryEnd)
    const sum = crc32c(bytes, start, entryEnd)
    if (sum !== stored) throw BlockError.damage(this.file.path, offset, `series: want checksum ${stored}, got ${sum}`)
    into.reference = reference
    decodeSeriesEntry(new ByteReader(bytes, start, entryEnd), into)
    if (this.version !== 1) return
    for (let i = 0; i < into.labelCount * 2; i++) into.labels[i] = this.symbols.ordinalOf(into.labels[i]!)
  }

  #allSeriesOffset(): number {
    const offset = this.table.find(empty, empty)
    if (offset === undefined) throw BlockError.damage(this.file.path, this.sections.postingsTable, 'want a list of all series, got none')
    return offset
  }

  #checkList(offset: number, bytes: Uint8Array): void {
    const end = bytes.length - crcBytes
    const stored = readU32(bytes, end)
    const sum = crc32c(bytes, 0, end)
    if (sum !== stored) throw BlockError.damage(this.file.path, offset, `postings: want checksum ${stored}, got ${sum}`)
  }

  #decodePostings(offset: number, bytes: Uint8Array, count: number): Uint32Array {
    const references = new Uint32Array(count)
    let previous = -1
    for (let i = 0, at = 4; i < count; i++, at += 4) {
      const reference = readU32(bytes, at)
      if (reference <= previous)
        throw BlockError.damage(this.file.path, offset + 4 + at, `postings: want more than ${previous}, got ${reference}`)
      references[i] = reference
      previous = reference
    }
    return references
  }

  #at<T>(offset: number, read: (offset: number) => T): T {
    try {
      return read(offset)
    } catch (cause) {
      throw asBlockError(this.file.path, offset, cause)
    }
  }
}

function readVersion(file: BlockFile): number {
  if (file.size < indexHeaderBytes + tocBytes) {
    throw BlockError.damage(file.path, 0, `want at least ${indexHeaderBytes + tocBytes} bytes, got ${file.size}`)
  }
  const header = file.view(0, indexHeaderBytes)
  const magic = readU32(header, 0)
  if (magic !== indexMagic) throw BlockError.damage(file.path, 0, `want magic ${indexMagic.toString(16)}, got ${magic.toString(16)}`)
  const version = header[4]!
  if (version < 1 || version > indexVersionMax)
    throw BlockError.damage(file.path, 4, `want version 1 to ${indexVersionMax}, got ${version}`)
  return version
}

function readSections(file: BlockFile, version: number): IndexSections {
  const start = file.size - tocBytes
  const bytes = file.view(start, tocBytes)
  const sum = crc32c(bytes, 0, tocBytes - crcBytes)
  const stored = readU32(bytes, tocBytes - crcBytes)
  if (sum !== stored) throw BlockError.damage(file.path, start, `table of contents: want checksum ${stored}, got ${sum}`)
  const reader = new ByteReader(bytes)
  const offsets = Array.from({ length: tocFields }, () => reader.u64be())
  const [symbols, series, labelIndices, labelIndicesTable, postings, postingsTable] = offsets as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  // Version 1 had other sections between them; what follows the series then has no end of its own here.
  const isOrdered =
    indexHeaderBytes <= symbols && symbols < series && series <= labelIndices && labelIndices <= postings && postings < postingsTable
  if (version !== 1 && !isOrdered) throw BlockError.damage(file.path, start, `want sections in order, got ${offsets.join(', ')}`)
  if (Math.max(...offsets) > start || start > indexBytesMax) {
    throw BlockError.damage(file.path, start, `want sections within ${start} bytes, got ${offsets.join(', ')}`)
  }
  return { symbols, series, labelIndices, labelIndicesTable, postings, postingsTable }
}
