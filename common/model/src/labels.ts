import { ByteWriter } from '@narthex/bytes/byte-writer'
import { xxhash64, xxhash64Fraction } from '@narthex/bytes/xxhash64'
import { compareBytewise } from './compare.ts'
import { isValidLegacyLabelName, isValidLegacyMetricName } from './name.ts'
import { quoteText } from './quote.ts'

const hashBytes = new ByteWriter(1024)

/**
 * An immutable label set. A label with an empty value is the same as no label, so none is kept.
 * Made for rules, configuration and answers; the paths of single samples use interned references instead.
 */
export class Labels {
  static readonly empty = new Labels([])

  /** name, value, name, value, … sorted bytewise by name; no empty values, no name twice. */
  readonly pairs: readonly string[]
  #key: string | undefined

  /** `pairs` must be in the canonical form already; `fromPairs` makes it so. */
  private constructor(pairs: readonly string[]) {
    this.pairs = pairs
  }

  static from(record: Readonly<Record<string, string>>): Labels {
    const pairs: string[] = []
    for (const name of Object.keys(record)) pairs.push(name, record[name]!)
    return Labels.fromPairs(pairs)
  }

  /** From name, value, …: sorts, lets the last of several values of a name win, drops empty values. */
  static fromPairs(flat: readonly string[]): Labels {
    if (flat.length === 0) return Labels.empty
    if (flat.length % 2 !== 0) throw new Error(`cannot make labels: want pairs of name and value, got ${flat.length} texts`)
    return new Labels(isCanonical(flat) ? flat.slice() : canonicalize(flat))
  }

  /** The labels of both; where both have a name, the value is that of `over`. */
  static join(under: Labels, over: Labels): Labels {
    if (under.pairs.length === 0) return over
    return over.pairs.length === 0 ? under : new Labels(joinSorted(under.pairs, over.pairs))
  }

  /** The label's value, '' if there is no such label. */
  get(name: string): string {
    const { pairs } = this
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return pairs[i + 1]!
    return ''
  }

  has(name: string): boolean {
    const { pairs } = this
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return true
    return false
  }

  get size(): number {
    return this.pairs.length / 2
  }

  /** A text that two label sets share exactly if they are equal; for maps and sets, not for people. */
  key(): string {
    return (this.#key ??= makeKey(this.pairs))
  }

  equals(other: Labels): boolean {
    return this === other || (this.pairs.length === other.pairs.length && this.pairs.every((text, i) => text === other.pairs[i]))
  }

  /** With this label set (an empty value removes it); the same object if nothing changes. */
  with(name: string, value: string): Labels {
    const { pairs } = this
    let at = 0
    while (at < pairs.length && compareBytewise(pairs[at]!, name) < 0) at += 2
    if (pairs[at] === name) {
      if (pairs[at + 1] === value) return this
      return value === '' ? new Labels(pairs.toSpliced(at, 2)) : new Labels(pairs.with(at + 1, value))
    }
    return value === '' ? this : new Labels(pairs.toSpliced(at, 0, name, value))
  }

  /** Without these labels; the same object if it had none of them. */
  without(...names: readonly string[]): Labels {
    return this.#filter((name) => !names.includes(name))
  }

  /** With these labels only; the same object if it had no others. */
  keep(...names: readonly string[]): Labels {
    return this.#filter((name) => names.includes(name))
  }

  #filter(isWanted: (name: string) => boolean): Labels {
    const { pairs } = this
    const kept: string[] = []
    for (let i = 0; i < pairs.length; i += 2) if (isWanted(pairs[i]!)) kept.push(pairs[i]!, pairs[i + 1]!)
    if (kept.length === pairs.length) return this
    return kept.length === 0 ? Labels.empty : new Labels(kept)
  }

  /** `{a="b", c="d"}`, as Prometheus prints a label set; a name that is not a legacy name is quoted. */
  toString(): string {
    return `{${this.#describe('')}}`
  }

