import { compareBytewise } from '@narthex/model/compare'
import type { Matcher } from '@narthex/model/matcher'
import type { LabelPairs } from '../head/label-pairs.ts'
import type { Symbols } from '../head/symbols.ts'
import type { LabelReader } from './label-reader.ts'
import { LabelValues } from './label-values.ts'

const encoder = new TextEncoder()
// Above this many texts of a pattern each value of the name is tested instead of each text being looked up.
const literalsMax = 256
const valuesPerCheck = 1024
const seriesPerCheck = 4096
// Up to this share of all series a union is listed.
const listedShare = 32
// So many references of a list are read in the time that it takes to look at the labels of one series.
const postingsPerLabels = 32
// Of the bits that are kept for the next selection: 1 MiB, a bit each for 8 million series.
const keptWordsMax = 256 * 1024
const noWords = new Uint32Array(0)

/**
 * Finds the series that matchers select, from the postings. Prometheus' semantics: an absent label has the empty value, so a
 * matcher that matches '' takes series away (those with a value that it does not match) instead of choosing some.
 */
export class PostingsReader {
  readonly values: LabelValues
  readonly #symbols: Symbols
  readonly #pairs: LabelPairs
  readonly #labels: LabelReader
  readonly #check: () => void
  #bits = noWords

  /** `check` is called every few milliseconds; may throw to give up. */
  constructor(symbols: Symbols, pairs: LabelPairs, labels: LabelReader, check: () => void) {
    this.#symbols = symbols
    this.#pairs = pairs
    this.#labels = labels
    this.values = new LabelValues(pairs, symbols, check)
    this.#check = check
  }

  /** References ≤ `refMax`, ascending. */
  select(matchers: readonly Matcher[], refMax: number): Uint32Array {
    return this.selectSeries(matchers, refMax).refs
  }

  /** As `select`, for who may not need a list. To be read before something else is selected. */
  selectSeries(matchers: readonly Matcher[], refMax: number): Selection {
    const plan = this.#plan(matchers)
    if (plan === undefined) return noSeries()
    const selection = this.#begin(plan.first, refMax)
    for (const filter of plan.filters) {
      if (selection.countMax === 0) break
      this.#filter(selection, filter, refMax)
    }
    return selection
  }

  /** As `selectSeries`, but what many series would have to be read for is left to be asked of those that are of interest. */
  selectRoughly(matchers: readonly Matcher[], refMax: number): RoughSelection {
    const plan = this.#plan(matchers)
    if (plan === undefined) return { series: noSeries(), left: [], looksMax: 0 }
    const series = this.#begin(plan.first, refMax)
    const left: SeriesFilter[] = []
    let postings = 0
    for (const filter of plan.filters) {
      const count = this.#countSeries(filter.pairs)
      if (series.areFew && count > series.countMax) {
        left.push(filter)
        postings += count
      } else this.#filter(series, filter, refMax)
    }
    return { series, left, looksMax: Math.ceil(postings / postingsPerLabels) }
  }

  /** What `selectRoughly` left, for all of its series. */
  narrow({ series, left }: Pick<RoughSelection, 'series' | 'left'>, refMax: number): Selection {
    for (const filter of left) this.#filter(series, filter, refMax)
    return series
  }

