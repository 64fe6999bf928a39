import { growInts } from '@narthex/bytes/grow'
import { entryComment, entryEnd, entrySample, entryType } from '@narthex/exposition/parser'
import type { ExpositionParser } from '@narthex/exposition/parser'
import { ValueParser } from '@narthex/exposition/value-parser'
import { metricTypes } from '@narthex/model/metric-type'
import type { MetricType } from '@narthex/model/metric-type'
import {
  AnswerOutcome,
  commentCode,
  droppedCode,
  endCode,
  firstDuplicateCode,
  firstTypeCode,
  pendingCode,
  renumberCodes,
} from './answer-outcome.ts'
import type { ReadOptions } from './answer-outcome.ts'
import type { TargetColumns } from './target-columns.ts'
import { scrapeTimeMark } from './target-columns.ts'

// Arrays of the answer being read. Reading and committing is one synchronous step, so all targets share them.
let nextStarts = new Int32Array(4096)
let nextKeyBytes = new Int32Array(4096)
let nextCodes = new Int32Array(4096)
let consumed = new Uint8Array(4096)
let slots = new Int32Array(8192)
const values = new ValueParser()
const emptyBytes = new Uint8Array(0)

/**
 * Remembers a target's last answer: its bytes, and for every line how many of its bytes come before the value (the key) and which series it
 * is. Reading the next answer compares bytes with the last one, eight at a time; where a whole line is the same even its value is in the
 * columns already, and where the key is the same only the value is parsed. Strings are made for lines with a new key alone, and those that
 * merely moved are found through a hash of their bytes, built when the first line is not where it was.
 *
 * `read` fills the outcome fields and the columns; the caller resolves the pending lines and then calls `commit`. Without a commit the next
 * read compares with the same last answer, so a scrape that fails half-way leaves no trace.
 *
 * Long, because both ways of reading share the arrays of the answer that is read, and run over every line of every scrape.
 */
export class AnswerCache extends AnswerOutcome {
  #body: Uint8Array = emptyBytes
  #view: DataView = new DataView(emptyBytes.buffer)
  #starts = new Int32Array(1)
  #keyBytes = new Int32Array(0)
  #codes = new Int32Array(0)
  #lines = 0
  // False while the columns may not hold the values of the last answer.
  #valuesValid = false

  // Of the answer being read.
  #nextLines = 0

