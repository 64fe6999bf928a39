import { ByteReader } from '@narthex/bytes/byte-reader'
import { growWords } from '@narthex/bytes/grow'
import type { Head } from '../head/head.ts'
import { copiedPlace, emptyLabel, labelOffset, namePlace } from './label-plan.ts'
import type { LogBatch } from './log-batch.ts'

/** In the place of a pair that the head refused. */
const refused = 0xffffffff

/** Series whose labels are looked up before the first of them is looked for. */
const seriesAhead = 16

/** From the labels of a series record to the head's series: by the plan of a `LabelPlanner`, so that only what is new is looked up. */
export class LoggedLabels {
  readonly #head: Head
  #reader = new ByteReader(new Uint8Array(0))
  #batch: Pick<LogBatch, 'plan' | 'planEnds'> = { plan: new Uint32Array(0), planEnds: new Uint32Array(0) }
  #endOfRecord = 0
  /** Series from `#first` on are looked up, before `#end`: the pairs of each are at `#pairs[#starts[k]]`…`#pairs[#starts[k + 1] - 1]`, 0 = no label. */
  #first = 0
  #end = 0
  #pairs = new Uint32Array(1024)
  readonly #starts = new Uint32Array(seriesAhead + 1)
  /** Where the pairs of the series before the one that is looked up begin. */
  #before = 0
  /**
   * By pair, the one that came in its place in the next series the last time. Families and targets repeat, so mostly it comes again, and comparing
   * its bytes is a third of looking them up. Four bytes a pair, while a log is read.
   */
  #followers = new Uint32Array(1024)

  constructor(head: Head) {
    this.#head = head
  }

  /** The record whose series are asked for from now on: `first`…`end - 1` of a batch. */
  begin(record: Uint8Array, batch: Pick<LogBatch, 'plan' | 'planEnds'>, first: number, end: number): void {
    this.#reader = new ByteReader(record)
    this.#batch = batch
    this.#endOfRecord = end
    this.#first = this.#end = first
  }

  /** The series `i` of the record, made if need be; not above 0 if the head refuses it. To be asked for in their order. */
  refOf(i: number): number {
    if (i === this.#end) this.#lookAhead()
    const from = this.#starts[i - this.#first]!
    const to = this.#starts[i - this.#first + 1]!
    const pairs = this.#pairs
    for (let k = from; k < to; k++) if (pairs[k] === 0 || pairs[k] === refused) return this.#refOfOthers(pairs.subarray(from, to))
    return this.#head.refByPairs(pairs, from, to - from)
  }

  /** Empty values are no labels. */
  #refOfOthers(pairs: Uint32Array): number {
    if (pairs.includes(refused)) return 0
    const present = pairs.filter((pair) => pair !== 0)
    return this.#head.refByPairs(present, 0, present.length)
  }

  /** Looks up the labels of the next series. Where the head will look for each of them is read on the way: these reads of memory overlap. */
  #lookAhead(): void {
    const { plan, planEnds } = this.#batch
    const last = this.#end - this.#first
    let to = 0
    if (last > 0) {
      to = this.#starts[last]! - this.#starts[last - 1]!
      this.#pairs.copyWithin(0, this.#starts[last - 1]!, this.#starts[last]!)
    }
    const first = this.#end
    const end = Math.min(this.#endOfRecord, first + seriesAhead)
    this.#before = 0
    let at = first === 0 ? 0 : planEnds[first - 1]!
    for (let i = first; i < end; i++) {
      const labels = planEnds[i]! - at
      if (to + labels > this.#pairs.length) this.#pairs = growWords(this.#pairs, 2 * (to + labels))
      this.#starts[i - first] = to
      for (let k = 0; k < labels; k++) {
        const word = plan[at + k]!
        const place = copiedPlace(word)
        this.#pairs[to + k] = place >= 0 ? this.#pairs[this.#before + place]! : word === emptyLabel ? 0 : this.#lookUp(word)
      }
      this.#before = to
      to += labels
      at = planEnds[i]!
    }
    this.#starts[end - first] = to
    this.#head.touchSeries(this.#pairs, this.#starts, end - first)
    this.#first = first
    this.#end = end
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
    const before = like < 0 ? 0 : this.#pairs[this.#before + like]!
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