  /** The same for one of them. */
  passes(ref: number, left: readonly SeriesFilter[]): boolean {
    for (const { chosen, wanted } of left) if (Number(this.#labels.hasPairOf(ref, chosen)) !== wanted) return false
    return true
  }

  /** What has few series comes first: the rest is only looked up in them. Undefined: there are none. */
  #plan(matchers: readonly Matcher[]): { first: readonly number[] | undefined; filters: SeriesFilter[] } | undefined {
    const including: (readonly number[])[] = []
    const excluding: SeriesFilter[] = []
    for (const matcher of matchers) {
      if (matcher.matches('')) {
        const pairs = this.#excludedPairs(matcher)
        if (pairs.length > 0) excluding.push(new SeriesFilter(pairs, 0))
        continue
      }
      const pairs = this.#includedPairs(matcher)
      if (pairs.length === 0) return undefined
      including.push(pairs)
    }
    including.sort((a, b) => this.#countSeries(a) - this.#countSeries(b))
    const first = including.shift()
    return { first, filters: [...including.map((pairs) => new SeriesFilter(pairs, 1)), ...excluding] }
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

  /** The pairs that a matcher chooses; those of one name have no series in common. */
  #includedPairs(matcher: Matcher): readonly number[] {
    const literals = matcher.type === '=' ? [matcher.value] : matcher.type === '=~' ? matcher.regex?.literals() : undefined
    if (literals !== undefined && literals.length <= literalsMax) return this.#pairsOf(matcher.name, literals)
    return this.#matchingPairs(matcher, true)
  }

  /** The pairs that a matcher of the empty value takes away. */
  #excludedPairs(matcher: Matcher): readonly number[] {
    return matcher.type === '!=' ? this.#pairsOf(matcher.name, [matcher.value]) : this.#matchingPairs(matcher, false)
  }

  #countSeries(pairs: readonly number[]): number {
    let count = 0
    for (const pair of pairs) count += this.#pairs.count(pair)
    return count
  }

  #begin(pairs: readonly number[] | undefined, refMax: number): Selection {
    if (pairs === undefined) return new Selection(undefined, allBits(refMax), refMax, false)
    if (pairs.length === 1) {
      const refs = this.#pairs.postings(pairs[0]!, refMax)
      return new Selection(refs, undefined, refs.length, true)
    }
    const count = this.#countSeries(pairs)
    return new Selection(undefined, this.#mark(pairs, this.#wipedBits(refMax), refMax), count, count * listedShare < refMax)
  }

