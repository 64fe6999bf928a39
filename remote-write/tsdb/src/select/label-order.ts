import type { LabelPairs } from '../head/label-pairs.ts'
import type { Symbols } from '../head/symbols.ts'
import type { LabelReader } from './label-reader.ts'
import type { LabelValues } from './label-values.ts'

const seriesPerCheck = 4096
const comparisonsPerCheck = 65_536
// Ranks by pair number take memory for every pair there is; below this share of them a map is smaller.
const denseShare = 1 / 8
// From so many values of a name on, and this share of all that it has, their order is read off that of all.
const readOffMin = 64
const readOffShare = 1 / 16

export interface OrderSource {
  readonly labels: LabelReader
  readonly pairs: LabelPairs
  readonly symbols: Symbols
  /** Their order is read off if need be; without, it is found each time, by bytes that need not be UTF-8. */
  readonly values?: LabelValues
  /** Called every few milliseconds; may throw to give up. */
  check(): void
}

/**
 * The positions 0…count - 1 of `refs` in the order of their series' labels, as `Labels.compare` has it, without making a label set:
 * the distinct pairs are put in order once, and series are then compared as rows of the ranks of their pairs.
 */
export function orderByLabels(refs: Uint32Array, count: number, source: OrderSource): Uint32Array {
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  if (count < 2) return order
  const rows = readRows(refs, count, source)
  replaceByRanks(rows, source)
  const { offsets, pairs } = rows
  let comparisons = 0
  return order.sort((a, b) => {
    if (++comparisons % comparisonsPerCheck === 0) source.check()
    const leftEnd = offsets[a + 1]!
    const rightEnd = offsets[b + 1]!
    let left = offsets[a]!
    let right = offsets[b]!
    while (left < leftEnd && right < rightEnd) {
      const difference = pairs[left++]! - pairs[right++]!
      if (difference !== 0) return difference
    }
    return leftEnd - left - (rightEnd - right)
  })
}

/** The pairs of series i: from `offsets[i]` to `offsets[i + 1]`, in the order of their names. */
interface Rows {
  readonly offsets: Uint32Array
  readonly pairs: Uint32Array
}

function readRows(refs: Uint32Array, count: number, { labels, check }: OrderSource): Rows {
  const offsets = new Uint32Array(count + 1)
  let pairs = new Uint32Array(count * 8)
  let length = 0
  const add = (pair: number): void => {
    if (length === pairs.length) {
      const larger = new Uint32Array(pairs.length * 2)
      larger.set(pairs)
      pairs = larger
    }
    pairs[length++] = pair
  }
  for (let i = 0; i < count; i++) {
    if (i % seriesPerCheck === 0) check()
    labels.forEachPair(refs[i]!, add)
    offsets[i + 1] = length
  }
  return { offsets, pairs: pairs.subarray(0, length) }
}

function replaceByRanks({ pairs: rows }: Rows, source: OrderSource): void {
  const { pairs, symbols } = source
  let highest = 0
  for (let i = 0; i < rows.length; i++) if (rows[i]! > highest) highest = rows[i]!
  const ranks = rows.length > highest * denseShare ? new DenseRanks(highest) : new Map<number, number>()
  const byName = new Map<number, number[]>()
  for (let i = 0; i < rows.length; i++) {
    const pair = rows[i]!
    if (ranks.get(pair)) continue
    const name = pairs.name(pair)
    const ofName = byName.get(name)
    if (ofName === undefined) byName.set(name, [pair])
    else ofName.push(pair)
    ranks.set(pair, 1)
  }
  let rank = 0
  for (const name of [...byName.keys()].sort((a, b) => symbols.compare(a, b))) {
    const ofName = byName.get(name)!
    const known = ofName.length < readOffMin ? undefined : source.values?.ordered(pairs.find(name, 0))
    // Every pair of the name that is marked is one of these.
    if (known !== undefined && ofName.length >= known.pairs.length * readOffShare) {
      for (const pair of known.pairs) if (ranks.get(pair)) ranks.set(pair, ++rank)
    } else for (const pair of sortByValue(ofName, source)) ranks.set(pair, ++rank)
  }
  for (let i = 0; i < rows.length; i++) rows[i] = ranks.get(rows[i]!)!
}

function sortByValue(ofName: number[], { pairs, symbols, check }: OrderSource): number[] {
  let comparisons = 0
  return ofName.sort((a, b) => {
    if (++comparisons % comparisonsPerCheck === 0) check()
    return symbols.compare(pairs.value(a), pairs.value(b))
  })
}

class DenseRanks {
  readonly #ranks: Uint32Array

  constructor(highest: number) {
    this.#ranks = new Uint32Array(highest + 1)
  }

  get(pair: number): number {
    return this.#ranks[pair]!
  }

  set(pair: number, rank: number): void {
    this.#ranks[pair] = rank
  }
}
