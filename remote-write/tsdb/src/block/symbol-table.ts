import { ByteReader } from '@narthex/bytes/byte-reader'
import { crc32c } from '@narthex/bytes/crc32c'
import { BlockError, asBlockError } from './block-error.ts'
import type { BlockFile } from './block-file.ts'
import { toText } from './byte-order.ts'
import { crcBytes, sparseStep } from './index-format.ts'
import { SectionScanner, checkSum } from './section-scanner.ts'

/** Texts that are kept for the next asking, in each index. */
const textsKeptMax = 8192

/**
 * The symbols of an index, ┌ length u32 ┬ count u32 ┬ (length uvarint ┬ bytes)* ┬ crc32c ┐, read once for their checksum. Of every
 * 32nd the offset stays in memory. A symbol's ordinal is its place in byte order, so ordinals compare as their texts do.
 */
export class SymbolTable {
  readonly count: number
  readonly #file: BlockFile
  readonly #version: number
  /** Offset in the file of symbol 32·i; one more entry is the end of the last symbol. */
  readonly #offsets: Float64Array
  /** CRC-32C of everything before each of these: what is read again later may have been damaged meanwhile. */
  readonly #sums: Uint32Array
  readonly #start: number
  readonly #texts = new Map<number, string>()

  private constructor(file: BlockFile, version: number, start: number, count: number, offsets: Float64Array, sums: Uint32Array) {
    this.#file = file
    this.#version = version
    this.#start = start
    this.count = count
    this.#offsets = offsets
    this.#sums = sums
  }

  static load(file: BlockFile, start: number, version: number): SymbolTable {
    const length = new ByteReader(file.view(start, 4)).u32be()
    file.check(start, 4 + length + crcBytes)
    if (length < 4) throw BlockError.damage(file.path, start, `symbols: want at least 4 bytes, got ${length}`)
    const scanner = new SectionScanner(file, start + 4, start + 4 + length + crcBytes)
    const count = scanner.u32be()
    if (count > length - 4) throw BlockError.damage(file.path, start, `${count} symbols do not fit into ${length} bytes`)
    const offsets = new Float64Array(Math.ceil(count / sparseStep) + 1)
    const sums = new Uint32Array(offsets.length)
    for (let i = 0; i < count; i++) {
      if (i % sparseStep === 0) {
        offsets[i / sparseStep] = scanner.offset
        sums[i / sparseStep] = scanner.crc
      }
      scanner.skip(scanner.uvarint())
    }
    offsets[offsets.length - 1] = scanner.offset
    sums[offsets.length - 1] = scanner.crc
    if (scanner.remaining !== crcBytes) {
      throw BlockError.damage(file.path, scanner.offset, `symbols: want ${crcBytes} bytes after the last one, got ${scanner.remaining}`)
    }
    checkSum(scanner, file.path, start, 'symbols')
    return new SymbolTable(file, version, start, count, offsets, sums)
  }

  /** The bytes of symbol `ordinal`, valid until the next read. */
  bytes(ordinal: number): Uint8Array {
    this.check(ordinal)
    const group = Math.floor(ordinal / sparseStep)
    try {
      const reader = this.#group(group)
      for (let skipped = group * sparseStep; skipped < ordinal; skipped++) reader.skip(reader.uvarint())
      return reader.raw(reader.uvarint())
    } catch (cause) {
      throw asBlockError(this.#file.path, this.#offsets[group]!, cause)
    }
  }

  /** What is not UTF-8 becomes U+FFFD. */
  text(ordinal: number): string {
    const known = this.#texts.get(ordinal)
    if (known !== undefined) return known
    const text = toText(this.bytes(ordinal))
    if (this.#texts.size >= textsKeptMax) this.#texts.clear()
    this.#texts.set(ordinal, text)
    return text
  }

  /** The ordinal of what a series entry calls a symbol: itself, or in version 1 the offset of the symbol in the file. */
  ordinalOf(reference: number): number {
    if (this.#version !== 1) {
      this.check(reference)
      return reference
    }
    if (this.count === 0) this.check(0)
    let low = 0
    let high = this.#offsets.length - 1
    while (low + 1 < high) {
      const middle = (low + high) >>> 1
      if (this.#offsets[middle]! <= reference) low = middle
      else high = middle
    }
    const reader = this.#group(low)
    const base = this.#offsets[low]!
    for (let ordinal = low * sparseStep; reader.remaining > 0; ordinal++) {
      if (base + reader.offset === reference) return ordinal
      reader.skip(reader.uvarint())
    }
    throw BlockError.damage(this.#file.path, reference, 'want a symbol, got none')
  }

  /** Throws if there is no such symbol. */
  check(ordinal: number): void {
    if (ordinal < this.count) return
    throw BlockError.damage(this.#file.path, this.#start, `want a symbol below ${this.count}, got ${ordinal}`)
  }

  /** All symbols in order; each is valid until the next is asked for. */
  *all(): Generator<Uint8Array, void, undefined> {
    const scanner = new SectionScanner(this.#file, this.#offsets[0]!, this.#offsets.at(-1)!)
    for (let i = 0; i < this.count; i++) yield scanner.bytes(scanner.uvarint())
  }

  /** Symbols 32·group and following. */
  #group(group: number): ByteReader {
    const start = this.#offsets[group]!
    const bytes = this.#file.view(start, this.#offsets[group + 1]! - start)
    if (crc32c(bytes, 0, bytes.length, this.#sums[group]) !== this.#sums[group + 1]) {
      throw BlockError.damage(this.#file.path, start, 'symbols: want what was read before, got other bytes')
    }
    return new ByteReader(bytes)
  }
}
