import { readText } from '@narthex/exposition/text-cache'
import { ValueParser } from '@narthex/exposition/value-parser'
import { parseGoFloat } from '@narthex/model/number'
import { Buffer } from 'node:buffer'

const lineFeed = 10
const carriageReturn = 13
const hash = 35
const space = 32
const colon = 58
const comma = 44
const equals = 61

const values = new ValueParser()

/**
 * Goes through the lines of INFO and its relatives: `# Section` and `field:value`. Names come out of a cache and numbers out of the bytes:
 * the answer of a busy server has hundreds of lines, the same ones each time.
 */
export class InfoReport {
  readonly bytes: Buffer
  #next = 0
  /** Of the last heading, `Commandstats`; empty before the first one. */
  section = ''
  field = ''
  valueStart = 0
  valueEnd = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get value(): string {
    return readText(this.bytes, this.valueStart, this.valueEnd)
  }

  /** The value as Go's ParseFloat reads it; undefined if it is no number. */
  get number(): number | undefined {
    return readNumber(this.bytes, this.valueStart, this.valueEnd)
  }

  /** Moves to the next field; false at the end. Lines that are neither heading nor field are skipped. */
  nextField(): boolean {
    const { bytes } = this
    while (this.#next < bytes.length) {
      const start = this.#next
      const found = bytes.indexOf(lineFeed, start)
      let end = found < 0 ? bytes.length : found
      this.#next = end + 1
      while (end > start && (bytes[end - 1] === carriageReturn || bytes[end - 1] === space)) end--
      if (bytes[start] === hash) {
        if (bytes[start + 1] === space) this.section = readText(bytes, start + 2, end)
        continue
      }
      let at = start
      while (at < end && bytes[at] !== colon) at++
      if (at === start || at === end) continue
      this.field = readText(bytes, start, at)
      this.valueStart = at + 1
      this.valueEnd = end
      return true
    }
    return false
  }
}

/** Goes through `calls=21,usec=175`; parts without `=` are skipped. */
export class PairScanner {
  #bytes: Buffer = Buffer.alloc(0)
  #next = 0
  #end = 0
  name = ''
  #valueStart = 0
  #valueEnd = 0

  /** Starts with the pairs in [start, end). */
  load(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes
    this.#next = start
    this.#end = end
  }

  get value(): string {
    return readText(this.#bytes, this.#valueStart, this.#valueEnd)
  }

  get number(): number | undefined {
    return readNumber(this.#bytes, this.#valueStart, this.#valueEnd)
  }

  /** Moves to the next pair; false at the end. */
  nextPair(): boolean {
    const bytes = this.#bytes
    while (this.#next < this.#end) {
      const start = this.#next
      let at = start
      while (at < this.#end && bytes[at] !== equals && bytes[at] !== comma) at++
      const nameEnd = at
      while (at < this.#end && bytes[at] !== comma) at++
      this.#next = at + 1
      if (nameEnd === start || bytes[nameEnd] !== equals || nameEnd >= at) continue
      this.name = readText(bytes, start, nameEnd)
      this.#valueStart = nameEnd + 1
      this.#valueEnd = at
      return true
    }
    return false
  }
}

/** `ip=10.0.0.1,port=6379` as a map; parts without `=` are left out. */
export function readPairs(text: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  for (const part of text.split(',')) {
    const at = part.indexOf('=')
    if (at > 0) pairs.set(part.slice(0, at), part.slice(at + 1))
  }
  return pairs
}

function readNumber(bytes: Buffer, start: number, end: number): number | undefined {
  const value = values.read(bytes, start, end)
  if (values.end === end) return value
  return parseGoFloat(bytes.toString('latin1', start, end))
}
