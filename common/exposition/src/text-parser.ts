import type { MetricType } from '@narthex/model/metric-type'
import { explainTextError } from './explain-error.ts'
import { ExpositionError } from './exposition-error.ts'
import { entryComment, entryEnd, entryHelp, entrySample, entryType } from './parser.ts'
import type { ExpositionParser, ScrapedExemplar } from './parser.ts'
import {
  byteClasses,
  countLines,
  findLineEnd,
  findWord,
  isUtf8Range,
  labelStart,
  nameStart,
  skipLabelName,
  skipName,
  skipQuoted,
  skipQuotedUtf8,
  unescapeHelp,
  unescapeLabel,
} from './scan.ts'
import { readText } from './text-cache.ts'
import { ValueError, ValueParser } from './value-parser.ts'

const typeWords = ['gauge', 'counter', 'histogram', 'summary', 'untyped'].map((word) => Buffer.from(word))
const typesOfWords: readonly MetricType[] = ['gauge', 'counter', 'histogram', 'summary', 'unknown']
const emptyBytes = new Uint8Array(0)
const emptyView = new DataView(emptyBytes.buffer)

/**
 * Text 0.0.4 and 1.0.0 as Prometheus really reads it, which is wider than the format's page: commas between labels are optional, HELP and
 * TYPE may stand anywhere, blank lines and a missing last newline are fine; `\r`, an unknown TYPE, a negative timestamp and bytes that are
 * not UTF-8 fail the body.
 */
