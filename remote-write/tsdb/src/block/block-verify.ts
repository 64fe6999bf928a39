import { ByteWriter } from '@narthex/bytes/byte-writer'
import { BlockError, asBlockError } from './block-error.ts'
import type { BlockReader } from './block-reader.ts'
import { compareBytes } from './byte-order.ts'
import { readChunkSampleCount } from './chunk-format.ts'
import { crcBytes, seriesAlignment } from './index-format.ts'
import { PairTable } from './pair-table.ts'
import { SectionScanner } from './section-scanner.ts'
import { BlockSeries } from './series-entry.ts'

/** After so many problems a walk gives up. */
export const problemsMax = 100

/**
 * Walks all of a block: checksums of all sections, series and chunks; the order of symbols, labels, series, chunks and postings; that chunks
 * lie in the block's time and do not overlap; that postings name exactly the series that have the label; that the counts in meta.json
 * are right. Gives what is wrong, each with file and offset; nothing if all is well. Memory: some 20 bytes a distinct label pair.
 */
export function verifyBlock(block: BlockReader): BlockError[] {
  const walk = new BlockWalk(block)
  walk.run()
  return walk.problems
}

class BlockWalk {
  readonly problems: BlockError[] = []
  readonly #block: BlockReader
  readonly #path: string
  readonly #pairs = new PairTable()
  // A sum of mixed references tells lists of different series apart.
  #sums = new Uint32Array(1024)
  #sumOfAll = 0
  #series = 0
  #chunks = 0
  #samples = 0
  readonly #stones: Set<number>

  constructor(block: BlockReader) {
    this.#block = block
    this.#path = block.index.file.path
    this.#stones = new Set(block.tombstones.references())
  }

  run(): void {
    const isWhole = this.#try(0, () => this.#walkSymbols()) && this.#try(0, () => this.#walkSeries())
    // What was counted up to a damaged place says nothing about the rest.
    if (!isWhole || this.problems.length > 0) return
    this.#try(0, () => this.#walkPostings())
    this.#compareCounts()
  }