  /** Keeps the series that have one of the pairs (1), or those that have none (0). */
  #filter(selection: Selection, filter: SeriesFilter, refMax: number): void {
    const { pairs, wanted } = filter
    if (!selection.areFew) {
      const bits = selection.mark(refMax)
      const marked = this.#mark(pairs, new Uint32Array(bits.length), refMax)
      if (wanted === 1) for (let i = 0; i < bits.length; i++) bits[i]! &= marked[i]!
      else for (let i = 0; i < bits.length; i++) bits[i]! &= ~marked[i]!
      return
    }
    const { refs } = selection
    const isLabelsFirst = refs.length * postingsPerLabels < this.#countSeries(pairs)
    selection.refs = isLabelsFirst ? this.#filterByLabels(refs, filter) : this.#filterByPostings(refs, pairs, wanted)
  }

  /** Work and memory are those of the references, and one look at each posting. */
  #filterByPostings(refs: Uint32Array, pairs: readonly number[], wanted: 0 | 1): Uint32Array {
    if (refs.length === 0) return refs
    const firstWord = refs[0]! >>> 5
    const among = new Uint32Array((refs[refs.length - 1]! >>> 5) - firstWord + 1)
    for (let i = 0; i < refs.length; i++) among[(refs[i]! >>> 5) - firstWord]! |= 1 << (refs[i]! & 31)
    const found = new Uint32Array(among.length)
    for (const pair of pairs) this.#pairs.markAmong(pair, among, firstWord, found)
    let length = 0
    for (let i = 0; i < refs.length; i++) {
      const ref = refs[i]!
      if (((found[(ref >>> 5) - firstWord]! >>> (ref & 31)) & 1) === wanted) refs[length++] = ref
    }
    return refs.subarray(0, length)
  }

  #filterByLabels(refs: Uint32Array, { chosen, wanted }: SeriesFilter): Uint32Array {
    let length = 0
    for (let i = 0; i < refs.length; i++) {
      if (i % seriesPerCheck === 0) this.#check()
      const ref = refs[i]!
      if (Number(this.#labels.hasPairOf(ref, chosen)) === wanted) refs[length++] = ref
    }
    return refs.subarray(0, length)
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
    const prefix = wanted === (matcher.type === '=~') ? (matcher.regex?.prefix ?? '') : ''
    const known = prefix === '' ? this.values.of(record) : this.values.ordered(record)
    if (known !== undefined && prefix !== '') {
      const { pairs, texts } = known
      for (let i = findFirst(texts, prefix); i < texts.length && texts[i]!.startsWith(prefix); i++) {
        if ((i + 1) % valuesPerCheck === 0) this.#check()
        if (matcher.matches(texts[i]!) === wanted) found.push(pairs[i]!)
      }
      return found
    }
    if (known !== undefined) {
      const { pairs, texts } = known
      for (let i = 0; i < texts.length; i++) {
        if ((i + 1) % valuesPerCheck === 0) this.#check()
        if (matcher.matches(texts[i]!) === wanted) found.push(pairs[i]!)
      }
      return found
    }
    let tested = 0
    for (let pair = this.#pairs.firstValue(record); pair !== 0; pair = this.#pairs.next(pair)) {
      if (++tested % valuesPerCheck === 0) this.#check()
      if (matcher.matches(this.#symbols.text(this.#pairs.value(pair))) === wanted) found.push(pair)
    }
    return found
  }

  /** In the memory of the selection before this one: a fresh one takes as long as to mark some thousand series. */
  #wipedBits(refMax: number): Uint32Array {
    const length = (refMax >>> 5) + 1
    if (length > keptWordsMax) return new Uint32Array(length)
    if (length > this.#bits.length) this.#bits = new Uint32Array(Math.min(2 * length, keptWordsMax))
    return this.#bits.subarray(0, length).fill(0)
  }

  #mark(pairs: readonly number[], bits: Uint32Array, refMax: number): Uint32Array {
    for (const pair of pairs) this.#pairs.markPostings(pair, refMax, bits)
    return bits
  }
}

/** Series that have one of the pairs (1), or none of them (0). */
export class SeriesFilter {
  readonly pairs: readonly number[]
  readonly wanted: 0 | 1
  #chosen: ReadonlySet<number> | undefined

  constructor(pairs: readonly number[], wanted: 0 | 1) {
    this.pairs = pairs
    this.wanted = wanted
  }

  /** The pairs, where labels are looked at. */
  get chosen(): ReadonlySet<number> {
    return (this.#chosen ??= new Set(this.pairs))
  }
}

export interface RoughSelection {
  readonly series: Selection
  readonly left: readonly SeriesFilter[]
  /** To ask for more of them takes longer than to narrow the selection. */
  readonly looksMax: number
}

/** Series as an ascending list, as a bit each, or as both: one is made of the other when it is asked for. */
export class Selection {
  /** Whether they are to be gone through as a list. */
  readonly areFew: boolean
  #refs: Uint32Array | undefined
  #bits: Uint32Array | undefined
  #countMax: number

  /** `refs` or `bits`, and how many there are at most. */
  constructor(refs: Uint32Array | undefined, bits: Uint32Array | undefined, countMax: number, areFew: boolean) {
    this.areFew = areFew
    this.#refs = refs
    this.#bits = bits
    this.#countMax = countMax
  }

  /** There are no more. */
  get countMax(): number {
    return this.#countMax
  }

  get refs(): Uint32Array {
    return (this.#refs ??= collect(this.#bits ?? noWords))
  }

  /** Fewer of them. */
  set refs(refs: Uint32Array) {
    this.#refs = refs
    this.#bits = undefined
    this.#countMax = refs.length
  }

  /** A bit for each reference ≤ refMax. */
  mark(refMax: number): Uint32Array {
    return (this.#bits ??= toBits(this.refs, refMax))
  }
}

/** The place of the first text, of some in the order of their bytes, that does not come before `text`. */
function findFirst(texts: readonly string[], text: string): number {
  let low = 0
  let high = texts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBytewise(texts[middle]!, text) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function noSeries(): Selection {
  return new Selection(noWords, undefined, 0, true)
}

/** A bit for each of 1…refMax. */
function allBits(refMax: number): Uint32Array {
  const bits = new Uint32Array((refMax >>> 5) + 1).fill(0xffffffff)
  bits[0]! &= ~1
  bits[refMax >>> 5]! &= 0xffffffff >>> (31 - (refMax & 31))
  return bits
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

function toBits(refs: Uint32Array, refMax: number): Uint32Array {
  const bits = new Uint32Array((refMax >>> 5) + 1)
  for (let i = 0; i < refs.length; i++) bits[refs[i]! >>> 5]! |= 1 << (refs[i]! & 31)
  return bits
}
