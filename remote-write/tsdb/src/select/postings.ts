import type { Matcher } from '@narthex/model/matcher'
import type { LabelPairs } from '../head/label-pairs.ts'
import type { Symbols } from '../head/symbols.ts'

const encoder = new TextEncoder()
// Above this many values of one name a union is made by marking bits instead of testing each for its postings first.
const literalsMax = 256
const valuesPerCheck = 1024

/**
 * Finds the series that matchers select, from the postings. Prometheus' semantics: an absent label has the empty value, so a
 * matcher that matches '' takes series away (those with a value that it does not match) instead of choosing some.
 */
export class PostingsReader {
  readonly #symbols: Symbols
  readonly #pairs: LabelPairs
  readonly #check: () => void

  /** `check` is called every few milliseconds; may throw to give up. */
  constructor(symbols: Symbols, pairs: LabelPairs, check: () => void) {
    this.#symbols = symbols
    this.#pairs = pairs
    this.#check = check
  }

  /** References ≤ `refMax`, ascending. */
  select(matchers: readonly Matcher[], refMax: number): Uint32Array {
    let selected: Uint32Array | undefined
    const excluding: Matcher[] = []
    // Equalities first: each is one list, and an empty one ends the search.
    const ordered = [...matchers].sort((a, b) => (a.type === '=' ? 0 : 1) - (b.type === '=' ? 0 : 1))
    for (const matcher of ordered) {
      if (matcher.matches('')) {
        excluding.push(matcher)
        continue
      }
      const refs = this.#including(matcher, refMax)
      selected = selected === undefined ? refs : intersect(selected, refs)
      if (selected.length === 0) return selected
    }
    selected ??= allRefs(refMax)
    for (const matcher of excluding) {
      const without = this.#excluded(matcher, refMax)
      if (without !== undefined) selected = subtract(selected, without)
    }
    return selected
  }

  /** The id of a text, 0 if it is no symbol. */
  findSymbol(text: string): number {
    const bytes = encoder.encode(text)
    return this.#symbols.find(bytes, 0, bytes.length)
  }

  /** The record of a label name, 0 if there is none. */
  findName(name: string): number {
    const symbol = this.findSymbol(name)
    return symbol === 0 ? 0 : this.#pairs.find(symbol, 0)
  }

  #including(matcher: Matcher, refMax: number): Uint32Array {
    const literals = matcher.type === '=' ? [matcher.value] : matcher.type === '=~' ? matcher.regex?.literals() : undefined
    if (literals !== undefined && literals.length <= literalsMax) {
      const pairs = this.#pairsOf(matcher.name, literals)
      if (pairs.length === 0) return new Uint32Array(0)
      if (pairs.length === 1) return this.#pairs.postings(pairs[0]!, refMax)
      return this.#union(pairs, refMax)
    }
    return this.#union(this.#matchingPairs(matcher, true), refMax)
  }

  /** A bit for each series that a matcher of the empty value takes away; undefined if none. */
  #excluded(matcher: Matcher, refMax: number): Uint32Array | undefined {
    const pairs = matcher.type === '!=' ? this.#pairsOf(matcher.name, [matcher.value]) : this.#matchingPairs(matcher, false)
    return pairs.length === 0 ? undefined : this.#mark(pairs, refMax)
  }

  #pairsOf(name: string, values: readonly string[]): number[] {
    const nameSymbol = this.findSymbol(name)
    if (nameSymbol === 0) return []
    const pairs = new Set<number>()
    for (const value of values) {
      const valueSymbol = value === '' ? 0 : this.findSymbol(value)
      const pair = valueSymbol === 0 ? 0 : this.#pairs.find(nameSymbol, valueSymbol)
      if (pair !== 0) pairs.add(pair)
    }
    return [...pairs]
  }

  /** The pairs of the matcher's name whose value gives `wanted`; each distinct value is tested once. */
  #matchingPairs(matcher: Matcher, wanted: boolean): number[] {
    const found: number[] = []
    const record = this.findName(matcher.name)
    if (record === 0) return found
    let tested = 0
    for (let pair = this.#pairs.firstValue(record); pair !== 0; pair = this.#pairs.next(pair)) {
      if (++tested % valuesPerCheck === 0) this.#check()
      if (matcher.matches(this.#symbols.text(this.#pairs.value(pair))) === wanted) found.push(pair)
    }
    return found
  }

  #union(pairs: readonly number[], refMax: number): Uint32Array {
    return collect(this.#mark(pairs, refMax))
  }

  #mark(pairs: readonly number[], refMax: number): Uint32Array {
    const bits = new Uint32Array((refMax >>> 5) + 1)
    for (const pair of pairs) this.#pairs.markPostings(pair, refMax, bits)
    return bits
  }
}

function allRefs(refMax: number): Uint32Array {
  const refs = new Uint32Array(refMax)
  for (let i = 0; i < refMax; i++) refs[i] = i + 1
  return refs
}

/** The numbers of the set bits, ascending. */
function collect(bits: Uint32Array): Uint32Array {
  let count = 0
  for (let i = 0; i < bits.length; i++) for (let word = bits[i]!; word !== 0; word &= word - 1) count++
  const refs = new Uint32Array(count)
  let length = 0
  for (let i = 0; i < bits.length; i++) {
    for (let word = bits[i]!; word !== 0; word &= word - 1) refs[length++] = i * 32 + 31 - Math.clz32(word & -word)
  }
  return refs
}

/** What is in both ascending lists, written over the first. */
function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  let length = 0
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const left = a[i]!
    const right = b[j]!
    if (left === right) a[length++] = left
    if (left <= right) i++
    if (right <= left) j++
  }
  return a.subarray(0, length)
}

/** The references whose bit is not set, written over the list. */
function subtract(refs: Uint32Array, bits: Uint32Array): Uint32Array {
  let length = 0
  for (let i = 0; i < refs.length; i++) {
    const ref = refs[i]!
    if ((bits[ref >>> 5]! & (1 << (ref & 31))) === 0) refs[length++] = ref
  }
  return refs.subarray(0, length)
}
