import type { LabelPairs } from '../head/label-pairs.ts'
import type { Symbols } from '../head/symbols.ts'
import type { LabelReader } from './label-reader.ts'

const seriesPerCheck = 4096
const comparisonsPerCheck = 65_536
// Ranks by pair number take memory for every pair there is; below this share of them a map is smaller.
const denseShare = 1 / 8

export interface OrderSource {
  readonly labels: LabelReader
  readonly pairs: LabelPairs
  readonly symbols: Symbols
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

function replaceByRanks({ pairs: rows }: Rows, { pairs, symbols, check }: OrderSource): void {
  let highest = 0
  for (let i = 0; i < rows.length; i++) if (rows[i]! > highest) highest = rows[i]!
  const ranks = rows.length > highest * denseShare ? new DenseRanks(highest) : new Map<number, number>()
  const distinct: number[] = []
  for (let i = 0; i < rows.length; i++) {
    const pair = rows[i]!
    if (ranks.get(pair)) continue
    distinct.push(pair)
    ranks.set(pair, 1)
  }
  let comparisons = 0
  distinct.sort((a, b) => {
    if (++comparisons % comparisonsPerCheck === 0) check()
    return symbols.compare(pairs.name(a), pairs.name(b)) || symbols.compare(pairs.value(a), pairs.value(b))
  })
  for (let i = 0; i < distinct.length; i++) ranks.set(distinct[i]!, i + 1)
  for (let i = 0; i < rows.length; i++) rows[i] = ranks.get(rows[i]!)!
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
