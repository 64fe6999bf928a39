import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { crc32c } from '@narthex/bytes/crc32c'
import { BlockError, asBlockError } from './block-error.ts'
import type { BlockFile } from './block-file.ts'
import { compareBytes, toKey } from './byte-order.ts'
import { crcBytes, postingsKeyParts, sparseStep } from './index-format.ts'
import { SectionScanner, checkSum } from './section-scanner.ts'

/** Which postings list is where in the index. All names and values are bytes. */
export interface PostingsTable {
  /** Names in byte order, without the empty one of the list of all series. */
  names(): Uint8Array[]
  /** How many values a name has, or some more: never fewer. */
  countValues(name: Uint8Array): number
  /** The offset of the list of a pair, undefined if there is none. */
  find(name: Uint8Array, value: Uint8Array): number | undefined
  /** Calls with each value of a name, in byte order, and its list's offset. */
  forEach(name: Uint8Array, onValue: (value: Uint8Array, listOffset: number) => void): void
}

/** Entries of the table that are kept: of each name every 32nd, and the last one. */
interface NameRange {
  readonly name: Uint8Array
  readonly first: number
  last: number
}

/** Reads ┌ length u32 ┬ count u32 ┬ (2 uvarint ┬ name ┬ value ┬ offset of the list uvarint)* ┬ crc32c ┐ once, for its checksum. */
export function loadPostingsTable(file: BlockFile, start: number, version: number): PostingsTable {
  const length = new ByteReader(file.view(start, 4)).u32be()
  file.check(start, 4 + length + crcBytes)
  if (length < 4) throw BlockError.damage(file.path, start, `table of postings: want at least 4 bytes, got ${length}`)
  const scanner = new SectionScanner(file, start + 4, start + 4 + length + crcBytes)
  const count = scanner.u32be()
  const table = version === 1 ? new UnsortedPostingsTable() : new SparsePostingsTable(file)
  let name: Uint8Array | undefined
  for (let i = 0; i < count; i++) {
    const at = scanner.offset
    const sumBefore = scanner.crc
    const parts = scanner.uvarint()
    if (parts !== postingsKeyParts) throw BlockError.damage(file.path, at, `table of postings: want keys of 2 parts, got ${parts}`)
    const nameBytes = scanner.bytes(scanner.uvarint())
    if (name === undefined || compareBytes(nameBytes, name) !== 0) name = nameBytes.slice()
    table.add(at, sumBefore, name, scanner.bytes(scanner.uvarint()))
    table.endEntry(scanner.uvarint())
  }
  table.end(scanner.offset, scanner.crc)
  if (scanner.remaining !== crcBytes) {
    throw BlockError.damage(
      file.path,
      scanner.offset,
      `table of postings: want ${crcBytes} bytes after the last entry, got ${scanner.remaining}`,
    )
  }
  checkSum(scanner, file.path, start, 'table of postings')
  return table
}

class SparsePostingsTable implements PostingsTable {
  readonly #file: BlockFile
  readonly #names = new Map<string, NameRange>()
  // Of each kept entry, its offset in the file and where its value begins in #values; both end with one more.
  #offsets: number[] = []
  #valueStarts: number[] = []
  /** CRC-32C of everything before each of them: what is read again later may have been damaged meanwhile. */
  #sums: number[] = []
  readonly #values = new ByteWriter(4096)
  #range: NameRange | undefined
  #inName = 0
  readonly #lastValue = new ByteWriter()
  #lastOffset = 0
  #lastSum = 0

  constructor(file: BlockFile) {
    this.#file = file
  }

