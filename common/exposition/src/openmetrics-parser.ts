import type { MetricType } from '@narthex/model/metric-type'
import { metricTypes } from '@narthex/model/metric-type'
import { explainOpenMetricsError } from './explain-error.ts'
import { readExemplar } from './exemplar-text.ts'
import { ExpositionError } from './exposition-error.ts'
import { entryEnd, entryHelp, entrySample, entryType, entryUnit } from './parser.ts'
import type { ExpositionParser, ScrapedExemplar } from './parser.ts'
import {
  byteClasses,
  countLines,
  decodeUtf8,
  findLineEnd,
  findWord,
  isUtf8Range,
  labelStart,
  nameStart,
  skipLabelName,
  skipName,
  skipQuoted,
  skipQuotedUtf8,
  unescapeLabel,
} from './scan.ts'
import { readText } from './text-cache.ts'
import { ValueError, ValueParser } from './value-parser.ts'

const typeWords = metricTypes.map((type) => Buffer.from(type))
const created = Buffer.from('_created')
const emptyBytes = new Uint8Array(0)
const emptyView = new DataView(emptyBytes.buffer)

/**
 * OpenMetrics 1.0 as Prometheus reads it while scraping: single spaces, no blank lines, `# EOF` at the end and nothing behind it. Grouping,
 * order, buckets and the placing of exemplars are not checked; that is the strict validator's work.
 */
export class OpenMetricsParser implements ExpositionParser {
  offset = 0
  seriesStart = 0
  seriesEnd = 0
  valueStart = 0
  value = 0
  hasTimestamp = false
  timestampMs = 0
  hasExemplar = false
  isCreated = false
  readonly hasHistogram = false
  readonly startTimestampMs = 0
  type: MetricType = 'unknown'

  #bytes: Uint8Array = emptyBytes
  #view: DataView = emptyView
  #begin = 0
  #end = 0
  #nameStart = 0
  #nameEnd = 0
  #textStart = 0
  #textEnd = 0
  #exemplarStart = 0
  #number = 0
  #values = new ValueParser()

  begin(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#begin = start
    this.#end = end
    this.jump(start, 'unknown')
  }

  jump(offset: number, type: MetricType): void {
    this.offset = offset
    this.type = type
  }

