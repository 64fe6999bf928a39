import type { Head } from '../head/head.ts'

const firstRoom = 64
const firstBytes = 4096

/**
 * From the labels of a series record to the head's series. Most labels of a series are those of the one before it at the same place, so each is
 * compared with that one's bytes before it is looked up.
 */
export class LoggedLabels {
  readonly #head: Head
  /** Of the series before: its labels ┌ length ┬ name ┬ length ┬ value ┐*, where each begins, where the last one ends, and their pairs. */
  #bytes = new Uint8Array(firstBytes)
  #starts = new Uint32Array(firstRoom + 1)
  #pairs = new Uint32Array(firstRoom)
  #count = 0
  /** Of the series that is read. */
  #newStarts = new Uint32Array(firstRoom + 1)
  #at = 0

  constructor(head: Head) {
    this.#head = head
  }

  /** The series of ┌ labels uvarint ┬ (length uvarint ┬ bytes)* ┐, made if need be; not above 0 if the head refuses it. All lengths were checked. */
  refOf(record: Uint8Array, start: number): number {
    this.#at = start
    const labels = this.#uvarint(record)
    if (labels > this.#pairs.length) this.#grow(labels)
    const first = this.#at
    const known = this.#count
    let missing = 0
    for (let i = 0; i < labels; i++) {
      const at = this.#at
      this.#newStarts[i] = at - first
      if (i < known && this.#isSame(record, at, this.#starts[i]!, this.#starts[i + 1]!)) {
        this.#at = at + this.#starts[i + 1]! - this.#starts[i]!
        continue
      }
      const pair = this.#intern(record, i, known)
      if (pair <= 0) missing++
      this.#pairs[i] = Math.max(0, pair)
      if (pair === refused) {
        this.#count = 0
        return 0
      }
    }
    if (missing > 0) return this.#refWithoutEmpty(labels)
    this.#newStarts[labels] = this.#at - first
    this.#keep(record, first, labels)
    return this.#head.refByPairs(this.#pairs, labels)
  }

  /** Empty values are no labels. */
  #refWithoutEmpty(labels: number): number {
    this.#count = 0
    const pairs = this.#pairs.subarray(0, labels).filter((pair) => pair !== 0)
    return this.#head.refByPairs(pairs, pairs.length)
  }

  #isSame(record: Uint8Array, at: number, start: number, end: number): boolean {
    const bytes = this.#bytes
    // Behind the record's end there is nothing that equals a byte.
    for (let from = start, to = at; from < end; from++, to++) if (record[to] !== bytes[from]) return false
    return true
  }

  #intern(record: Uint8Array, i: number, known: number): number {
    const head = this.#head
    const runStart = this.#at
    const nameLength = this.#uvarint(record)
    const nameStart = this.#at
    const nameEnd = nameStart + nameLength
    // The name is that of the series before if its bytes are; the length in front of it is among them.
    const keptStart = this.#starts[i]!
    const isKnownName = i < known && this.#isSame(record, runStart, keptStart, keptStart + nameEnd - runStart)
    this.#at = nameEnd
    const valueLength = this.#uvarint(record)
    const valueStart = this.#at
    this.#at = valueStart + valueLength
    if (valueLength === 0) return 0
    const name = isKnownName ? head.pairs.name(this.#pairs[i]!) : head.internSymbol(record, nameStart, nameEnd)
    const value = name === 0 ? 0 : head.internSymbol(record, valueStart, valueStart + valueLength)
    const pair = value === 0 ? 0 : head.internPair(name, value)
    return pair === 0 ? refused : pair
  }

  #keep(record: Uint8Array, first: number, labels: number): void {
    const length = this.#newStarts[labels]!
    if (length > this.#bytes.length) this.#bytes = new Uint8Array(2 * length)
    const bytes = this.#bytes
    for (let i = 0; i < length; i++) bytes[i] = record[first + i]!
    const starts = this.#starts
    this.#starts = this.#newStarts
    this.#newStarts = starts
    this.#count = labels
  }

  #grow(labels: number): void {
    this.#pairs = new Uint32Array(2 * labels)
    this.#starts = new Uint32Array(2 * labels + 1)
    this.#newStarts = new Uint32Array(2 * labels + 1)
    this.#count = 0
  }

  #uvarint(record: Uint8Array): number {
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      const byte = record[this.#at++]!
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
    }
  }
}

const refused = -1
