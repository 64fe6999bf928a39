import { ByteWriter } from '@narthex/bytes/byte-writer'
import { crc32c } from '@narthex/bytes/crc32c'
import { BlockError } from './block-error.ts'
import { indexBytesMax, indexHeaderBytes, indexMagic, indexVersion, sectionBytesMax, seriesAlignment } from './index-format.ts'
import { OutputFile } from './output-file.ts'
import { PairTable } from './pair-table.ts'
import { PostingsWriter, uvarintLength } from './postings-writer.ts'
import { itemBytesMax } from './section-scanner.ts'
import { WrittenSymbols } from './written-symbols.ts'

/** Postings that are put together in memory at a time at most: 64 MiB. Each further piece costs one more reading of the series. */
const postingsAtOnceMax = 16 * 1024 * 1024
const entryBytesKept = 64 * 1024

/** The chunks of one series as the index has them. */
export interface ChunkList {
  readonly count: number
  readonly minTimes: ArrayLike<number>
  readonly maxTimes: ArrayLike<number>
  readonly chunks: ArrayLike<number>
}

/**
 * Writes an index of version 2 in one pass: symbols, then series in the order of their labels, then `finish`. Memory holds the symbols,
 * 12 bytes for every distinct label pair (and its place in a table), and an eighth of the postings (4 to 64 MiB, or the longest list): the lists are
 * made by reading the series again.
 */
export class IndexWriter {
  readonly symbols = new WrittenSymbols()
  seriesCount = 0
  readonly #file: OutputFile
  readonly #postingsAtOnce: number
  readonly #pairs = new PairTable()
  readonly #entry = new ByteWriter(4096)
  readonly #head = new ByteWriter(16)
  #previous = new Uint32Array(32)
  #previousLength = 0
  #previousChunk = -1
  #seriesStart = 0
  #seriesEnd = 0

  constructor(path: string, options: { postingsAtOnceMax?: number } = {}) {
    this.#postingsAtOnce = options.postingsAtOnceMax ?? postingsAtOnceMax
    this.#file = new OutputFile(path)
    this.#entry.u32be(indexMagic)
    this.#entry.u8(indexVersion)
    this.#file.write(this.#entry.view())
  }

  abandon(): void {
    this.#file.abandon()
  }

  /** Bytes or texts, strictly ascending as bytes; may be more than the series use. Called once, before any series. */
  writeSymbols(symbols: Iterable<string | Uint8Array>): void {
    const added = this.symbols
    let sectionBytes = 4
    for (const symbol of symbols) {
      const before = added.byteLength
      if (!added.add(symbol)) throw this.#refuse(`want symbols in ascending order, got symbol ${added.count} out of it`)
      const length = added.byteLength - before
      if (length > itemBytesMax) throw this.#refuse(`want symbols of at most ${itemBytesMax} bytes, got ${length}`)
      sectionBytes += uvarintLength(length) + length
    }
    if (sectionBytes > sectionBytesMax) throw this.#refuse(`want at most ${sectionBytesMax} bytes of symbols, got ${sectionBytes}`)
    const entry = this.#begin()
    entry.u32be(sectionBytes)
    entry.u32be(added.count)
    let crc = crc32c(entry.bytes, 4, 8)
    this.#flushEntry()
    for (let i = 0; i < added.count; i++) {
      const bytes = added.bytes(i)
      entry.uvarint(bytes.length)
      entry.raw(bytes)
      if (entry.length < entryBytesKept) continue
      crc = crc32c(entry.bytes, 0, entry.length, crc)
      this.#flushEntry()
    }
    entry.u32be(crc32c(entry.bytes, 0, entry.length, crc))
    this.#flushEntry()
    this.#seriesStart = this.#file.position
  }

  /**
   * `labels` are ordinals of symbols, name, value, name, value, … (the first `labelCount` pairs) in strictly ascending order of names,
   * and the series greater than the one before; chunks must not overlap and lie in the files in the order in which they are given.
   */
  addSeries(labels: Uint32Array, labelCount: number, list: ChunkList): void {
    this.#checkLabels(labels, labelCount * 2)
    this.#checkChunks(list)
    const file = this.#file
    file.pad(seriesAlignment)
    if (file.position >= indexBytesMax) throw this.#refuse(`want at most ${indexBytesMax} bytes before a series`)
    const entry = this.#begin()
    entry.uvarint(labelCount)
    for (let i = 0; i < labelCount; i++) {
      const name = labels[2 * i]!
      const value = labels[2 * i + 1]!
      entry.uvarint(name)
      entry.uvarint(value)
      this.#pairs.add(name, value)
    }
    writeChunkList(entry, list)
    const head = this.#head
    head.reset()
    head.uvarint(entry.length)
    entry.u32be(crc32c(entry.bytes, 0, entry.length))
    file.write(head.view())
    file.write(entry.view())
    this.#remember(labels, labelCount * 2, list)
  }

