import { PairScanner } from './info-report.ts'
import type { Buffer } from 'node:buffer'

/**
 * What INFO tells of each command, in columns that are kept from scrape to scrape: as long as a server lists the same commands in the same
 * order, nothing is sorted and nothing is made anew. NaN stands for a number that a server does not tell.
 */
export class CommandTable {
  readonly #pairs = new PairScanner()
  readonly #names: string[] = []
  #calls = new Float64Array(64)
  #microseconds = new Float64Array(64)
  #rejected = new Float64Array(64)
  #failed = new Float64Array(64)
  /** `['cmd', name]` by row. */
  #labels: (readonly string[])[] = []
  #rows = 0
  #isKnown = true
  #order: readonly number[] = []
  readonly #rowByName = new Map<string, number>()

  clear(): void {
    this.#isKnown = true
    this.#rows = 0
  }

  /** Adds `calls=…,usec=…` in [start, end); a line without these two is left out. */
  add(name: string, bytes: Buffer, start: number, end: number): void {
    let calls = NaN
    let microseconds = NaN
    let rejected = NaN
    let failed = NaN
    this.#pairs.load(bytes, start, end)
    while (this.#pairs.nextPair()) {
      switch (this.#pairs.name) {
        case 'calls':
          calls = this.#pairs.number ?? NaN
          break
        case 'usec':
          microseconds = this.#pairs.number ?? NaN
          break
        case 'rejected_calls':
          rejected = this.#pairs.number ?? NaN
          break
        case 'failed_calls':
          failed = this.#pairs.number ?? NaN
          break
      }
    }
    if (Number.isNaN(calls) || Number.isNaN(microseconds)) return
    const row = this.#rows++
    if (row === this.#calls.length) this.#grow()
    if (this.#names[row] !== name) {
      this.#names[row] = name
      this.#labels[row] = ['cmd', name]
      this.#isKnown = false
    }
    this.#calls[row] = calls
    this.#microseconds[row] = microseconds
    this.#rejected[row] = rejected
    this.#failed[row] = failed
  }

  /** To be called after the last `add`. */
  finish(): void {
    if (this.#isKnown && this.#names.length === this.#rows) return
    this.#names.length = this.#labels.length = this.#rows
    this.#order = [...this.#names.keys()].sort((a, b) => (this.#names[a]! < this.#names[b]! ? -1 : 1))
    this.#rowByName.clear()
    for (const [row, name] of this.#names.entries()) this.#rowByName.set(name, row)
  }

  /** Rows by the name of the command. */
  get order(): readonly number[] {
    return this.#order
  }

  /** Undefined: the server tells nothing of it. */
  rowOf(name: string): number | undefined {
    return this.#rowByName.get(name)
  }

  labelsOf(row: number): readonly string[] {
    return this.#labels[row]!
  }

  calls(row: number): number {
    return this.#calls[row]!
  }

  microseconds(row: number): number {
    return this.#microseconds[row]!
  }

  rejected(row: number): number {
    return this.#rejected[row]!
  }

  failed(row: number): number {
    return this.#failed[row]!
  }

  #grow(): void {
    const grow = (column: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const grown = new Float64Array(column.length * 2)
      grown.set(column)
      return grown
    }
    this.#calls = grow(this.#calls)
    this.#microseconds = grow(this.#microseconds)
    this.#rejected = grow(this.#rejected)
    this.#failed = grow(this.#failed)
  }
}
