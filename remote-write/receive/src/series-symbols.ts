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

  begin(appender: HeadAppender): void {
    this.#appender = appender
    this.#count = 0
    this.#hasName = false
    this.#refused = false
    this.problem = undefined
  }

  /** A label with an empty value is no label. Names and values are any UTF-8 but the empty name. */
  add(bytes: Uint8Array, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    if (this.problem !== undefined) return
    if (nameStart === nameEnd || !isUtf8Range(bytes, nameStart, nameEnd) || !isUtf8Range(bytes, valueStart, valueEnd)) {
      this.problem = 'invalid'
      return
    }
    if (valueStart === valueEnd) return
    const appender = this.#appender!
    const name = appender.internSymbol(bytes, nameStart, nameEnd)
    const value = appender.internSymbol(bytes, valueStart, valueEnd)
    if (name === 0 || value === 0) this.#refused = true
    this.#push(name, value)
    if (isMetricName(bytes, nameStart, nameEnd)) this.#hasName = true
  }

  /** The series' reference; 0 if `problem` says why not, negative if the head refused. */
  resolve(): number {
    if (this.problem === undefined) {
      if (!this.#hasName) this.problem = 'invalid'
      // Refused symbols are all 0, so they say nothing about names.
      else if (!this.#refused && hasDuplicateName(this.#pairs, this.#count)) this.problem = 'duplicate'
    }
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