  /** `value` is copied, `name` is kept. */
  add(at: number, sumBefore: number, name: Uint8Array, value: Uint8Array): void {
    const order = this.#range === undefined ? 1 : compareBytes(name, this.#range.name)
    if (order < 0 || (order === 0 && compareBytes(value, this.#lastValue.view()) <= 0)) {
      throw BlockError.damage(this.#file.path, at, 'table of postings: want names and values in order')
    }
    if (order > 0) {
      this.#endName()
      this.#range = { name, first: this.#offsets.length, last: this.#offsets.length }
      this.#names.set(toKey(name), this.#range)
      this.#inName = 0
    }
    if (this.#inName++ % sparseStep === 0) this.#keep(at, sumBefore, value)
    this.#lastValue.reset()
    this.#lastValue.raw(value)
    this.#lastOffset = at
    this.#lastSum = sumBefore
  }

  endEntry(_listOffset: number): void {}

  end(at: number, sumBefore: number): void {
    this.#endName()
    this.#keep(at, sumBefore, new Uint8Array(0))
  }

  names(): Uint8Array[] {
    const names: Uint8Array[] = []
    for (const { name } of this.#names.values()) if (name.length > 0) names.push(name)
    return names
  }

  countValues(name: Uint8Array): number {
    const range = this.#names.get(toKey(name))
    return range === undefined ? 0 : (range.last - range.first + 1) * sparseStep
  }

  find(name: Uint8Array, value: Uint8Array): number | undefined {
    const range = this.#names.get(toKey(name))
    if (range === undefined) return undefined
    let low = range.first
    let high = range.last
    if (compareBytes(value, this.#value(low)) < 0 || compareBytes(value, this.#value(high)) > 0) return undefined
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (compareBytes(this.#value(middle), value) <= 0) low = middle
      else high = middle - 1
    }
    let found: number | undefined
    this.#forEachOfGroup(low, (other, listOffset) => {
      if (found === undefined && compareBytes(other, value) === 0) found = listOffset
    })
    return found
  }

  forEach(name: Uint8Array, onValue: (value: Uint8Array, listOffset: number) => void): void {
    const range = this.#names.get(toKey(name))
    if (range === undefined) return
    for (let entry = range.first; entry <= range.last; entry++) this.#forEachOfGroup(entry, onValue)
  }

  /** From one kept entry to before the next. */
  #forEachOfGroup(entry: number, onValue: (value: Uint8Array, listOffset: number) => void): void {
    const start = this.#offsets[entry]!
    // A copy, as the caller may read other pages of the file.
    const group = this.#file.view(start, this.#offsets[entry + 1]! - start).slice()
    if (crc32c(group, 0, group.length, this.#sums[entry]) !== this.#sums[entry + 1]) {
      throw BlockError.damage(this.#file.path, start, 'table of postings: want what was read before, got other bytes')
    }
    const values: Uint8Array[] = []
    const listOffsets: number[] = []
    try {
      for (const reader = new ByteReader(group); reader.remaining > 0;) {
        reader.uvarint()
        reader.skip(reader.uvarint())
        values.push(reader.raw(reader.uvarint()))
        listOffsets.push(reader.uvarint())
      }
    } catch (cause) {
      throw asBlockError(this.#file.path, start, cause)
    }
    for (let i = 0; i < values.length; i++) onValue(values[i]!, listOffsets[i]!)
  }

  #endName(): void {
    const range = this.#range
    if (range === undefined) return
    if (this.#offsets.at(-1) !== this.#lastOffset) this.#keep(this.#lastOffset, this.#lastSum, this.#lastValue.view())
    range.last = this.#offsets.length - 1
  }

  #keep(at: number, sumBefore: number, value: Uint8Array): void {
    this.#offsets.push(at)
    this.#sums.push(sumBefore)
    this.#valueStarts.push(this.#values.length)
    this.#values.raw(value)
  }

  #value(entry: number): Uint8Array {
    return this.#values.bytes.subarray(this.#valueStarts[entry], this.#valueStarts[entry + 1])
  }
}

/** Version 1 had no order of entries, so all of them are kept. */
class UnsortedPostingsTable implements PostingsTable {
  readonly #names = new Map<string, { name: Uint8Array; values: Map<string, { value: Uint8Array; listOffset: number }> }>()

  #added = { value: new Uint8Array(0), listOffset: 0 }

  add(_at: number, _sumBefore: number, name: Uint8Array, value: Uint8Array): void {
    const key = toKey(name)
    let entry = this.#names.get(key)
    if (entry === undefined) this.#names.set(key, (entry = { name, values: new Map() }))
    this.#added = { value: value.slice(), listOffset: 0 }
    entry.values.set(toKey(value), this.#added)
  }

  endEntry(listOffset: number): void {
    this.#added.listOffset = listOffset
  }

  end(_at: number, _sumBefore: number): void {}

  names(): Uint8Array[] {
    return [...this.#names.values()]
      .map(({ name }) => name)
      .filter((name) => name.length > 0)
      .sort(compareBytes)
  }

  countValues(name: Uint8Array): number {
    return this.#names.get(toKey(name))?.values.size ?? 0
  }

  find(name: Uint8Array, value: Uint8Array): number | undefined {
    return this.#names.get(toKey(name))?.values.get(toKey(value))?.listOffset
  }

  forEach(name: Uint8Array, onValue: (value: Uint8Array, listOffset: number) => void): void {
    const values = [...(this.#names.get(toKey(name))?.values.values() ?? [])].sort((a, b) => compareBytes(a.value, b.value))
    for (const { value, listOffset } of values) onValue(value, listOffset)
  }
}
