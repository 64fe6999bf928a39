import { byteClasses, labelByte, labelStart, nameByte, nameStart, plainByte } from '@narthex/exposition/scan'
import { normalizeLabelValue } from '@narthex/exposition/series-text'
import { readText } from '@narthex/exposition/text-cache'
import { compareBytewise } from '@narthex/model/compare'
import { Labels } from '@narthex/model/labels'
import type { MetricType } from '@narthex/model/metric-type'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { labelHash, LabelTexts } from './label-texts.ts'

/** Series with more labels are read the long way. */
const labelsMax = 64
const shapesMax = 1024
const numbersMax = 1024

const quote = 34
const comma = 44
const equals = 61
const openBrace = 123
const closeBrace = 125

// In Shape.order: the metric's name; below, -2 - j: label j of the target.
const metricName = -1

/** What series texts with the same label names in the same order have in common. */
interface Shape {
  /** The names, in the order of the text. */
  readonly names: LabelTexts
  /** The labels in the order in which they are kept: 0 and above is that label of the text. Undefined: read the long way. */
  readonly order: Int8Array | undefined
  /** Which labels are `le` and `quantile`, -1 = none. */
  readonly le: number
  readonly quantile: number
}

/**
 * Makes the label texts of new series without a string for those that are plain: `name{label="value",…}` in ASCII, without escapes, blanks and
 * empty values, to which the labels of the target are joined and nothing else is done. All that exporters commonly send is. What comes of it is
 * exactly what `parseSeriesText` and `makeSampleLabels` give, which read all else.
 */
export class PlainSeries {
  /** Where the metric's name ends in the text that was read last. */
  nameEnd = 0

  #bytes: Uint8Array = new Uint8Array(0)
  #view = new DataView(this.#bytes.buffer)
  /** The target's labels, and `__name__` behind them. */
  #joined = Labels.empty
  readonly #joinedTexts = new LabelTexts()
  // For the names of the labels in `#joined`; the last one that was read first.
  #shapes = new Map<number, Shape>()
  #last: Shape | undefined
  // Of the text being read: label i at [names[2 * i], names[2 * i + 1]) and [values[2 * i], values[2 * i + 1]).
  #count = 0
  readonly #names = new Int32Array(2 * labelsMax)
  readonly #values = new Int32Array(2 * labelsMax)
  readonly #numbers = new Map<string, string>()
  readonly #number = new ByteWriter(64)

