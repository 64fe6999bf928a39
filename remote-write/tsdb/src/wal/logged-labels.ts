import { ByteReader } from '@narthex/bytes/byte-reader'
import { growWords } from '@narthex/bytes/grow'
import type { Head } from '../head/head.ts'
import { copiedPlace, emptyLabel, labelOffset, namePlace } from './label-plan.ts'

/** In the place of a pair that the head refused. */
const refused = 0xffffffff

/** From the labels of a series record to the head's series: by the plan of a `LabelPlanner`, so that only what is new is looked up. */
export class LoggedLabels {
  readonly #head: Head
  #reader = new ByteReader(new Uint8Array(0))
  /** Of the series before, by its places; 0 = no label. */
  #pairs = new Uint32Array(64)
  #newPairs = new Uint32Array(64)
  /**
   * By pair, the one that came in its place in the next series the last time. Families and targets repeat, so mostly it comes again, and comparing
   * its bytes is a third of looking them up. Four bytes a pair, while a log is read.
   */
  #followers = new Uint32Array(1024)

  constructor(head: Head) {
    this.#head = head
  }

  /** The record whose series are asked for from now on. */
  begin(record: Uint8Array): void {
    this.#reader = new ByteReader(record)
  }

  /** The series of the words [from, to) of a plan, made if need be; not above 0 if the head refuses it. */
  refOf(plan: Uint32Array, from: number, to: number): number {
    const labels = to - from
    if (labels > this.#newPairs.length) this.#newPairs = new Uint32Array(2 * labels)
    const before = this.#pairs
    const pairs = this.#newPairs
    let isWhole = true
    for (let i = 0; i < labels; i++) {
      const word = plan[from + i]!
      const place = copiedPlace(word)
      const pair = place >= 0 ? before[place]! : word === emptyLabel ? 0 : this.#lookUp(word)
      pairs[i] = pair
      if (pair === 0 || pair === refused) isWhole = false
    }
    this.#pairs = pairs
    this.#newPairs = before
    return isWhole ? this.#head.refByPairs(pairs, labels) : this.#refOfOthers(pairs.subarray(0, labels))
  }

  /** Empty values are no labels. */
  #refOfOthers(pairs: Uint32Array): number {
    if (pairs.includes(refused)) return 0
    const present = pairs.filter((pair) => pair !== 0)
    return this.#head.refByPairs(present, present.length)
  }

  #lookUp(word: number): number {
    const head = this.#head
    const reader = this.#reader
    reader.offset = labelOffset(word)
    const nameLength = reader.uvarint()
    const nameStart = reader.offset
    const nameEnd = nameStart + nameLength
    reader.offset = nameEnd
    const valueLength = reader.uvarint()
    const valueStart = reader.offset
    const valueEnd = valueStart + valueLength
    const like = namePlace(word)
    const before = like < 0 ? 0 : this.#pairs[like]!
    if (before === 0 || before === refused) return this.#intern(head.internSymbol(reader.bytes, nameStart, nameEnd), valueStart, valueEnd)
    const follower = before < this.#followers.length ? this.#followers[before]! : 0
    if (follower !== 0 && head.symbols.hasBytes(head.pairs.value(follower), reader.bytes, valueStart, valueEnd)) return follower
    const pair = this.#intern(head.pairs.name(before), valueStart, valueEnd)
    if (pair !== refused) this.#setFollower(before, pair)
    return pair
  }

  #intern(name: number, valueStart: number, valueEnd: number): number {
    const head = this.#head
    const value = name === 0 ? 0 : head.internSymbol(this.#reader.bytes, valueStart, valueEnd)
    const pair = value === 0 ? 0 : head.internPair(name, value)
    return pair === 0 ? refused : pair
  }

  #setFollower(before: number, pair: number): void {
    if (before >= this.#followers.length) this.#followers = growWords(this.#followers, 2 * before)
    this.#followers[before] = pair
  }
}
