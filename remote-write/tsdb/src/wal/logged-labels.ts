import type { Head } from '../head/head.ts'
import { copiedPlace, emptyLabel, labelOffset, namePlace } from './label-plan.ts'

/** In the place of a pair that the head refused. */
const refused = 0xffffffff

/** From the labels of a series record to the head's series: by the plan of a `LabelPlanner`, so that only what is new is looked up. */
export class LoggedLabels {
  readonly #head: Head
  #record: Uint8Array = new Uint8Array(0)
  /** Of the series before, by its places; 0 = no label. */
  #pairs = new Uint32Array(64)
  #newPairs = new Uint32Array(64)
  /**
   * By pair, the one that came in its place in the next series the last time. Families and targets repeat, so mostly it comes again, and comparing
   * its bytes is a third of looking them up. Four bytes a pair, while a log is read.
   */
  #followers = new Uint32Array(1024)
  #at = 0

  constructor(head: Head) {
    this.#head = head
  }

  /** The record whose series are asked for from now on. */
  begin(record: Uint8Array): void {
    this.#record = record
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
    const record = this.#record
    this.#at = labelOffset(word)
    const nameLength = this.#uvarint()
    const nameStart = this.#at
    this.#at = nameStart + nameLength
    const valueLength = this.#uvarint()
    const valueStart = this.#at
    const valueEnd = valueStart + valueLength
    const like = namePlace(word)
    const before = like < 0 ? 0 : this.#pairs[like]!
    if (before === 0 || before === refused)
      return this.#intern(head.internSymbol(record, nameStart, nameStart + nameLength), valueStart, valueEnd)
    const follower = before < this.#followers.length ? this.#followers[before]! : 0
    if (follower !== 0 && head.symbols.hasBytes(head.pairs.value(follower), record, valueStart, valueEnd)) return follower
    const pair = this.#intern(head.pairs.name(before), valueStart, valueEnd)
    if (pair !== refused) this.#setFollower(before, pair)
    return pair
  }

  #intern(name: number, valueStart: number, valueEnd: number): number {
    const head = this.#head
    const value = name === 0 ? 0 : head.internSymbol(this.#record, valueStart, valueEnd)
    const pair = value === 0 ? 0 : head.internPair(name, value)
    return pair === 0 ? refused : pair
  }

  #setFollower(before: number, pair: number): void {
    if (before >= this.#followers.length) {
      const larger = new Uint32Array(2 * before)
      larger.set(this.#followers)
      this.#followers = larger
    }
    this.#followers[before] = pair
  }

  #uvarint(): number {
    const record = this.#record
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      const byte = record[this.#at++]!
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
    }
  }
}