  /** The texts to come are in `bytes`, of a target with the labels `joined`. */
  begin(bytes: Uint8Array, joined: Labels): void {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    if (joined === this.#joined && this.#joinedTexts.count > 0) return
    if (!hasSameNames(joined, this.#joined)) {
      this.#shapes.clear()
      this.#last = undefined
    }
    this.#joined = joined
    this.#joinedTexts.takeTexts([...joined.pairs, '__name__'])
  }

  /** Lets go of the bytes. */
  end(): void {
    this.#bytes = new Uint8Array(0)
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** Fills `texts` with the labels of the series text at [start, end); false when it has to be read the long way. */
  read(start: number, end: number, type: MetricType, texts: LabelTexts): boolean {
    if (!this.#scan(start, end)) return false
    const shape = this.#last !== undefined && this.#has(this.#last) ? this.#last : this.#findShape()
    if (shape?.order === undefined) return false
    this.#last = shape
    const { order, names } = shape
    const number = type === 'histogram' ? shape.le : type === 'summary' ? shape.quantile : -1
    const joined = this.#joinedTexts
    texts.clear()
    for (let i = 0; i < order.length; i++) {
      const label = order[i]!
      if (label >= 0) {
        texts.copy(names, label)
        if (label === number) this.#addNumber(label, type, texts)
        else this.#addText(this.#values[2 * label]!, this.#values[2 * label + 1]!, texts)
      } else if (label === metricName) {
        texts.copy(joined, joined.count - 1)
        this.#addText(start, this.nameEnd, texts)
      } else {
        texts.copy(joined, 2 * (-2 - label))
        texts.copy(joined, 2 * (-2 - label) + 1)
      }
    }
    texts.finish()
    return true
  }

  #scan(start: number, end: number): boolean {
    const bytes = this.#bytes
    const classes = byteClasses
    this.#count = 0
    let i = start
    if ((classes[bytes[i]!]! & nameStart) === 0) return false
    while (i < end && (classes[bytes[i]!]! & nameByte) !== 0) i++
    this.nameEnd = i
    if (i === end) return true
    if (bytes[i++] !== openBrace) return false
    let count = 0
    while (bytes[i] !== closeBrace) {
      if (count === labelsMax || (classes[bytes[i]!]! & labelStart) === 0) return false
      this.#names[2 * count] = i
      while ((classes[bytes[i]!]! & labelByte) !== 0) i++
      this.#names[2 * count + 1] = i
      if (bytes[i] !== equals || bytes[i + 1] !== quote) return false
      i += 2
      const valueStart = i
      this.#values[2 * count] = i
      while (i < end && (classes[bytes[i]!]! & plainByte) !== 0) i++
      this.#values[2 * count + 1] = i
      if (bytes[i] !== quote || i === valueStart) return false
      count++
      i++
      if (bytes[i] === comma) i++
      else if (bytes[i] !== closeBrace) return false
    }
    this.#count = count
    return i + 1 === end
  }

  /** Whether the labels of the text have the names of this shape. */
  #has({ names }: Shape): boolean {
    if (names.count !== this.#count) return false
    const bytes = this.#bytes
    for (let i = 0; i < this.#count; i++) {
      const start = this.#names[2 * i]!
      const length = this.#names[2 * i + 1]! - start
      if (names.lengths[i] !== length) return false
      const name = names.sources[i]!
      const from = names.starts[i]!
      for (let at = 0; at < length; at++) if (name[from + at] !== bytes[start + at]) return false
    }
    return true
  }

  #findShape(): Shape | undefined {
    let key = this.#count
    for (let i = 0; i < this.#count; i++) {
      const start = this.#names[2 * i]!
      labelHash.of(this.#view, start, this.#names[2 * i + 1]! - start)
      key = Math.imul(key ^ labelHash.low, 0x01000193)
    }
    const known = this.#shapes.get(key)
    if (known !== undefined) return this.#has(known) ? known : undefined
    if (this.#shapes.size >= shapesMax) this.#shapes.clear()
    const shape = this.#makeShape()
    this.#shapes.set(key, shape)
    return shape
  }

  #makeShape(): Shape {
    const names = Array.from({ length: this.#count }, (_, i) => readText(this.#bytes, this.#names[2 * i]!, this.#names[2 * i + 1]!))
    const texts = new LabelTexts()
    texts.takeTexts(names)
    const labels = names.map((name, label) => ({ name, label }))
    labels.push({ name: '__name__', label: metricName })
    const { pairs } = this.#joined
    for (let i = 0; i < pairs.length; i += 2) labels.push({ name: pairs[i]!, label: -2 - i / 2 })
    labels.sort((a, b) => compareBytewise(a.name, b.name))
    const isUnique = labels.every(({ name }, i) => i === 0 || name !== labels[i - 1]!.name)
    const order = isUnique && pairs.length <= 2 * labelsMax ? Int8Array.from(labels, ({ label }) => label) : undefined
    return { names: texts, order, le: names.indexOf('le'), quantile: names.indexOf('quantile') }
  }

  #addText(start: number, end: number, texts: LabelTexts): void {
    labelHash.of(this.#view, start, end - start)
    texts.add(this.#bytes, start, end - start, labelHash.low, labelHash.high)
  }

  /** The value of `le` or `quantile`: it is written in one way only. */
  #addNumber(label: number, type: MetricType, texts: LabelTexts): void {
    const start = this.#values[2 * label]!
    const end = this.#values[2 * label + 1]!
    const value = readText(this.#bytes, start, end)
    let normalized = this.#numbers.get(value)
    if (normalized === undefined) {
      normalized = normalizeLabelValue(type, type === 'histogram' ? 'le' : 'quantile', value)
      if (this.#numbers.size >= numbersMax) this.#numbers.clear()
      this.#numbers.set(value, normalized)
    }
    if (normalized === value) return this.#addText(start, end, texts)
    const number = this.#number
    number.reset()
    const length = number.utf8(normalized)
    labelHash.of(new DataView(number.bytes.buffer), 0, length)
    texts.add(number.bytes, 0, length, labelHash.low, labelHash.high)
  }
}

function hasSameNames(a: Labels, b: Labels): boolean {
  if (a.pairs.length !== b.pairs.length) return false
  for (let i = 0; i < a.pairs.length; i += 2) if (a.pairs[i] !== b.pairs[i]) return false
  return true
}