export class TextParser implements ExpositionParser {
  offset = 0
  seriesStart = 0
  seriesEnd = 0
  valueStart = 0
  value = 0
  hasTimestamp = false
  timestampMs = 0
  readonly hasExemplar = false
  readonly isCreated = false
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
    return []
  }

  histogram(): never {
    throw new Error('cannot read histogram: this format has none')
  }

  name(): string {
    return unescapeLabel(readText(this.#bytes, this.#nameStart, this.#nameEnd))
  }

  text(): string {
    return unescapeHelp(readText(this.#bytes, this.#textStart, this.#textEnd))
  }

  next(): number {
    const bytes = this.#bytes
    const end = this.#end
    let i = this.offset
    for (; i < end; i++) {
      const byte = bytes[i]!
      if (byte === 10) {
        this.offset = i + 1
      } else if (byte !== 32 && byte !== 9) {
        break
      }
    }
    // A NUL where a line begins ends the body: so does Prometheus' lexer.
    if (i >= end || bytes[i] === 0) {
      this.offset = end
      return entryEnd
    }
    return bytes[i] === 35 ? this.#readComment(i) : this.#readSample(i)
  }

  #readSample(start: number): number {
    const bytes = this.#bytes
    const end = this.#end
    let i = start
    let hasName = false
    if ((byteClasses[bytes[i]!]! & nameStart) !== 0) {
      hasName = true
      i = skipName(bytes, i + 1, end)
    }
    this.seriesStart = start
    this.seriesEnd = i
    i = skipBlanks(bytes, i, end)
    if (i < end && bytes[i] === 123) {
      i = this.#skipLabels(i + 1, hasName)
      this.seriesEnd = i
      i = skipBlanks(bytes, i, end)
    } else if (!hasName) {
      this.#fail()
    }
    i = this.#readValue(i)
    i = skipBlanks(bytes, i, end)
    this.hasTimestamp = false
    if (i < end && bytes[i] !== 10) {
      const digitsStart = i
      let timestampMs = 0
      for (; i < end && bytes[i]! >= 48 && bytes[i]! <= 57; i++) timestampMs = timestampMs * 10 + bytes[i]! - 48
      if (i === digitsStart || timestampMs >= 2 ** 63) this.#fail()
      this.hasTimestamp = true
      this.timestampMs = timestampMs
      i = skipBlanks(bytes, i, end)
      if (i < end && bytes[i] !== 10) this.#fail()
    }
    this.#endLine(i)
    return entrySample
  }

  #readValue(start: number): number {
    const bytes = this.#bytes
    const end = this.#end
    this.valueStart = start
    this.value = this.#values.read(bytes, start, end)
    let i = this.#values.end
    if (i >= 0 && (i === end || bytes[i] === 10 || bytes[i] === 32 || bytes[i] === 9)) return i
    for (i = start; i < end; i++) {
      const byte = bytes[i]!
      if (byte === 10 || byte === 32 || byte === 9 || byte === 123 || byte === 0) break
    }
    if (i === start) this.#fail()
    try {
      this.value = this.#values.readToken(bytes, start, i)
    } catch (error) {
      if (error instanceof ValueError) this.#fail()
      throw error
    }
    return i
  }

  /** From behind the `{` to behind the `}`. */
  #skipLabels(start: number, hasName: boolean): number {
    const bytes = this.#bytes
    const end = this.#end
    let i = start
    for (;;) {
      i = skipBlanks(bytes, i, end)
      const byte = i < end ? bytes[i]! : 10
      if (byte === 125) {
        if (!hasName) this.#fail()
        return i + 1
      }
      const quoted = byte === 34
      if (quoted) {
        i = skipQuoted(bytes, i, end, true)
        if (i < 0) this.#fail()
      } else if ((byteClasses[byte]! & labelStart) !== 0) {
        i = skipLabelName(bytes, i + 1, end)
      } else {
        this.#fail()
      }
      i = skipBlanks(bytes, i, end)
      const next = i < end ? bytes[i]! : 10
      if (next === 44 || next === 125) {
        // A quoted string alone is the metric's name; it may stand anywhere in the braces, once.
        if (!quoted || hasName) this.#fail()
        hasName = true
        if (next === 44) i++
        continue
      }
      if (next !== 61) this.#fail()
      i = skipBlanks(bytes, i + 1, end)
      if (i >= end || bytes[i] !== 34) this.#fail()
      i = skipQuotedUtf8(bytes, i, end, true)
      if (i < 0) this.#fail()
      i = skipBlanks(bytes, i, end)
      if (i < end && bytes[i] === 44) i++
    }
  }

  #readComment(start: number): number {
    const bytes = this.#bytes
    const end = this.#end
    let i = skipBlanks(bytes, start + 1, end)
    const kind = i === start + 1 || !isBlank(bytes, i + 4, end) ? 0 : wordAt(bytes, i)
    if (kind === 0) {
      const found = findLineEnd(bytes, this.#view, i, end)
      this.#endLine(found < 0 ? ~found : found)
      return entryComment
    }
    i = skipBlanks(bytes, i + 5, end)
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
    this.#readText(i, kind)
    return kind
  }

  /** The text of a HELP or TYPE line, from behind the name. */
  #readText(nameEnd: number, kind: number): void {
    const bytes = this.#bytes
    const end = this.#end
    // The first byte behind the name goes, whatever it is; nothing but blanks counts as no text.
    let start = nameEnd + 1
    let lineEnd = skipBlanks(bytes, nameEnd, end)
    if (lineEnd === end || bytes[lineEnd] === 10) {
      start = lineEnd
    } else {
      lineEnd = findLineEnd(bytes, this.#view, start, end)
      if (lineEnd < 0) {
        lineEnd = ~lineEnd
        if (!isUtf8Range(bytes, start, lineEnd)) this.#fail()
      }
    }
    if (kind === entryType) {
      const type = typesOfWords[findWord(typeWords, bytes, start, lineEnd)]
      if (type === undefined) this.#fail()
      this.type = type
    }
    this.#textStart = start
    this.#textEnd = lineEnd
    this.#endLine(lineEnd)
  }

  /** The entry ends with the newline at `lineEnd`, or with the body. */
  #endLine(lineEnd: number): void {
    this.offset = lineEnd < this.#end ? lineEnd + 1 : lineEnd
  }

  /** The fast scan knows only that the entry is wrong; the words come from reading it again the slow way. */
  #fail(): never {
    throw new ExpositionError(explainTextError(this.#bytes, this.offset, this.#end), countLines(this.#bytes, this.#begin, this.offset))
  }
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let i = start
  while (i < end && (bytes[i] === 32 || bytes[i] === 9)) i++
  return i
}

function isBlank(bytes: Uint8Array, i: number, end: number): boolean {
  return i < end && (bytes[i] === 32 || bytes[i] === 9)
}

function wordAt(bytes: Uint8Array, i: number): number {
  if (bytes[i] === 72 && bytes[i + 1] === 69 && bytes[i + 2] === 76 && bytes[i + 3] === 80) return entryHelp
  if (bytes[i] === 84 && bytes[i + 1] === 89 && bytes[i + 2] === 80 && bytes[i + 3] === 69) return entryType
  return 0
}
