import { Labels } from '@narthex/model/labels'
import { freedAt } from '../head/head-memory.ts'
import type { HeadMemory } from '../head/head-memory.ts'
import type { LabelPairs } from '../head/label-pairs.ts'
import * as record from '../head/series-record.ts'
import { wordMask, wordShift } from '../head/shared-arena.ts'
import type { Symbols } from '../head/symbols.ts'

const stringsMax = 100_000
/** Label sets kept at a time. A selection of more series than this would only drive out what others use. */
export const labelSetsMax = 20_000

/** Label sets of series as strings; what was asked for lately is kept, up to 100,000 texts and 20,000 label sets per thread. */
export class LabelReader {
  readonly #memory: HeadMemory
  readonly #symbols: Symbols
  readonly #pairs: LabelPairs
  readonly #strings = new Map<number, string>()
  readonly #labelSets = new Map<number, Labels>()
  #freed = 0

  constructor(memory: HeadMemory, symbols: Symbols, pairs: LabelPairs) {
    this.#memory = memory
    this.#symbols = symbols
    this.#pairs = pairs
  }

  /**
   * Forgets what was kept if series were freed since: their numbers may mean others now. True if so. To be called when an epoch was pinned.
   */
  refresh(): boolean {
    const freed = Atomics.load(this.#memory.control, freedAt)
    if (freed === this.#freed) return false
    this.#freed = freed
    this.#strings.clear()
    this.#labelSets.clear()
    return true
  }

  /** `keeps`: remember it for the next who asks. */
  labels(ref: number, keeps: boolean): Labels {
    const known = this.#labelSets.get(ref)
    if (known !== undefined) return known
    const flat: string[] = []
    this.forEachPair(ref, (pair) => {
      flat.push(this.#text(this.#pairs.name(pair)), this.#text(this.#pairs.value(pair)))
    })
    const labels = Labels.fromPairs(flat)
    if (!keeps) return labels
    // Emptied rather than aged: the next queries fill it with what they use.
    if (this.#labelSets.size >= labelSetsMax) this.#labelSets.clear()
    this.#labelSets.set(ref, labels)
    return labels
  }

  labelsOf(pairs: readonly number[]): Labels {
    const flat: string[] = []
    for (const pair of pairs) flat.push(this.#text(this.#pairs.name(pair)), this.#text(this.#pairs.value(pair)))
    return Labels.fromPairs(flat)
  }

  /** Whether a series has one of the pairs; one that was freed meanwhile may have none. */
  hasPairOf(ref: number, pairs: ReadonlySet<number>): boolean {
    const list = this.#listOf(ref)
    if (list === 0) return false
    const words = this.#memory.labels.window(list >>> wordShift)
    const at = list & wordMask
    const count = words[at]!
    for (let i = 1; i <= count; i++) if (pairs.has(words[at + i]!)) return true
    return false
  }

  forEachPair(ref: number, visit: (pair: number) => void): void {
    const list = this.#listOf(ref)
    const words = this.#memory.labels.window(list >>> wordShift)
    const at = list & wordMask
    const count = words[at]!
    for (let i = 1; i <= count; i++) visit(words[at + i]!)
  }

  /**
   * Puts the pairs of some names into `into`. The names come in the order of their bytes, as those of a series do; `places[i]` is where name `i` stood last:
   * most series of a selection have their names at the same places.
   */
  findPairs(ref: number, names: readonly number[], places: Uint32Array, into: number[]): void {
    const list = this.#listOf(ref)
    const words = this.#memory.labels.window(list >>> wordShift)
    const at = list & wordMask
    const count = words[at]!
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!
      const place = places[i]!
      if (place > 0 && place <= count && this.#pairs.name(words[at + place]!) === name) {
        into.push(words[at + place]!)
        continue
      }
      for (let other = 1; other <= count; other++) {
        if (this.#pairs.name(words[at + other]!) !== name) continue
        into.push(words[at + other]!)
        places[i] = other
        break
      }
    }
  }

  #listOf(ref: number): number {
    const words = this.#memory.series.window(ref >>> record.seriesPerWindowShift)
    return words[((ref & record.seriesPerWindowMask) << record.recordShift) + record.labelsField]!
  }

  #text(symbol: number): string {
    const known = this.#strings.get(symbol)
    if (known !== undefined) return known
    const text = this.#symbols.text(symbol)
    if (this.#strings.size >= stringsMax) this.#strings.clear()
    this.#strings.set(symbol, text)
    return text
  }
}
