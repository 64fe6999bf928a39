import { compareBytewise, sortBytewise } from '@narthex/model/compare'
import type { LabelPairs } from '../head/label-pairs.ts'
import type { Symbols } from '../head/symbols.ts'

/** Of all names together, and so of each. */
const keptBytesMax = 8 * 1024 * 1024
/** Of a value beside its characters: its text, and its places in lists. */
const bytesPerValue = 72
const valuesPerCheck = 4096

/** Values of a label name: `texts[i]` is that of pair `pairs[i]`. A pair whose series are all gone may be among them. */
export interface NamedValues {
  readonly pairs: readonly number[]
  readonly texts: readonly string[]
}

/**
 * The values of label names as texts. Lists, and regular expressions, ask for the same ones again and again: they are made and put in order once, and later
 * ones are added. Some 8 MiB per thread; a name with more is not kept.
 */
export class LabelValues {
  readonly #pairs: LabelPairs
  readonly #symbols: Symbols
  readonly #check: () => void
  /** By the record of the name. */
  readonly #known = new Map<number, KnownValues>()
  #bytes = 0

  /** `check` is called every few milliseconds; may throw to give up. */
  constructor(pairs: LabelPairs, symbols: Symbols, check: () => void) {
    this.#pairs = pairs
    this.#symbols = symbols
    this.#check = check
  }

  /** To be called when pairs were freed: their numbers may mean others now. */
  clear(): void {
    this.#known.clear()
    this.#bytes = 0
  }

  /** In the order in which they came; undefined if they are too many to be kept. */
  of(nameRecord: number): NamedValues | undefined {
    return this.#find(nameRecord)
  }

  /** As `of`, in the order of their bytes. */
  ordered(nameRecord: number): NamedValues | undefined {
    return this.#find(nameRecord)?.ordered()
  }

  #find(nameRecord: number): KnownValues | undefined {
    if (this.#pairs.count(nameRecord) * bytesPerValue > keptBytesMax) return undefined
    let known = this.#known.get(nameRecord)
    if (known === undefined) this.#known.set(nameRecord, (known = new KnownValues()))
    this.#extend(known, nameRecord)
    if (this.#bytes > keptBytesMax) {
      // Emptied rather than aged: the next queries fill it with what they use.
      this.clear()
      if (known.bytes > keptBytesMax) known.giveUp()
      this.#known.set(nameRecord, known)
      this.#bytes = known.bytes
    }
    return known.isGivenUp ? undefined : known
  }

  /** Adds what came since. */
  #extend(known: KnownValues, nameRecord: number): void {
    const pairs = this.#pairs
    let added = 0
    for (let pair = known.last === 0 ? pairs.firstValue(nameRecord) : pairs.next(known.last); pair !== 0; pair = pairs.next(pair)) {
      if (known.isGivenUp || known.bytes > keptBytesMax) return
      if (++added % valuesPerCheck === 0) this.#check()
      this.#bytes += known.add(pair, this.#symbols.text(pairs.value(pair)))
    }
  }
}

class KnownValues implements NamedValues {
  readonly pairs: number[] = []
  readonly texts: string[] = []
  bytes = 0
  /** They are too many. */
  isGivenUp = false
  #ordered: NamedValues = { pairs: [], texts: [] }

  /** The newest pair, 0 if there is none. */
  get last(): number {
    return this.pairs.at(-1) ?? 0
  }

  /** Gives the bytes that it takes. */
  add(pair: number, text: string): number {
    this.pairs.push(pair)
    this.texts.push(text)
    const bytes = bytesPerValue + text.length
    this.bytes += bytes
    return bytes
  }

  giveUp(): void {
    this.isGivenUp = true
    this.bytes = 0
    this.pairs.length = 0
    this.texts.length = 0
  }

  ordered(): NamedValues {
    const count = this.#ordered.pairs.length
    if (count < this.pairs.length) this.#ordered = merge(this.#ordered, order(this.pairs.slice(count), this.texts.slice(count)))
    return this.#ordered
  }
}

function order(pairs: readonly number[], texts: readonly string[]): NamedValues {
  const places = new Map<string, number>()
  for (let i = 0; i < texts.length; i++) places.set(texts[i]!, i)
  // A value whose series went and came again may be there twice.
  if (places.size < texts.length) {
    const numbers = texts.map((_, i) => i).sort((a, b) => compareBytewise(texts[a]!, texts[b]!))
    return { pairs: numbers.map((i) => pairs[i]!), texts: numbers.map((i) => texts[i]!) }
  }
  // Many times as quick as a sort that compares by a function.
  const sorted = sortBytewise(texts.slice())
  return { pairs: sorted.map((text) => pairs[places.get(text)!]!), texts: sorted }
}

function merge(a: NamedValues, b: NamedValues): NamedValues {
  if (a.pairs.length === 0) return b
  const pairs: number[] = []
  const texts: string[] = []
  for (let i = 0, j = 0; i < a.pairs.length || j < b.pairs.length;) {
    const isFirst = j === b.pairs.length || (i < a.pairs.length && compareBytewise(a.texts[i]!, b.texts[j]!) <= 0)
    const from = isFirst ? a : b
    const at = isFirst ? i++ : j++
    pairs.push(from.pairs[at]!)
    texts.push(from.texts[at]!)
  }
  return { pairs, texts }
}
