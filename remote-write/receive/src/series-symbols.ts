import type { HeadAppender } from './appender.ts'
import { isUtf8Range } from './utf8.ts'

const metricNameText = new TextEncoder().encode('__name__')

export type LabelProblem = 'invalid' | 'duplicate'

/** Checks the labels of one new series and turns them into the head's symbols. Reused from series to series. */
export class SeriesSymbols {
  /** Why the labels are not valid; undefined after a `resolve` that the head itself refused. */
  problem: LabelProblem | undefined
  #appender: HeadAppender | undefined
  #pairs = new Uint32Array(2 * 64)
  #count = 0
  #hasName = false
  #refused = false
  #known = new KnownLabels()
  #next = new KnownLabels()

  /** Forgets the series before and lets go of their bytes, which only lie still as long as their request is being read. */
  forget(): void {
    this.#known.clear()
    this.#next.clear()
  }

  /** Until `forget` all bytes given to `add` stay as they are. */
  begin(appender: HeadAppender): void {
    this.#appender = appender
    this.#count = 0
    this.#next.count = 0
    this.#hasName = false
    this.#refused = false
    this.problem = undefined
  }

  /**
   * A label with an empty value is no label. Names and values are any UTF-8 but the empty name. What the series before had at the same place is
   * not looked up again.
   */
  add(bytes: Uint8Array, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    if (this.problem !== undefined) return
    const known = this.#known
    const next = this.#next
    const i = next.count
    let name = known.findName(i, bytes, nameStart, nameEnd)
    let value = name === 0 ? 0 : known.findValue(i, bytes, valueStart, valueEnd)
    if (name === 0) {
      if (nameStart === nameEnd || !isUtf8Range(bytes, nameStart, nameEnd)) {
        this.problem = 'invalid'
        return
      }
      name = valueStart === valueEnd ? 0 : this.#appender!.internSymbol(bytes, nameStart, nameEnd)
    }
    if (value === 0) {
      if (!isUtf8Range(bytes, valueStart, valueEnd)) {
        this.problem = 'invalid'
        return
      }
      if (valueStart === valueEnd) return
      value = this.#appender!.internSymbol(bytes, valueStart, valueEnd)
    }
    if (name === 0 || value === 0) this.#refused = true
    this.#push(name, value)
    if (isMetricName(bytes, nameStart, nameEnd)) this.#hasName = true
    next.add(bytes, nameStart, nameEnd, valueStart, valueEnd, name, value)
  }

  /** The series' reference; 0 if `problem` says why not, negative if the head refused. */
  resolve(): number {
    if (this.problem === undefined) {
      if (!this.#hasName) this.problem = 'invalid'
      // Refused symbols are all 0, so they say nothing about names.
      else if (!this.#refused && hasDuplicateName(this.#pairs, this.#count)) this.problem = 'duplicate'
    }
    const before = this.#known
    this.#known = this.#next
    this.#next = before
    if (this.problem !== undefined) return 0
    return this.#appender!.refBySymbols(this.#pairs, this.#count)
  }

  #push(name: number, value: number): void {
    const at = 2 * this.#count
    if (at >= this.#pairs.length) {
      const grown = new Uint32Array(this.#pairs.length * 2)
      grown.set(this.#pairs)
      this.#pairs = grown
    }
    this.#pairs[at] = name
    this.#pairs[at + 1] = value
    this.#count++
  }
}

const placesKept = 64
const fieldsPerLabel = 6
const noView = new DataView(new ArrayBuffer(0))

/** Labels of one series by their places: where their bytes are, and their symbols; those beyond 64 are not kept. */
class KnownLabels {
  count = 0
  readonly #bytes: Uint8Array[] = []
  /** ┌ name start ┬ end ┬ value start ┬ end ┬ name symbol ┬ value symbol ┐ */
  readonly #fields = new Uint32Array(fieldsPerLabel * placesKept)
  #viewed: Uint8Array | undefined
  #view: DataView = noView

  add(bytes: Uint8Array, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number, name: number, value: number): void {
    if (this.count === placesKept) return
    const fields = this.#fields
    const at = fieldsPerLabel * this.count
    this.#bytes[this.count++] = bytes
    fields[at] = nameStart
    fields[at + 1] = nameEnd
    fields[at + 2] = valueStart
    fields[at + 3] = valueEnd
    fields[at + 4] = name
    fields[at + 5] = value
  }

  clear(): void {
    this.count = 0
    this.#bytes.length = 0
    this.#viewed = undefined
    this.#view = noView
  }

  /** The symbol of the name at a place if it has these bytes, else 0. */
  findName(place: number, bytes: Uint8Array, start: number, end: number): number {
    return this.#find(place, 0, bytes, start, end)
  }

  findValue(place: number, bytes: Uint8Array, start: number, end: number): number {
    return this.#find(place, 1, bytes, start, end)
  }

  #find(place: number, part: 0 | 1, bytes: Uint8Array, start: number, end: number): number {
    if (place >= this.count) return 0
    const at = fieldsPerLabel * place
    const keptStart = this.#fields[at + 2 * part]!
    if (this.#fields[at + 2 * part + 1]! - keptStart !== end - start) return 0
    const kept = this.#bytes[place]!
    let i = start
    let from = keptStart
    if (kept === bytes) {
      // The same request, as usual.
      const view = this.#viewOf(bytes)
      for (; i + 4 <= end; i += 4, from += 4) if (view.getInt32(i) !== view.getInt32(from)) return 0
    }
    for (; i < end; i++, from++) if (bytes[i] !== kept[from]) return 0
    return this.#fields[at + 4 + part]!
  }

  #viewOf(bytes: Uint8Array): DataView {
    if (bytes !== this.#viewed) {
      this.#viewed = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    return this.#view
  }
}

/** `pairs` as name, value, …: whether a name comes twice. Quadratic for the usual dozen labels, a set above. */
export function hasDuplicateName(pairs: Uint32Array, count: number): boolean {
  if (count > 32) {
    const names = new Set<number>()
    for (let i = 0; i < count; i++) names.add(pairs[2 * i]!)
    return names.size !== count
  }
  for (let i = 1; i < count; i++) for (let k = 0; k < i; k++) if (pairs[2 * i] === pairs[2 * k]) return true
  return false
}

export function isMetricName(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== metricNameText.length) return false
  for (let i = 0; i < metricNameText.length; i++) if (bytes[start + i] !== metricNameText[i]) return false
  return true
}