  /** Writes the rest; when it resolves the file survives a power cut. */
  async finish(): Promise<void> {
    const file = this.#file
    this.#seriesEnd = file.position
    const postings = new PostingsWriter(file, this.symbols, this.#pairs, this.#postingsAtOnce)
    postings.writeLists(this.#seriesStart, this.#seriesEnd, this.seriesCount)
    const tableOffset = file.position
    postings.writeTable()
    this.#writeContents(tableOffset)
    await file.finish()
  }

  /** Label indices are written no more: as in Prometheus, their two fields name the sections that follow. */
  #writeContents(tableOffset: number): void {
    const entry = this.#begin()
    for (const offset of [indexHeaderBytes, this.#seriesStart, this.#seriesEnd, tableOffset, this.#seriesEnd, tableOffset]) {
      entry.u64be(Math.floor(offset / 2 ** 32), offset % 2 ** 32)
    }
    entry.u32be(crc32c(entry.bytes, 0, entry.length))
    this.#file.write(entry.view())
  }

  #checkLabels(labels: Uint32Array, length: number): void {
    if (length === 0) throw this.#refuse('want a series with labels, got none')
    for (let i = 0; i < length; i += 2) {
      if (i > 0 && labels[i]! <= labels[i - 2]!) throw this.#refuse('want label names in ascending order')
      const isKnown = labels[i]! < this.symbols.count && labels[i + 1]! < this.symbols.count
      if (!isKnown) throw this.#refuse(`want symbols below ${this.symbols.count}, got ${labels[i]} and ${labels[i + 1]}`)
    }
    if (labels[0] === 0 && this.symbols.bytes(0).length === 0) throw this.#refuse('want label names, got an empty one')
    // Symbols are in byte order, so series compare as their ordinals do.
    const shorter = Math.min(length, this.#previousLength)
    let i = 0
    while (i < shorter && labels[i] === this.#previous[i]) i++
    const isGreater = i < shorter ? labels[i]! > this.#previous[i]! : length > this.#previousLength
    if (!isGreater) throw this.#refuse(`want series in ascending order of labels, got series ${this.seriesCount} out of it`)
  }

  #checkChunks({ count, minTimes, maxTimes, chunks }: ChunkList): void {
    if (count === 0) throw this.#refuse('want a series with chunks, got none')
    for (let i = 0; i < count; i++) {
      if (!(minTimes[i]! <= maxTimes[i]!)) throw this.#refuse(`want a chunk that ends after ${minTimes[i]}, got end ${maxTimes[i]}`)
      if (i > 0 && !(minTimes[i]! > maxTimes[i - 1]!)) {
        throw this.#refuse(`want chunks without overlap, got start ${minTimes[i]} after end ${maxTimes[i - 1]}`)
      }
      const before = i === 0 ? this.#previousChunk : chunks[i - 1]!
      if (!(chunks[i]! > before)) throw this.#refuse(`want chunk references in ascending order, got ${chunks[i]} after ${before}`)
    }
  }

  #remember(labels: Uint32Array, length: number, { count, chunks }: ChunkList): void {
    if (this.#previous.length < length) this.#previous = new Uint32Array(length * 2)
    for (let i = 0; i < length; i++) this.#previous[i] = labels[i]!
    this.#previousLength = length
    this.#previousChunk = chunks[count - 1]!
    this.seriesCount++
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

function writeChunkList(entry: ByteWriter, { count, minTimes, maxTimes, chunks }: ChunkList): void {
  entry.uvarint(count)
  for (let i = 0; i < count; i++) {
    if (i === 0) entry.varint(minTimes[0]!)
    else entry.uvarint(minTimes[i]! - maxTimes[i - 1]!)
    entry.uvarint(maxTimes[i]! - minTimes[i]!)
    if (i === 0) entry.uvarint(chunks[0]!)
    else entry.varint(chunks[i]! - chunks[i - 1]!)
  }
}
