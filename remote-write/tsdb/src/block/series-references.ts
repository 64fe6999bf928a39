import { BlockError } from './block-error.ts'
import type { BlockFile } from './block-file.ts'
import { crcBytes } from './index-format.ts'
import { SectionScanner, checkSum } from './section-scanner.ts'

const bufferBytes = 64 * 1024

/**
 * The references of a list of postings one after the other, for walks over all series of a large index: memory holds 64 KiB of them. Throws a
 * `BlockError` where they do not ascend, and at the end if the checksum is wrong.
 */
export class SeriesReferences {
  readonly #path: string
  readonly #offset: number
  readonly #scanner: SectionScanner
  #left: number
  #previous = -1

  /** ┌ length u32 ┬ count u32 ┬ references u32… ┬ crc32c ┐ at `offset`. */
  constructor(file: BlockFile, offset: number) {
    this.#path = file.path
    this.#offset = offset
    const length = new SectionScanner(file, offset, offset + 4, 4).u32be()
    this.#scanner = new SectionScanner(file, offset + 4, offset + 4 + length + crcBytes, bufferBytes)
    this.#left = this.#scanner.u32be()
    if (length !== 4 + 4 * this.#left) {
      throw BlockError.damage(this.#path, offset, `postings: want ${4 + 4 * this.#left} bytes for ${this.#left}, got ${length}`)
    }
  }

  /** -1 behind the last one. */
  next(): number {
    if (this.#left === 0) {
      if (this.#scanner.remaining > 0) checkSum(this.#scanner, this.#path, this.#offset, 'postings')
      return -1
    }
    const at = this.#scanner.offset
    const reference = this.#scanner.u32be()
    if (reference <= this.#previous) {
      throw BlockError.damage(this.#path, at, `postings: want more than ${this.#previous}, got ${reference}`)
    }
    this.#previous = reference
    this.#left--
    return reference
  }
}
