import type { SymbolTable } from '../block/symbol-table.ts'
import type { BlockSeries } from '../block/series-entry.ts'

const firstCapacity = 1024
const ordinalSpan = 2 ** 32

/** An item of a list: how much of it there is, and its name. */
type Item = readonly [count: number, name: string]

/** Sums by label name and by pair of name and value over the series of a block; names and values stay ordinals of symbols. */
export class PairTotals {
  entries = 0
  readonly #symbols: SymbolTable
  readonly #names = new Map<number, number>()
  readonly #nameOrdinals: number[] = []
  /** By place of the name × 2^32 + ordinal of the value. */
  readonly #pairs = new Map<number, number>()
  #pairNames = new Uint32Array(firstCapacity)
  #pairValues = new Uint32Array(firstCapacity)
  #counts = new Float64Array(firstCapacity)
  #uncovered = new Float64Array(firstCapacity)

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols
  }

  get nameCount(): number {
    return this.#names.size
  }

  get pairCount(): number {
    return this.#pairs.size
  }

  /** Adds a series; for so many ms of the block it has no samples. */
  add({ labelCount, labels }: BlockSeries, uncoveredMs: number): void {
    for (let i = 0; i < labelCount; i++) {
      const pair = this.#pairOf(this.#nameOf(labels[2 * i]!), labels[2 * i + 1]!)
      this.#counts[pair]!++
      this.#uncovered[pair]! += uncoveredMs
      this.entries++
    }
  }

  pairCounts(): Float64Array {
    return this.#counts.subarray(0, this.pairCount)
  }

  pairUncovered(): Float64Array {
    return this.#uncovered.subarray(0, this.pairCount)
  }

  nameUncovered(): Float64Array {
    return this.#sumByName((pair) => this.#uncovered[pair]!)
  }

  /** Values of each name. */
  valueCounts(): Float64Array {
    return this.#sumByName(() => 1)
  }

  /** Bytes of each name's values, each counted once. */
  valueBytes(): Float64Array {
    return this.#sumByName((pair) => this.#symbols.bytes(this.#pairValues[pair]!).length)
  }

  topPairs(counts: Float64Array, limit: number): Item[] {
    const pairs = pickTop(
      Array.from(counts, (_, pair) => pair),
      counts,
      limit,
      (a, b) =>
        this.#nameOrdinals[this.#pairNames[a]!]! - this.#nameOrdinals[this.#pairNames[b]!]! || this.#pairValues[a]! - this.#pairValues[b]!,
    )
    return pairs.map((pair) => [counts[pair]!, `${this.#nameText(this.#pairNames[pair]!)}=${this.#valueText(pair)}`])
  }

  topNames(counts: Float64Array, limit: number): Item[] {
    const all = this.#nameOrdinals.map((_, name) => name)
    const names = pickTop(all, counts, limit, (a, b) => this.#nameOrdinals[a]! - this.#nameOrdinals[b]!)
    return names.map((name) => [counts[name]!, this.#nameText(name)])
  }

  /** The values of a name by the number of series that have them. */
  topValues(name: string, limit: number): Item[] {
    const all: number[] = []
    const wanted = this.#nameOrdinals.findIndex((ordinal) => this.#symbols.text(ordinal) === name)
    for (let pair = 0; pair < this.pairCount; pair++) if (this.#pairNames[pair] === wanted) all.push(pair)
    const pairs = pickTop(all, this.#counts, limit, (a, b) => this.#pairValues[a]! - this.#pairValues[b]!)
    return pairs.map((pair) => [this.#counts[pair]!, this.#valueText(pair)])
  }

  #nameOf(ordinal: number): number {
    const known = this.#names.get(ordinal)
    if (known !== undefined) return known
    this.#names.set(ordinal, this.#nameOrdinals.length)
    return this.#nameOrdinals.push(ordinal) - 1
  }

  #pairOf(name: number, value: number): number {
    const key = name * ordinalSpan + value
    const known = this.#pairs.get(key)
    if (known !== undefined) return known
    const pair = this.#pairs.size
    this.#pairs.set(key, pair)
    if (pair === this.#counts.length) this.#grow()
    this.#pairNames[pair] = name
    this.#pairValues[pair] = value
    return pair
  }

  #sumByName(valueOf: (pair: number) => number): Float64Array {
    const sums = new Float64Array(this.nameCount)
    for (let pair = 0; pair < this.pairCount; pair++) sums[this.#pairNames[pair]!]! += valueOf(pair)
    return sums
  }

  #nameText(name: number): string {
    return this.#symbols.text(this.#nameOrdinals[name]!)
  }

  #valueText(pair: number): string {
    return this.#symbols.text(this.#pairValues[pair]!)
  }

  #grow(): void {
    const capacity = this.#counts.length * 2
    const words = (source: Uint32Array): Uint32Array<ArrayBuffer> => {
      const larger = new Uint32Array(capacity)
      larger.set(source)
      return larger
    }
    const doubles = (source: Float64Array): Float64Array<ArrayBuffer> => {
      const larger = new Float64Array(capacity)
      larger.set(source)
      return larger
    }
    this.#pairNames = words(this.#pairNames)
    this.#pairValues = words(this.#pairValues)
    this.#counts = doubles(this.#counts)
    this.#uncovered = doubles(this.#uncovered)
  }
}

/** The first `limit` items: larger counts first, then by the order given. Ordinals are in byte order, so no text is made for it. */
function pickTop(items: number[], counts: Float64Array, limit: number, compare: (a: number, b: number) => number): number[] {
  return items.sort((a, b) => counts[b]! - counts[a]! || compare(a, b)).slice(0, Math.max(0, limit))
}
