import type { ByteWriter } from '@narthex/bytes/byte-writer'
import type { MetricType } from '@narthex/model/metric-type'
import { isMetricType } from '@narthex/model/metric-type'
import { CompositeError, readComposite } from './composite-value.ts'
import { CompositeWriter } from './composite-lines.ts'
import type { CompositeOptions } from './composite-lines.ts'
import { putExemplars } from './copy-line.ts'
import { readExemplar } from './exemplar-text.ts'
import { ExpositionError, quoteBytes } from './exposition-error.ts'
import { HistogramError } from './histogram-message.ts'
import { exemplarsFlag, putMetadata, putValue, startFlag, timestampFlag } from './lines.ts'
import type { ScrapedExemplar } from './parser.ts'
import { byteClasses, countLines, decodeUtf8, isUtf8Range, labelByte, labelStart, nameByte, nameStart, skipQuoted } from './scan.ts'
import { unescapeLabel } from './scan.ts'
import { ValueError, ValueParser } from './value-parser.ts'

// OpenMetrics 2.0.0-rc0, a line at a time:
// series ' ' number or {composite} [' ' timestamp] [' st@' start] {' # {' labels '} ' value ' ' timestamp} '\n'
// Times are seconds. A family's name is its metric's; histograms and summaries are one line, their parts in braces.

/**
 * Appends the samples of an OpenMetrics 2.0 body to `out`, as lines for LineParser: composite values as the classic series that OpenMetrics
 * 1.0 has for them, native histograms as such. As lenient as the reader of 1.0: order, grouping and the rules of single types are not
 * checked. Throws ExpositionError.
 */
export function writeOpenMetrics2Lines(body: Uint8Array, out: ByteWriter, options: CompositeOptions): void {
  new Transcoder(body, out, options).run()
}

class Transcoder {
  readonly #body: Uint8Array
  readonly #out: ByteWriter
  readonly #composites: CompositeWriter
  readonly #values = new ValueParser()
  #type: MetricType = 'unknown'
  #family = ''
  #lineStart = 0
  #lineEnd = 0
  // Of the line being read: the name as it stands there, and start and end of every `label="value"`.
  #nameFrom = 0
  #nameTo = 0
  #pairs: number[] = []
  #number = 0

  constructor(body: Uint8Array, out: ByteWriter, options: CompositeOptions) {
    this.#body = body
    this.#out = out
    this.#composites = new CompositeWriter(body, out, options)
  }