  #walkSymbols(): void {
    const { symbols, sections } = this.#block.index
    const previous = new ByteWriter()
    let isFirst = true
    for (const symbol of symbols.all()) {
      if (!isFirst && compareBytes(previous.view(), symbol) >= 0) this.#report(sections.symbols, 'want symbols in order')
      isFirst = false
      previous.reset()
      previous.raw(symbol)
    }
  }

  #walkSeries(): void {
    const { index } = this.#block
    const { sections, version } = index
    const alignment = version === 1 ? 1 : seriesAlignment
    const scanner = new SectionScanner(index.file, sections.series, sections.labelIndices)
    let series = new BlockSeries()
    let previous = new BlockSeries()
    for (;;) {
      const padding = (alignment - (scanner.offset % alignment)) % alignment
      if (scanner.remaining <= padding) return
      scanner.skip(padding)
      const { offset } = scanner
      const reference = offset / alignment
      const bytes = scanner.bytes(scanner.uvarint() + crcBytes)
      const isRead = this.#try(offset, () => {
        index.decodeSeries(reference, offset, bytes, 0, bytes.length, series)
        this.#checkLabels(offset, series, previous)
        this.#count(reference, series)
        this.#checkChunks(offset, series)
      })
      this.#stones.delete(reference)
      if (!isRead) continue
      const swapped = previous
      previous = series
      series = swapped
    }
  }

  #checkLabels(offset: number, series: BlockSeries, previous: BlockSeries): void {
    const { labels, labelCount } = series
    if (labelCount === 0) this.#report(offset, 'want a series with labels, got none')
    for (let i = 0; i < labelCount * 2; i++) this.#block.index.symbols.check(labels[i]!)
    for (let i = 2; i < labelCount * 2; i += 2) if (labels[i]! <= labels[i - 2]!) this.#report(offset, 'want label names in order')
    const shorter = Math.min(labelCount, previous.labelCount) * 2
    let i = 0
    while (i < shorter && labels[i] === previous.labels[i]) i++
    const isGreater = i < shorter ? labels[i]! > previous.labels[i]! : labelCount > previous.labelCount
    if (!isGreater) this.#report(offset, 'want series in the order of their labels')
  }

  #checkChunks(offset: number, { chunkCount, minTimes, maxTimes, chunks }: BlockSeries): void {
    const { minTime, maxTime } = this.#block.meta
    if (chunkCount === 0) this.#report(offset, 'want a series with chunks, got none')
    for (let i = 0; i < chunkCount; i++) {
      const first = minTimes[i]!
      const last = maxTimes[i]!
      if (first < minTime || last >= maxTime) this.#report(offset, `want chunks in [${minTime}, ${maxTime}), got [${first}, ${last}]`)
      if (i > 0 && first <= maxTimes[i - 1]!)
        this.#report(offset, `want chunks without overlap, got start ${first} after end ${maxTimes[i - 1]}`)
      this.#try(offset, () => {
        const { encoding, data } = this.#block.chunk(chunks[i]!)
        const samples = data.length < 2 ? 0 : readChunkSampleCount(encoding, data)
        if (samples === 0) this.#report(offset, `want chunks with samples, got chunk ${chunks[i]} without`)
        this.#samples += samples
      })
    }
    this.#chunks += chunkCount
  }

  #count(reference: number, { labels, labelCount }: BlockSeries): void {
    const mixed = mix(reference)
    for (let i = 0; i < labelCount; i++) {
      const pair = this.#pairs.add(labels[2 * i]!, labels[2 * i + 1]!)
      if (pair >= this.#sums.length) {
        const larger = new Uint32Array(this.#sums.length * 2)
        larger.set(this.#sums)
        this.#sums = larger
      }
      this.#sums[pair]! += mixed
    }
    this.#sumOfAll = (this.#sumOfAll + mixed) >>> 0
    this.#series++
  }

  /** The table must have the pairs of all series, in order, and nothing else. */
  #walkPostings(): void {
    const { index } = this.#block
    const { symbols, table, sections } = index
    const all = index.allSeries()
    if (all.length !== this.#series || sumOf(all) !== this.#sumOfAll) {
      this.#report(sections.postings, `list of all series: want the ${this.#series} that there are, got ${all.length}`)
    }
    const pairs = this.#pairs.sorted(symbols.count)
    let next = 0
    for (const name of table.names()) {
      table.forEach(name, (value, listOffset) => {
        const pair = pairs[next++]
        const isKnown =
          pair !== undefined &&
          isSame(symbols.bytes(this.#pairs.names[pair]!), name) &&
          isSame(symbols.bytes(this.#pairs.values[pair]!), value)
        if (!isKnown) throw BlockError.damage(this.#path, listOffset, 'want lists of the labels of the series, got another one')
        const list = index.postings(listOffset)
        if (list.length !== this.#pairs.counts[pair] || sumOf(list) !== this.#sums[pair]) {
          this.#report(listOffset, `postings: want the ${this.#pairs.counts[pair]} series with the label, got ${list.length} others`)
        }
      })
    }
    if (next < pairs.length) this.#report(sections.postingsTable, `want ${pairs.length} lists of postings, got ${next}`)
  }

  #compareCounts(): void {
    const { meta, directory } = this.#block
    const { numSeries, numChunks, numSamples } = meta.stats ?? {}
    const compare = (what: string, stated: number | undefined, counted: number): void => {
      if (stated === undefined || stated === counted) return
      this.#add(BlockError.damage(`${directory}/meta.json`, 0, `stats.${what}: want ${counted}, got ${stated}`))
    }
    compare('numSeries', numSeries, this.#series)
    compare('numChunks', numChunks, this.#chunks)
    compare('numSamples', numSamples, this.#samples)
    for (const reference of this.#stones) {
      this.#add(BlockError.damage(`${directory}/tombstones`, 0, `want stones of series, got one of ${reference}, which is none`))
    }
  }

  #report(offset: number, problem: string): void {
    this.#add(BlockError.damage(this.#path, offset, problem))
  }

  #add(problem: BlockError): void {
    if (this.problems.length < problemsMax) this.problems.push(problem)
  }

  /** Whether the step ran to its end. */
  #try(offset: number, step: () => void): boolean {
    try {
      step()
      return true
    } catch (error) {
      this.#add(asBlockError(this.#path, offset, error))
      return false
    }
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return compareBytes(a, b) === 0
}

function sumOf(references: Uint32Array): number {
  let sum = 0
  for (let i = 0; i < references.length; i++) sum = (sum + mix(references[i]!)) >>> 0
  return sum
}

function mix(reference: number): number {
  const mixed = Math.imul(reference ^ (reference >>> 16), 0x85ebca6b)
  return Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35) >>> 0
}
