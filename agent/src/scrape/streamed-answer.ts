import { SeededHash } from '@narthex/bytes/seeded-hash'
import { ExpositionError } from '@narthex/exposition/exposition-error'
import { entryComment, entryEnd, entrySample, entryType } from '@narthex/exposition/parser'
import type { ExpositionParser } from '@narthex/exposition/parser'
import { ValueParser } from '@narthex/exposition/value-parser'
import { metricTypes } from '@narthex/model/metric-type'
import type { MetricType } from '@narthex/model/metric-type'
import { AnswerOutcome, commentCode, droppedCode, firstDuplicateCode, firstTypeCode, pendingCode, renumberCodes } from './answer-outcome.ts'
import type { ReadOptions } from './answer-outcome.ts'
import { scrapeTimeMark } from './target-columns.ts'
import type { TargetColumns } from './target-columns.ts'

const hash = new SeededHash()
const values = new ValueParser()

/** The lines of an answer, 16 bytes each; a line's key is its bytes before the value. */
interface LineTable {
  keyBytes: Int32Array
  codes: Int32Array
  /** Of the key of line i: hashes[2 * i] and hashes[2 * i + 1]. */
  hashes: Int32Array
  /** Of a line's exemplar, 0 = none; only once a target has sent one. A changed one that is missed, one in 2^32, is not a lost sample. */
  exemplarHashes: Int32Array | undefined
}

/**
 * Reads answers of any size a window of lines at a time, and remembers of the last one the hash of every line's key instead of its bytes: what
 * is kept grows with the series, not with the body. `begin`, then `read` for each window with the caller resolving the pending lines after
 * each, then `finish`, then `commit`. Without a commit the next answer is compared with the same last one.
 *
 * A line is known again by its place and a seeded 64-bit hash; those that merely moved through an index made when the first line is not where
 * it was.
 */
export class StreamedAnswer extends AnswerOutcome {
  #table: LineTable = emptyTable(0)
  #lines = 0
  // False while the columns may not hold what was read of the last answer.
  #valid = false

  // Of the answer being read. While all lines are where they were there is no other table than the last one's.
  #next: LineTable | undefined
  #line = 0
  #expected = 0
  #type: MetricType = 'unknown'
  #known = false
  #consumed = new Uint8Array(0)
  #places = new Int32Array(0)

