import type { MetricType } from '@narthex/model/metric-type'
import { isMetricType } from '@narthex/model/metric-type'
import { explainOpenMetricsError } from './explain-error.ts'
import { readExemplar } from './exemplar-text.ts'
import { ExpositionError } from './exposition-error.ts'
import { entryEnd, entryHelp, entrySample, entryType, entryUnit } from './parser.ts'
import type { ExpositionParser, ScrapedExemplar } from './parser.ts'
import {
  byteClasses,
  countLines,
  decodeUtf8,
  isUtf8Range,
  labelByte,
  labelStart,
  nameByte,
  nameStart,
  skipQuoted,
  unescapeLabel,
} from './scan.ts'
import { ValueError, ValueParser } from './value-parser.ts'

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

  #bytes: Uint8Array = new Uint8Array(0)
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
    return unescapeLabel(decodeUtf8(this.#bytes, this.#nameStart, this.#nameEnd))
  }

  text(): string {
    return unescapeLabel(decodeUtf8(this.#bytes, this.#textStart, this.#textEnd))
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
      for (i++; i < end && (byteClasses[bytes[i]!]! & nameByte) !== 0;) i++
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
        for (i++; i < end && (byteClasses[bytes[i]!]! & labelByte) !== 0;) i++
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
      const valueStart = i
      i = skipQuoted(bytes, i, end, false)
      if (i < 0 || !isUtf8Range(bytes, valueStart, i)) this.#fail()
      if (i < end && bytes[i] === 44) i++
      else if (i >= end || bytes[i] !== 125) this.#fail()
    }
  }

  #readMetadata(start: number): number {
    const bytes = this.#bytes
    const end = this.#end
    if (start + 6 > end + 1 || bytes[start + 1] !== 32) this.#fail()
    const word = decodeUtf8(bytes, start + 2, Math.min(end, start + 6))
    if (word.startsWith('EOF')) return this.#readEnd(start + 5)
    const kind = word === 'HELP' ? entryHelp : word === 'TYPE' ? entryType : word === 'UNIT' ? entryUnit : 0
    if (kind === 0 || start + 6 >= end || bytes[start + 6] !== 32) this.#fail()
    let i = start + 7
    this.#nameStart = i
    if (i < end && bytes[i] === 34) {
      i = skipQuoted(bytes, i, end, true)
      if (i < 0) this.#fail()
      this.#nameStart++
      this.#nameEnd = i - 1
    } else {
      if (i >= end || (byteClasses[bytes[i]!]! & nameStart) === 0) this.#fail()
      for (i++; i < end && (byteClasses[bytes[i]!]! & nameByte) !== 0;) i++
      this.#nameEnd = i
    }
    const lineEnd = bytes.indexOf(10, i)
    if (i >= end || bytes[i] !== 32 || lineEnd < 0 || lineEnd >= end) this.#fail()
    this.#textStart = i + 1
    this.#textEnd = lineEnd
    this.#checkMetadata(kind)
    this.offset = lineEnd + 1
    return kind
  }

  #checkMetadata(kind: number): void {
    const text = decodeUtf8(this.#bytes, this.#textStart, this.#textEnd)
    if (kind === entryType) {
      if (!isMetricType(text)) this.#fail()
      this.type = text
    } else if (kind === entryUnit) {
      if (text !== '' && !this.name().endsWith(`_${text}`)) this.#fail()
    } else if (!isUtf8Range(this.#bytes, this.#textStart, this.#textEnd)) {
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

const created = Buffer.from('_created')