  exemplars(): readonly ScrapedExemplar[] {
    return this.hasExemplar ? [readExemplar(this.#bytes, this.#exemplarStart, this.offset)] : []
  }

  histogram(): never {
    throw new Error('cannot read histogram: this format has none')
  }

  name(): string {
    return unescapeLabel(readText(this.#bytes, this.#nameStart, this.#nameEnd))
  }

  text(): string {
    return unescapeLabel(readText(this.#bytes, this.#textStart, this.#textEnd))
  }

  next(): number {
    const start = this.offset
    if (start >= this.#end) this.#fail()
    return this.#bytes[start] === 35 ? this.#readMetadata(start) : this.#readSample(start)
  }

  #readSample(start: number): number {
    const bytes = this.#bytes
    const end = this.#end
    let i = start
    let hasName = false
    this.#nameStart = start
    if ((byteClasses[bytes[i]!]! & nameStart) !== 0) {
      hasName = true
      i = skipName(bytes, i + 1, end)
    }
    this.#nameEnd = i
    if (i < end && bytes[i] === 123) i = this.#skipLabels(i + 1, hasName, false)
    else if (!hasName) this.#fail()
    this.seriesStart = start
    this.seriesEnd = i
    this.valueStart = i + 1
    i = this.#readNumber(i)
    this.value = this.#number
    this.hasTimestamp = false
    this.hasExemplar = false
    if (i < end && bytes[i] === 32 && !this.#isExemplarAt(i)) {
      i = this.#readNumber(i)
      if (!Number.isFinite(this.#number)) this.#fail()
      this.hasTimestamp = true
      this.timestampMs = Math.trunc(this.#number * 1000)
    }
    if (this.#isExemplarAt(i)) {
      this.#exemplarStart = i + 3
      i = this.#skipLabels(i + 4, true, true)
      i = this.#readNumber(i)
      if (i < end && bytes[i] === 32) {
        i = this.#readNumber(i)
        if (!Number.isFinite(this.#number)) this.#fail()
      }
      this.hasExemplar = true
    }
    if (i >= end || bytes[i] !== 10) this.#fail()
    this.isCreated = this.#endsWithCreated()
    this.offset = i + 1
    return entrySample
  }

  /** ` # {` */
  #isExemplarAt(i: number): boolean {
    const bytes = this.#bytes
    return i + 3 < this.#end && bytes[i] === 32 && bytes[i + 1] === 35 && bytes[i + 2] === 32 && bytes[i + 3] === 123
  }

  /** A space and a number; the result is in #number. */
  #readNumber(start: number): number {
    const bytes = this.#bytes
    const end = this.#end
    if (start >= end || bytes[start] !== 32) this.#fail()
    this.#number = this.#values.read(bytes, start + 1, end)
    let i = this.#values.end
    if (i >= 0 && i < end && (bytes[i] === 10 || bytes[i] === 32)) return i
    for (i = start + 1; i < end && bytes[i] !== 10 && bytes[i] !== 32;) i++
    if (i === start + 1) this.#fail()
    try {
      this.#number = this.#values.readToken(bytes, start + 1, i)
    } catch (error) {
      if (error instanceof ValueError) this.#fail()
      throw error
    }
    return i
  }

  /** From behind the `{` to behind the `}`; an exemplar's labels name no metric. */
  #skipLabels(start: number, hasName: boolean, isExemplar: boolean): number {
    const bytes = this.#bytes
    const end = this.#end
    let i = start
    for (;;) {
      const byte = i < end ? bytes[i]! : 0
      if (byte === 125) {
        if (!hasName) this.#fail()
        return i + 1
      }
      const quoted = byte === 34
      const nameStartOffset = i
      if (quoted) {
        i = skipQuoted(bytes, i, end, false)
        if (i < 0) this.#fail()
      } else if ((byteClasses[byte]! & labelStart) !== 0) {
        i = skipLabelName(bytes, i + 1, end)
      } else {
        this.#fail()
      }
      const next = i < end ? bytes[i]! : 0
      if (next === 44 || next === 125) {
        if (!quoted || hasName || isExemplar) this.#fail()
        hasName = true
        this.#nameStart = nameStartOffset + 1
        this.#nameEnd = i - 1
        if (next === 44) i++
        continue
      }
      if (next !== 61) this.#fail()
      i++
      if (i >= end || bytes[i] !== 34) this.#fail()
      i = skipQuotedUtf8(bytes, i, end, false)
      if (i < 0) this.#fail()
      if (i < end && bytes[i] === 44) i++
      else if (i >= end || bytes[i] !== 125) this.#fail()
    }
  }

  #readMetadata(start: number): number {
    const bytes = this.#bytes
    const end = this.#end
    if (start + 6 > end + 1 || bytes[start + 1] !== 32) this.#fail()
    if (bytes[start + 2] === 69 && bytes[start + 3] === 79 && bytes[start + 4] === 70) return this.#readEnd(start + 5)
    const kind = start + 6 < end && bytes[start + 6] === 32 ? wordAt(bytes, start + 2) : 0
    if (kind === 0) this.#fail()
    let i = start + 7
    this.#nameStart = i
    if (i < end && bytes[i] === 34) {
      i = skipQuoted(bytes, i, end, true)
      if (i < 0) this.#fail()
      this.#nameStart++
      this.#nameEnd = i - 1
    } else {
      if (i >= end || (byteClasses[bytes[i]!]! & nameStart) === 0) this.#fail()
      i = skipName(bytes, i + 1, end)
      this.#nameEnd = i
    }
    if (i >= end || bytes[i] !== 32) this.#fail()
    const found = findLineEnd(bytes, this.#view, i + 1, end)
    const lineEnd = found < 0 ? ~found : found
    if (lineEnd === end) this.#fail()
    this.#textStart = i + 1
    this.#textEnd = lineEnd
    this.#checkMetadata(kind, found < 0)
    this.offset = lineEnd + 1
    return kind
  }

  #checkMetadata(kind: number, mayBeWide: boolean): void {
    const bytes = this.#bytes
    if (kind === entryType) {
      const type = metricTypes[findWord(typeWords, bytes, this.#textStart, this.#textEnd)]
      if (type === undefined) this.#fail()
      this.type = type
    } else if (kind === entryUnit) {
      const text = decodeUtf8(bytes, this.#textStart, this.#textEnd)
      if (text !== '' && !this.name().endsWith(`_${text}`)) this.#fail()
    } else if (mayBeWide && !isUtf8Range(bytes, this.#textStart, this.#textEnd)) {
      this.#fail()
    }
  }

  #readEnd(start: number): number {
    const i = start < this.#end && this.#bytes[start] === 10 ? start + 1 : start
    if (i < this.#end) this.#fail()
    this.offset = i
    // A parser that is asked again must not read past the end marker.
    this.#end = i
    return entryEnd
  }

  #endsWithCreated(): boolean {
    if (this.type !== 'counter' && this.type !== 'histogram' && this.type !== 'summary') return false
    if (this.#nameEnd - this.#nameStart < created.length) return false
    for (let i = 0, at = this.#nameEnd - created.length; i < created.length; i++, at++) if (this.#bytes[at] !== created[i]) return false
    return true
  }

  #fail(): never {
    throw new ExpositionError(
      explainOpenMetricsError(this.#bytes, this.offset, this.#end),
      countLines(this.#bytes, this.#begin, this.offset),
    )
  }
}

function wordAt(bytes: Uint8Array, i: number): number {
  switch ((bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!) {
    case 0x48454c50:
      return entryHelp
    case 0x54595045:
      return entryType
    case 0x554e4954:
      return entryUnit
  }
  return 0
}