  begin(columns: TargetColumns, options: ReadOptions): void {
    this.resetOutcome(options)
    this.#known = this.#valid
    this.#valid = false
    if (!this.#known) columns.forgetRare()
    columns.round++
    this.#forgetNext()
  }

  /**
   * Reads lines of [0, end), which ends with a line if more is to come. Returns how far it read: what is left, blank lines or an end marker,
   * belongs to the next window. Throws ExpositionError; its line number does not count blank lines of windows before.
   */
  read(bytes: Uint8Array, end: number, isLast: boolean, parser: ExpositionParser, columns: TargetColumns): number {
    const before = this.#line
    try {
      return this.#readWindow(bytes, end, isLast, parser, columns)
    } catch (error) {
      if (error instanceof ExpositionError && error.line > 0) throw new ExpositionError(error.problem, before + error.line)
      throw error
    }
  }

  #readWindow(bytes: Uint8Array, end: number, isLast: boolean, parser: ExpositionParser, columns: TargetColumns): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, end)
    parser.begin(bytes, 0, end)
    let offset = this.#next === undefined ? this.#readInOrder(bytes, view, end, parser, columns) : 0
    for (;;) {
      if (offset < end && this.#next !== undefined) {
        const length = this.#readExpected(bytes, view, offset, end, columns)
        if (length > 0) {
          offset += length
          continue
        }
      }
      if (offset >= end && !isLast) return end
      if (this.#next === undefined) this.#type = typeBefore(this.#table.codes, this.#line)
      parser.jump(offset, this.#type)
      const kind = parser.next()
      if (kind === entryEnd) return isLast ? end : offset
      this.#diverge(columns)
      this.#readParsed(kind, view, offset, parser, columns)
      offset = parser.offset
    }
  }

  /** All windows were read. */
  finish(columns: TargetColumns): void {
    if (this.hasLast && this.#next === undefined && this.#line === this.#lines) this.takeInOrder()
    else this.#diverge(columns)
  }

  /** Says what pending line `i` is: a series, dropped (undefined), or a further line of a series seen in this answer. */
  resolve(i: number, series: number | undefined, isDuplicate: boolean): void {
    this.#next!.codes[this.pending.lines[i]!] = series === undefined ? droppedCode : isDuplicate ? firstDuplicateCode - series : series
  }

  /** Makes the answer just read the last one. `renumbered` maps old series numbers to new ones when they changed. */
  commit(renumbered: Int32Array | undefined): void {
    if (this.#next !== undefined) {
      this.#lines = this.#line
      this.#table = trimTable(this.#next, this.#lines)
      this.keptLines = this.keptCounts()
    }
    this.#valid = true
    this.hasLast = true
    this.#forgetNext()
    if (renumbered !== undefined) renumberCodes(this.#table.codes, this.#lines, renumbered)
  }

  #forgetNext(): void {
    this.#next = undefined
    this.#line = 0
    this.#expected = 0
    this.#type = 'unknown'
    this.#consumed = new Uint8Array(0)
    this.#places = new Int32Array(0)
  }

  /** Reads while every line stands where it stood; returns the offset of the first that does not. Flat, as it runs once per line and scrape. */
  #readInOrder(bytes: Uint8Array, view: DataView, end: number, parser: ExpositionParser, columns: TargetColumns): number {
    const { keyBytes, codes, hashes } = this.#table
    const lines = this.#lines
    let line = this.#line
    let offset = 0
    for (; line < lines && offset < end; line++) {
      const key = keyBytes[line]!
      if (offset + key > end) break
      hash.of(view, offset, key)
      if (hash.low !== hashes[2 * line] || hash.high !== hashes[2 * line + 1]) break
      const code = codes[line]!
      if (isComment(code)) {
        offset += key
        continue
      }
      const value = values.read(bytes, offset + key, end)
      const valueEnd = values.end
      if (valueEnd >= 0 && valueEnd < end && bytes[valueEnd] === 10) {
        if (code >= 0) {
          columns.values[code] = value
          if (columns.times !== undefined) columns.times[code] = scrapeTimeMark
        }
        offset = valueEnd + 1
        continue
      }
      parser.jump(offset, 'unknown')
      if (parser.next() !== entrySample || parser.valueStart !== offset + key) break
      this.keepKnown(code, parser, columns)
      if (parser.hasExemplar) this.#takeExemplar(line, line, code, view, parser)
      offset = parser.offset
    }
    this.#line = line
    return offset
  }

  /** The first line that is not where it was: from here on the lines are written down anew. */
  #diverge(columns: TargetColumns): void {
    if (this.#next !== undefined) return
    const count = this.#line
    const next = emptyTable(Math.max(1024, this.#lines + (this.#lines >> 4)))
    next.keyBytes.set(this.#table.keyBytes.subarray(0, count))
    next.codes.set(this.#table.codes.subarray(0, count))
    next.hashes.set(this.#table.hashes.subarray(0, 2 * count))
    if (this.#table.exemplarHashes !== undefined) {
      next.exemplarHashes = new Int32Array(next.codes.length)
      next.exemplarHashes.set(this.#table.exemplarHashes.subarray(0, count))
    }
    this.#next = next
    this.#expected = count
    this.#type = typeBefore(this.#table.codes, count)
    this.countMatched(this.#table.codes, count, columns)
    this.#indexFrom(count)
  }

  /** As AnswerCache's: takes the line that is expected, if it is there and plain, without the parser; returns its length or 0. */
  #readExpected(bytes: Uint8Array, view: DataView, offset: number, end: number, columns: TargetColumns): number {
    while (this.#expected < this.#lines && this.#consumed[this.#expected] === 1) this.#expected++
    const expected = this.#expected
    if (expected === this.#lines) return 0
    const key = this.#table.keyBytes[expected]!
    if (offset + key > end) return 0
    hash.of(view, offset, key)
    if (hash.low !== this.#table.hashes[2 * expected] || hash.high !== this.#table.hashes[2 * expected + 1]) return 0
    const code = this.#table.codes[expected]!
    if (isComment(code)) {
      if (code !== commentCode) this.#type = metricTypes[firstTypeCode - code]!
      this.#put(key, hash.low, hash.high, code)
      this.#consumed[this.#expected++] = 1
      return key
    }
    const { low, high } = hash
    const value = values.read(bytes, offset + key, end)
    if (values.end < 0 || values.end >= end || bytes[values.end] !== 10) return 0
    this.#put(key, low, high, this.keepPlain(code, value, columns))
    this.#consumed[this.#expected++] = 1
    return values.end + 1 - offset
  }

  /** An entry that the parser has read. */
  #readParsed(kind: number, view: DataView, offset: number, parser: ExpositionParser, columns: TargetColumns): void {
    this.#type = parser.type
    const isSample = kind === entrySample
    const key = (isSample ? parser.valueStart : parser.offset) - offset
    hash.of(view, offset, key)
    const { low, high } = hash
    const line = this.#line
    if (!isSample) {
      if (kind !== entryComment) this.options.onMetadata(kind, parser)
      this.#put(key, low, high, kind === entryType ? firstTypeCode - metricTypes.indexOf(this.#type) : commentCode)
      return
    }
    const known = this.#find(key, low, high)
    if (known >= 0) {
      this.#consumed[known] = 1
      this.#expected = known + 1
    }
    const code = this.keepParsed(line, offset, known < 0 ? pendingCode : this.#table.codes[known]!, parser, columns)
    this.#put(key, low, high, code)
    if (parser.hasExemplar) this.#takeExemplar(known, line, code, view, parser)
  }

  /** Keeps the exemplar of line `line` unless it is that which line `known` of the last answer had. */
  #takeExemplar(known: number, line: number, code: number, view: DataView, parser: ExpositionParser): void {
    if (code === droppedCode) return
    hash.of(view, parser.valueStart, parser.offset - parser.valueStart)
    const { low } = hash
    const before = this.#known && known >= 0 ? this.#table.exemplarHashes?.[known] : undefined
    const table = this.#next ?? this.#table
    table.exemplarHashes ??= new Int32Array(table.codes.length)
    table.exemplarHashes[line] = low
    if (before !== low) this.keepExemplars(code, parser)
  }

  #put(key: number, low: number, high: number, code: number): void {
    const line = this.#line++
    if (line === this.#next!.codes.length) this.#next = resizeTable(this.#next!, line + (line >> 1))
    const next = this.#next!
    next.keyBytes[line] = key
    next.hashes[2 * line] = low
    next.hashes[2 * line + 1] = high
    next.codes[line] = code
  }

  // Open addressing over the sample lines from `first` on: place → line + 1.
  #indexFrom(first: number): void {
    const { codes, hashes } = this.#table
    this.#consumed = new Uint8Array(this.#lines)
    let size = 16
    while (size < (this.#lines - first) * 2) size *= 2
    const places = new Int32Array(size)
    for (let line = first; line < this.#lines; line++) {
      if (isComment(codes[line]!)) continue
      let place = hashes[2 * line]! & (size - 1)
      while (places[place] !== 0) place = (place + 1) & (size - 1)
      places[place] = line + 1
    }
    this.#places = places
  }

  /** The first line not yet consumed with this key, or -1. */
  #find(key: number, low: number, high: number): number {
    const places = this.#places
    const { keyBytes, hashes } = this.#table
    const mask = places.length - 1
    for (let place = low & mask; places[place] !== 0; place = (place + 1) & mask) {
      const line = places[place]! - 1
      if (this.#consumed[line] === 1 || keyBytes[line] !== key) continue
      if (hashes[2 * line] === low && hashes[2 * line + 1] === high) return line
    }
    return -1
  }
}

function isComment(code: number): boolean {
  return code === commentCode || (code <= firstTypeCode && code > firstDuplicateCode)
}

function typeBefore(codes: Int32Array, line: number): MetricType {
  for (let i = line - 1; i >= 0; i--) {
    const code = codes[i]!
    if (code <= firstTypeCode && code > firstDuplicateCode) return metricTypes[firstTypeCode - code]!
  }
  return 'unknown'
}

function emptyTable(lines: number): LineTable {
  return { keyBytes: new Int32Array(lines), codes: new Int32Array(lines), hashes: new Int32Array(2 * lines), exemplarHashes: undefined }
}

function resizeTable(table: LineTable, lines: number): LineTable {
  const resized = emptyTable(lines)
  resized.keyBytes.set(table.keyBytes.subarray(0, lines))
  resized.codes.set(table.codes.subarray(0, lines))
  resized.hashes.set(table.hashes.subarray(0, 2 * lines))
  if (table.exemplarHashes !== undefined) {
    resized.exemplarHashes = new Int32Array(lines)
    resized.exemplarHashes.set(table.exemplarHashes.subarray(0, lines))
  }
  return resized
}

/** It is kept until lines move again, so an eighth of it at most may be for nothing. */
function trimTable(table: LineTable, lines: number): LineTable {
  return table.codes.length - lines > lines >> 3 ? resizeTable(table, lines) : table
}