  run(): void {
    const body = this.#body
    for (;;) {
      const start = this.#lineStart
      const newline = body.indexOf(10, start)
      this.#lineEnd = newline < 0 ? body.length : newline
      if (this.#isEnd()) {
        if (this.#lineEnd + 1 < body.length) this.#fail('unexpected data after # EOF')
        return
      }
      if (newline < 0) this.#fail('data does not end with # EOF')
      if (!isUtf8Range(body, start, this.#lineEnd)) this.#fail('expected UTF-8')
      if (body[start] === 35) this.#readMetadata()
      else this.#readSample()
      this.#lineStart = newline + 1
    }
  }

  #isEnd(): boolean {
    return this.#lineEnd - this.#lineStart === 5 && decodeUtf8(this.#body, this.#lineStart, this.#lineEnd) === '# EOF'
  }

  #readMetadata(): void {
    const body = this.#body
    const end = this.#lineEnd
    const word = decodeUtf8(body, this.#lineStart, Math.min(end, this.#lineStart + 7))
    if (word !== '# TYPE ' && word !== '# HELP ' && word !== '# UNIT ') this.#fail('expected TYPE, HELP or UNIT')
    let i = this.#lineStart + 7
    const from = i
    const isQuoted = i < end && body[i] === 34
    i = isQuoted ? skipQuoted(body, i, end, false) : this.#skipWord(i, nameStart, nameByte)
    if (i <= from) this.#fail(`expected metric name after ${word.trim()}`)
    const name = isQuoted ? unescapeLabel(decodeUtf8(body, from + 1, i - 1)) : decodeUtf8(body, from, i)
    if (i >= end || body[i] !== 32) this.#fail(`expected text behind ${word.trim()}`)
    const text = unescapeLabel(decodeUtf8(body, i + 1, end))
    if (word === '# TYPE ') {
      if (!isMetricType(text)) this.#fail(`invalid metric type ${JSON.stringify(text)}`)
      this.#type = text
      this.#family = name
    }
    putMetadata(this.#out, word === '# TYPE ' ? 'TYPE' : word === '# HELP ' ? 'HELP' : 'UNIT', name, text)
  }

  #readSample(): void {
    const body = this.#body
    const end = this.#lineEnd
    const seriesEnd = this.#readSeries()
    let i = seriesEnd
    const isComposite = i + 1 < end && body[i] === 32 && body[i + 1] === 123
    const composite = isComposite ? this.#trying(() => readComposite(body, seriesEnd + 1, end)) : undefined
    i = composite === undefined ? this.#readNumber(i) : composite.end
    const value = this.#number
    let flags = 0
    let timestampMs = 0
    let startMs = 0
    if (i + 1 < end && body[i] === 32 && body[i + 1] !== 35 && body[i + 1] !== 115) {
      i = this.#readNumber(i)
      timestampMs = this.#milliseconds('timestamp')
      flags |= timestampFlag
    }
    if (i + 4 < end && body[i + 1] === 115 && body[i + 2] === 116 && body[i + 3] === 64) {
      i = this.#readNumber(i + 3)
      startMs = this.#milliseconds('start timestamp')
      if (startMs !== 0) flags |= startFlag
    }
    const exemplars = i < end ? this.#readExemplars(i) : []
    if (composite !== undefined) {
      const name = unescapeLabel(decodeUtf8(body, this.#nameFrom, this.#nameTo))
      const type = name === this.#family ? this.#type : 'unknown'
      const series = { nameFrom: this.#nameFrom, nameTo: this.#nameTo, isQuoted: body[this.#lineStart] === 123, pairs: this.#pairs }
      this.#trying(() => this.#composites.write(series, composite, type, { flags, timestampMs, startMs, exemplars }))
      return
    }
    const out = this.#out
    out.raw(body, this.#lineStart, seriesEnd)
    if (exemplars.length > 0) flags |= exemplarsFlag
    putValue(out, flags, value, timestampMs, startMs)
    if (exemplars.length > 0) putExemplars(out, exemplars)
  }

  /** From the beginning of the line to behind the series. */
  #readSeries(): number {
    const body = this.#body
    let i = this.#lineStart
    this.#pairs = []
    this.#nameFrom = i
    this.#nameTo = i
    if (body[i] !== 123) {
      i = this.#skipWord(i, nameStart, nameByte)
      if (i < 0) this.#fail('expected a valid start token')
      this.#nameTo = i
      if (body[i] !== 123) return i
    }
    i = this.#readLabels(i + 1, this.#pairs, this.#nameTo > this.#nameFrom)
    if (this.#nameTo === this.#nameFrom) this.#fail('metric name not set')
    return i
  }

  /** From behind the `{` to behind the `}`; collects the ranges of the pairs. A quoted string alone is the name, once, unless it is known. */
  #readLabels(start: number, pairs: number[], hasName: boolean): number {
    const body = this.#body
    const end = this.#lineEnd
    let i = start
    for (let isKnown = hasName; ;) {
      if (i < end && body[i] === 125) return i + 1
      const from = i
      const isQuoted = i < end && body[i] === 34
      i = isQuoted ? skipQuoted(body, i, end, false) : this.#skipWord(i, labelStart, labelByte)
      if (i < 0) this.#fail('expected label name')
      if (isQuoted && !isKnown && i < end && (body[i] === 44 || body[i] === 125)) {
        isKnown = true
        this.#nameFrom = from + 1
        this.#nameTo = i - 1
      } else {
        if (i + 1 >= end || body[i] !== 61 || body[i + 1] !== 34) this.#fail('expected equal and a quoted label value')
        i = skipQuoted(body, i + 1, end, false)
        if (i < 0) this.#fail('expected the end of a label value')
        pairs.push(from, i)
      }
      if (i < end && body[i] === 44) i++
      else if (i >= end || body[i] !== 125) this.#fail('expected comma or brace close')
    }
  }

  #readExemplars(start: number): ScrapedExemplar[] {
    const body = this.#body
    const end = this.#lineEnd
    const exemplars: ScrapedExemplar[] = []
    let i = start
    while (i < end) {
      if (i + 3 >= end || body[i] !== 32 || body[i + 1] !== 35 || body[i + 2] !== 32 || body[i + 3] !== 123) {
        this.#fail('expected timestamp, start timestamp or exemplar')
      }
      const from = i + 3
      i = this.#readLabels(i + 4, [], true)
      i = this.#readNumber(i)
      i = this.#readNumber(i)
      this.#milliseconds('exemplar timestamp')
      exemplars.push(readExemplar(body, from, i))
    }
    return exemplars
  }

  #skipWord(start: number, first: number, rest: number): number {
    const body = this.#body
    const end = this.#lineEnd
    if (start >= end || (byteClasses[body[start]!]! & first) === 0) return -1
    let i = start + 1
    while (i < end && (byteClasses[body[i]!]! & rest) !== 0) i++
    return i
  }

  /** A byte (space or `@`) and a number; the result is in #number. */
  #readNumber(start: number): number {
    const body = this.#body
    const end = this.#lineEnd
    if (start >= end || (body[start] !== 32 && body[start] !== 64)) this.#fail('expected a space and a number')
    let i = start + 1
    while (i < end && body[i] !== 32) i++
    this.#number = this.#values.read(body, start + 1, end)
    if (this.#values.end === i && i > start + 1) return i
    this.#number = this.#trying(() => this.#values.readToken(body, start + 1, i))
    return i
  }

  #milliseconds(what: string): number {
    if (!Number.isFinite(this.#number)) this.#fail(`invalid ${what}`)
    return Math.trunc(this.#number * 1000)
  }

  #trying<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      if (error instanceof ValueError || error instanceof CompositeError || error instanceof HistogramError) this.#fail(error.message)
      throw error
    }
  }

  #fail(problem: string): never {
    const from = this.#lineStart
    const to = Math.min(this.#lineEnd, from + lineBytesShown)
    throw new ExpositionError(`${problem} while parsing: ${quoteBytes(this.#body, from, to)}`, countLines(this.#body, 0, from))
  }
}

const lineBytesShown = 1000