  /** Reads `body`; throws ExpositionError. */
  read(body: Uint8Array, parser: ExpositionParser, columns: TargetColumns, options: ReadOptions): void {
    const reuse = this.#valuesValid
    this.#valuesValid = false
    this.resetOutcome(options)
    if (!reuse) columns.forgetRare()
    columns.round++
    reserveNext(this.#lines)
    parser.begin(body, 0, body.length)
    const offset = this.#readInOrder(body, parser, columns, reuse)
    if (this.hasLast && offset === body.length && this.#nextLines === this.#lines) {
      this.takeInOrder()
    } else {
      this.#readMoved(body, offset, parser, columns, options)
    }
  }

  /** Says what pending line `i` is: a series, dropped (undefined), or a further line of a series seen in this answer. */
  resolve(i: number, series: number | undefined, isDuplicate: boolean): void {
    nextCodes[this.pending.lines[i]!] = series === undefined ? droppedCode : isDuplicate ? firstDuplicateCode - series : series
  }

  /** Makes the answer just read the last one. `renumbered` maps old series numbers to new ones when the layout was rebuilt. */
  commit(body: Uint8Array, renumbered: Int32Array | undefined): void {
    const lines = this.#nextLines
    if (this.#starts.length < lines + 1) this.#starts = new Int32Array(lines + 1)
    this.#starts.set(nextStarts.subarray(0, lines + 1))
    if (!this.inOrder) {
      if (this.#keyBytes.length < lines) {
        this.#keyBytes = new Int32Array(lines)
        this.#codes = new Int32Array(lines)
      }
      this.#keyBytes.set(nextKeyBytes.subarray(0, lines))
      this.#codes.set(nextCodes.subarray(0, lines))
      this.keptLines = this.keptCounts()
      // After a first answer these hold every line; a thousand targets would keep that until their second.
      this.forgetPending()
    }
    this.#lines = lines
    this.hasLast = true
    this.#body = body
    this.#view = new DataView(body.buffer, body.byteOffset, body.length)
    this.#valuesValid = true
    if (renumbered !== undefined) renumberCodes(this.#codes, lines, renumbered)
  }

  /**
   * Reads while every line stands where it stood; returns the offset of the first that does not. Long and flat because it runs once per line
   * and scrape: 25 ns a line that is the same (16 bytes a step; 8 take 35, byte by byte 67), 50 ns one whose value changed.
   */
  #readInOrder(body: Uint8Array, parser: ExpositionParser, columns: TargetColumns, reuse: boolean): number {
    const last = this.#body
    const lastView = this.#view
    const view = new DataView(body.buffer, body.byteOffset, body.length)
    const starts = this.#starts
    const keyBytes = this.#keyBytes
    const codes = this.#codes
    const lines = this.#lines
    const end = body.length
    let offset = 0
    let line = 0
    for (; line < lines; line++) {
      const start = starts[line]!
      const length = starts[line + 1]! - start
      const limit = offset + length <= end ? length : end - offset
      let i = 0
      for (; i + 16 <= limit; i += 16) {
        const a = lastView.getInt32(start + i, true) ^ view.getInt32(offset + i, true)
        const b = lastView.getInt32(start + i + 4, true) ^ view.getInt32(offset + i + 4, true)
        const c = lastView.getInt32(start + i + 8, true) ^ view.getInt32(offset + i + 8, true)
        const d = lastView.getInt32(start + i + 12, true) ^ view.getInt32(offset + i + 12, true)
        if ((a | b | c | d) !== 0) break
      }
      while (i + 4 <= limit && lastView.getInt32(start + i, true) === view.getInt32(offset + i, true)) i += 4
      while (i < limit && last[start + i] === body[offset + i]) i++
      const code = codes[line]!
      if (i === length && (reuse || code < 0)) {
        // An end marker with something behind it is for the parser to refuse.
        if (code === endCode && offset + length !== end) break
        nextStarts[line] = offset
        offset += length
        continue
      }
      const key = keyBytes[line]!
      if (i < key) break
      const value = values.read(body, offset + key, end)
      const valueEnd = values.end
      if (valueEnd >= 0 && valueEnd < end && body[valueEnd] === 10) {
        if (code >= 0) {
          columns.values[code] = value
          if (columns.times !== undefined) columns.times[code] = scrapeTimeMark
        }
        nextStarts[line] = offset
        offset = valueEnd + 1
        continue
      }
      parser.jump(offset, 'unknown')
      if (parser.next() !== entrySample || parser.valueStart !== offset + key) break
      this.keepKnown(code, parser, columns)
      if (parser.hasExemplar && code !== droppedCode) this.keepExemplars(code, parser)
      nextStarts[line] = offset
      offset = parser.offset
    }
    nextStarts[line] = offset
    this.#nextLines = line
    return offset
  }

  /** Reads the rest of an answer from the first line that is not where it was. */
  #readMoved(body: Uint8Array, from: number, parser: ExpositionParser, columns: TargetColumns, options: ReadOptions): void {
    const firstMoved = this.#nextLines
    this.#copyMatched(firstMoved, columns)
    this.#indexRest(firstMoved)
    let type = this.#typeBefore(firstMoved)
    let expected = firstMoved
    let offset = from
    let line = firstMoved
    for (;;) {
      while (expected < this.#lines && consumed[expected] === 1) expected++
      reserveNext(line + 1)
      nextStarts[line] = offset
      const skipped = expected < this.#lines ? this.#readExpected(body, offset, expected, line, columns) : 0
      if (skipped > 0) {
        const code = this.#codes[expected]!
        if (code <= firstTypeCode && code > firstDuplicateCode) type = metricTypes[firstTypeCode - code]!
        consumed[expected++] = 1
        line++
        offset += skipped
        continue
      }
      parser.jump(offset, type)
      const kind = parser.next()
      type = parser.type
      if (kind === entryEnd) break
      if (kind === entrySample) {
        const key = parser.valueStart - offset
        const known = this.#hasKeyAt(expected, body, offset, key) ? expected : this.#find(body, offset, key)
        if (known >= 0) {
          consumed[known] = 1
          expected = known + 1
        }
        nextKeyBytes[line] = key
        const code = this.keepParsed(line, offset, known < 0 ? pendingCode : this.#codes[known]!, parser, columns)
        nextCodes[line] = code
        if (parser.hasExemplar && code !== droppedCode && !this.#isSameLine(known, body, offset, parser.offset)) {
          this.keepExemplars(code, parser)
        }
      } else {
        if (kind !== entryComment) options.onMetadata(kind, parser)
        nextKeyBytes[line] = parser.offset - offset
        nextCodes[line] = kind === entryType ? firstTypeCode - metricTypes.indexOf(type) : commentCode
      }
      line++
      offset = parser.offset
    }
    // So that the next answer is compared to its last byte.
    if (offset < body.length) {
      nextKeyBytes[line] = body.length - offset
      nextCodes[line++] = endCode
    }
    reserveNext(line)
    nextStarts[line] = body.length
    this.#nextLines = line
  }

  /** Takes over the lines before `count`, which are where they were, and counts their series as seen. */
  #copyMatched(count: number, columns: TargetColumns): void {
    nextKeyBytes.set(this.#keyBytes.subarray(0, count))
    nextCodes.set(this.#codes.subarray(0, count))
    this.countMatched(nextCodes, count, columns)
  }

  /**
   * Takes the line at `offset` without the parser if it is the one that is expected: a comment that is the same, or a sample with the same key
   * and a plain value. Returns its length, 0 if the parser has to look.
   */
  #readExpected(body: Uint8Array, offset: number, expected: number, line: number, columns: TargetColumns): number {
    const key = this.#keyBytes[expected]!
    const code = this.#codes[expected]!
    if (code === endCode || offset + key > body.length || !this.#hasKeyAt(expected, body, offset, key)) return 0
    nextKeyBytes[line] = key
    nextCodes[line] = code
    if (key === this.#starts[expected + 1]! - this.#starts[expected]!) return key
    const value = values.read(body, offset + key, body.length)
    if (values.end < 0 || values.end >= body.length || body[values.end] !== 10) return 0
    nextCodes[line] = this.keepPlain(code, value, columns)
    return values.end + 1 - offset
  }

  /** Whether line `known` of the last answer, if it was there, is [start, end) of this one. */
  #isSameLine(known: number, body: Uint8Array, start: number, end: number): boolean {
    if (known < 0) return false
    const knownStart = this.#starts[known]!
    return this.#starts[known + 1]! - knownStart === end - start && equalBytes(this.#body, knownStart, body, start, end - start)
  }

  #hasKeyAt(line: number, body: Uint8Array, offset: number, key: number): boolean {
    return line < this.#lines && this.#keyBytes[line] === key && equalBytes(this.#body, this.#starts[line]!, body, offset, key)
  }

  #typeBefore(line: number): MetricType {
    for (let i = line - 1; i >= 0; i--) {
      const code = this.#codes[i]!
      if (code <= firstTypeCode && code > firstDuplicateCode) return metricTypes[firstTypeCode - code]!
    }
    return 'unknown'
  }

  // Open addressing over the sample lines from `first` on: slot → line + 1.
  #indexRest(first: number): void {
    const lines = this.#lines
    if (consumed.length < lines) consumed = new Uint8Array(lines * 2)
    consumed.fill(0, 0, lines)
    let size = 16
    while (size < (lines - first) * 2) size *= 2
    if (slots.length < size) slots = new Int32Array(size)
    slots.fill(0, 0, size)
    this.#slotMask = size - 1
    for (let line = first; line < lines; line++) {
      const start = this.#starts[line]!
      const key = this.#keyBytes[line]!
      if (key === this.#starts[line + 1]! - start) continue
      let slot = hashBytes(this.#body, start, key) & this.#slotMask
      while (slots[slot] !== 0) slot = (slot + 1) & this.#slotMask
      slots[slot] = line + 1
    }
  }

  #slotMask = 0

  /** The first line not yet consumed with the key at [offset, offset + key), or -1. */
  #find(body: Uint8Array, offset: number, key: number): number {
    for (let slot = hashBytes(body, offset, key) & this.#slotMask; slots[slot] !== 0; slot = (slot + 1) & this.#slotMask) {
      const line = slots[slot]! - 1
      if (consumed[line] === 0 && this.#hasKeyAt(line, body, offset, key)) return line
    }
    return -1
  }
}

function reserveNext(lines: number): void {
  if (lines + 1 < nextStarts.length) return
  const capacity = Math.max(lines + 2, nextStarts.length * 2)
  nextStarts = growInts(nextStarts, capacity)
  nextKeyBytes = growInts(nextKeyBytes, capacity)
  nextCodes = growInts(nextCodes, capacity)
}

function hashBytes(bytes: Uint8Array, start: number, length: number): number {
  let hash = length
  for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return hash ^ (hash >>> 15)
}

function equalBytes(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false
  return true
}