  /** `name{a="b", c="d"}`, as Prometheus prints a metric; without braces if the name is all there is. */
  metricString(): string {
    const name = this.get('__name__')
    const rest = this.#describe('__name__')
    if (name === '') return `{${rest}}`
    if (!isValidLegacyMetricName(name)) return rest === '' ? `{${quoteText(name)}}` : `{${quoteText(name)}, ${rest}}`
    return rest === '' ? name : `${name}{${rest}}`
  }

  #describe(exceptName: string): string {
    const { pairs } = this
    let text = ''
    for (let i = 0; i < pairs.length; i += 2) {
      const name = pairs[i]!
      if (name === exceptName) continue
      if (text !== '') text += ', '
      text += (isValidLegacyLabelName(name) ? name : quoteText(name)) + '=' + quoteText(pairs[i + 1]!)
    }
    return text
  }

  toRecord(): Record<string, string> {
    const record: Record<string, string> = Object.create(null) as Record<string, string>
    const { pairs } = this
    for (let i = 0; i < pairs.length; i += 2) record[pairs[i]!] = pairs[i + 1]!
    return record
  }

  /** Go's `Labels.Hash()` of the stringlabels build. */
  hash(): bigint {
    writeHashBytes(this.pairs)
    return xxhash64(hashBytes.bytes, 0, hashBytes.length)
  }

  /** `hash()` divided by 2^64, in [0, 1), without the BigInt. */
  hashFraction(): number {
    writeHashBytes(this.pairs)
    return xxhash64Fraction(hashBytes.bytes, 0, hashBytes.length)
  }

  /** Prometheus' order of label sets: by name, then value, pair by pair; then the one with fewer labels first. */
  static compare(a: Labels, b: Labels): number {
    const left = a.pairs
    const right = b.pairs
    const shorter = Math.min(left.length, right.length)
    for (let i = 0; i < shorter; i++) {
      if (left[i] === right[i]) continue
      return compareBytewise(left[i]!, right[i]!)
    }
    return left.length - right.length
  }
}

/** Each text as ┌ length 1 B, or 0xff and length 3 B little endian ┬ UTF-8 ┐ */
function writeHashBytes(pairs: readonly string[]): void {
  hashBytes.reset()
  for (const text of pairs) {
    const at = hashBytes.length
    hashBytes.u8(0)
    const count = hashBytes.utf8(text)
    if (count < 255) hashBytes.bytes[at] = count
    else widenLength(at, count)
  }
}

function widenLength(at: number, count: number): void {
  hashBytes.reserve(3)
  const { bytes } = hashBytes
  bytes.copyWithin(at + 4, at + 1, at + 1 + count)
  bytes[at] = 255
  bytes[at + 1] = count
  bytes[at + 2] = count >>> 8
  bytes[at + 3] = count >>> 16
  hashBytes.length += 3
}

function isCanonical(flat: readonly string[]): boolean {
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i + 1] === '') return false
    if (i > 0 && compareBytewise(flat[i - 2]!, flat[i]!) >= 0) return false
  }
  return true
}

function joinSorted(under: readonly string[], over: readonly string[]): string[] {
  const pairs: string[] = []
  let i = 0
  for (let j = 0; j < over.length; j += 2) {
    const name = over[j]!
    let order = -1
    for (; i < under.length && (order = compareBytewise(under[i]!, name)) < 0; i += 2) pairs.push(under[i]!, under[i + 1]!)
    if (i < under.length && order === 0) i += 2
    pairs.push(name, over[j + 1]!)
  }
  for (; i < under.length; i += 2) pairs.push(under[i]!, under[i + 1]!)
  return pairs
}

function canonicalize(flat: readonly string[]): string[] {
  const values = new Map<string, string>()
  for (let i = 0; i < flat.length; i += 2) values.set(flat[i]!, flat[i + 1]!)
  const names = [...values.keys()].sort(compareBytewise)
  const pairs: string[] = []
  for (const name of names) {
    const value = values.get(name)!
    if (value !== '') pairs.push(name, value)
  }
  return pairs
}

/** Joined by NUL; should one of the texts hold a NUL itself, as JSON, which no joined key looks like. */
function makeKey(pairs: readonly string[]): string {
  for (const text of pairs) if (text.includes('\0')) return '\0' + JSON.stringify(pairs)
  return pairs.join('\0')
}
