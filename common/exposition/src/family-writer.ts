import type { MetricType } from '@narthex/model/metric-type'
import { floatBytesMax, writeFloatG } from './float-writer.ts'

// A run of one family's lines in the buffer. A family that is written in several places has several runs, linked by `next`.
interface Run {
  readonly name: string
  readonly start: number
  end: number
  /** Index of the family's next run, or -1. */
  next: number
}

/** The HELP and TYPE lines of a family as they were written last. */
interface Header {
  readonly help: string
  readonly type: MetricType | 'untyped'
  readonly bytes: Uint8Array
}

/** Families whose header is kept; those of further ones are written anew each time. */
const headersMax = 4_096

const textEncoder = new TextEncoder()

/** A UTF-16 unit is at most three bytes of UTF-8; an escaped one is two. */
const escapedBytesMax = 3
const nothing = new Uint8Array(0)

/**
 * Writes exposition text 0.0.4 into one reused buffer, byte for byte as client_golang's text encoder does: families sorted by name, HELP and
 * label values escaped, numbers in Go's shortest %g form. Families without samples are left out; several `family` calls with one name are
 * merged under the first HELP and TYPE; a sample whose name and labels were written before is dropped and counted.
 */
export class FamilyWriter {
  #bytes: Uint8Array
  #length = 0
  #sorted: Uint8Array = nothing
  #runs: Run[] = []
  #firstRunByName = new Map<string, number>()
  #lastRunByName = new Map<string, number>()
  #inOrder = true
  readonly #writtenNames: string[] = []
  #sortedNames: readonly string[] = []
  readonly #headers = new Map<string, Header>()
  /** Where `finish` put each run, behind where it was written; empty if that is the same. */
  readonly #runShifts: number[] = []
  #valueStart = -1
  #valueEnd = -1

  #name = ''
  #help = ''
  #type: MetricType | 'untyped' = 'unknown'
  #nameIsQuoted = false
  #run: Run | undefined

  // Open-addressing set of written keys: slot → offset of the key in #bytes, valid when the slot's round is the current one.
  #slotOffsets = new Int32Array(1024)
  #slotHashes = new Int32Array(1024)
  #slotRounds = new Int32Array(1024)
  #round = 1
  #keyCount = 0

  /** Samples dropped since the last reset because an equal name and label list had been written. */
  duplicates = 0

  constructor(initialBytes = 65_536) {
    this.#bytes = new Uint8Array(initialBytes)
  }

  /** Samples written since the last reset. */
  get samples(): number {
    return this.#keyCount
  }

  /** Where the value of the sample that was written last begins in all that was written; -1 if the sample was dropped. */
  get valueStart(): number {
    return this.#valueStart
  }

  /** Where it ends. */
  get valueEnd(): number {
    return this.#valueEnd
  }

  /** Where in the bytes of the last `finish` that is which was written at `offset`. */
  placeOf(offset: number): number {
    if (this.#inOrder) return offset
    let low = 0
    for (let high = this.#runs.length - 1; low < high;) {
      const middle = (low + high + 1) >> 1
      if (this.#runs[middle]!.start <= offset) low = middle
      else high = middle - 1
    }
    return offset + this.#runShifts[low]!
  }

  /** Starts a family; nothing is written for it until its first sample. */
  family(name: string, help: string, type: MetricType | 'untyped'): void {
    this.#name = name
    this.#help = help
    this.#type = type
    this.#run = undefined
    this.#nameIsQuoted = !isLegacyName(name)
  }

  /**
   * Writes one sample of the current family: `labels` is flat (name, value, …) and printed in this order, `suffix` is `_bucket`, `_sum` or
   * `_count`, `timestampMs` is printed when given.
   */
  sample(value: number, labels?: readonly string[], suffix?: string, timestampMs?: number): void {
    const run = this.#run ?? this.#startRun()
    const start = this.#length
    let bytesMax = 2 * floatBytesMax + 16 + this.#name.length * escapedBytesMax
    if (suffix !== undefined) bytesMax += suffix.length * escapedBytesMax
    if (labels !== undefined) for (let i = 0; i < labels.length; i++) bytesMax += labels[i]!.length * escapedBytesMax + 4
    this.#reserve(bytesMax)
    const bytes = this.#bytes
    let offset = this.#writeName(bytes, start, suffix)
    if (labels !== undefined && labels.length > 0) {
      bytes[offset++] = this.#nameIsQuoted ? 44 : 123 // , {
      for (let i = 0; i + 1 < labels.length; i += 2) {
        if (i > 0) bytes[offset++] = 44
        offset = writeLabelName(bytes, offset, labels[i]!)
        bytes[offset++] = 61 // =
        offset = writeQuoted(bytes, offset, labels[i + 1]!)
      }
      bytes[offset++] = 125 // }
    } else if (this.#nameIsQuoted) {
      bytes[offset++] = 125
    }
    if (!this.#remember(start, offset)) {
      this.duplicates++
      this.#valueStart = this.#valueEnd = -1
      return
    }
    bytes[offset++] = 32
    this.#valueStart = offset
    offset = writeFloatG(bytes, offset, value)
    this.#valueEnd = offset
    if (timestampMs !== undefined) {
      bytes[offset++] = 32
      offset = writeRaw(bytes, offset, String(Math.trunc(timestampMs)))
    }
    bytes[offset++] = 10
    this.#length = offset
    run.end = offset
  }

  /** A quoted name opens the braces, which are the caller's to close. */
  #writeName(bytes: Uint8Array, start: number, suffix: string | undefined): number {
    const name = this.#name
    if (this.#nameIsQuoted) {
      bytes[start] = 123
      return writeQuoted(bytes, start + 1, suffix === undefined ? name : name + suffix)
    }
    const offset = writeRaw(bytes, start, name)
    return suffix === undefined ? offset : writeRaw(bytes, offset, suffix)
  }

  /** All families written since the last reset, sorted by name; the bytes are valid until the next `family`, `sample` or `reset`. */
  finish(): Uint8Array {
    this.#run = undefined
    if (this.#inOrder) return this.#bytes.subarray(0, this.#length)
    const names = this.#sortNames()
    if (this.#sorted.length < this.#length) this.#sorted = new Uint8Array(this.#bytes.length)
    let length = 0
    for (const name of names) {
      for (let index = this.#firstRunByName.get(name)!; index >= 0; index = this.#runs[index]!.next) {
        const run = this.#runs[index]!
        this.#sorted.set(this.#bytes.subarray(run.start, run.end), length)
        this.#runShifts[index] = length - run.start
        length += run.end - run.start
      }
    }
    return this.#sorted.subarray(0, length)
  }

  /** The families of one writer are nearly always those of the last time, in the order of then. */
  #sortNames(): readonly string[] {
    const written = this.#writtenNames
    let count = 0
    let isKnown = written.length === this.#firstRunByName.size
    for (const name of this.#firstRunByName.keys()) {
      if (written[count] !== name) {
        written[count] = name
        isKnown = false
      }
      count++
    }
    if (isKnown) return this.#sortedNames
    written.length = count
    return (this.#sortedNames = written.toSorted(compareNames))
  }

  /** Forgets all that was written; keeps the buffers. */
  reset(): void {
    this.#length = 0
    this.#runs.length = 0
    this.#firstRunByName.clear()
    this.#lastRunByName.clear()
    this.#inOrder = true
    this.#run = undefined
    this.#keyCount = 0
    this.duplicates = 0
    if (this.#round === 0x7fffffff) {
      this.#slotRounds.fill(0)
      this.#round = 0
    }
    this.#round++
  }

  #startRun(): Run {
    const name = this.#name
    const index = this.#runs.length
    const run: Run = { name, start: this.#length, end: this.#length, next: -1 }
    const previous = this.#runs[index - 1]
    const last = this.#lastRunByName.get(name)
    if (last === undefined) {
      this.#firstRunByName.set(name, index)
      if (previous !== undefined && compareNames(previous.name, name) > 0) this.#inOrder = false
      this.#header(name)
      run.end = this.#length
    } else {
      this.#runs[last]!.next = index
      if (last !== index - 1) this.#inOrder = false
    }
    this.#lastRunByName.set(name, index)
    this.#runs.push(run)
    this.#run = run
    return run
  }

  #header(name: string): void {
    const known = this.#headers.get(name)
    if (known !== undefined && known.help === this.#help && known.type === this.#type) {
      this.#reserve(known.bytes.length)
      this.#bytes.set(known.bytes, this.#length)
      this.#length += known.bytes.length
      return
    }
    const start = this.#length
    this.#writeHeader(name)
    if (known === undefined && this.#headers.size >= headersMax) return
    this.#headers.set(name, { help: this.#help, type: this.#type, bytes: this.#bytes.slice(start, this.#length) })
  }

  #writeHeader(name: string): void {
    const help = this.#help
    this.#reserve((name.length * 2 + help.length) * escapedBytesMax + 64)
    const bytes = this.#bytes
    let offset = writeRaw(bytes, this.#length, '# HELP ')
    offset = this.#nameIsQuoted ? writeQuoted(bytes, offset, name) : writeRaw(bytes, offset, name)
    bytes[offset++] = 32
    offset = writeEscaped(bytes, offset, help, false)
    offset = writeRaw(bytes, offset, '\n# TYPE ')
    offset = this.#nameIsQuoted ? writeQuoted(bytes, offset, name) : writeRaw(bytes, offset, name)
    bytes[offset++] = 32
    offset = writeRaw(bytes, offset, textTypes[this.#type])
    bytes[offset++] = 10
    this.#length = offset
  }

  /** Makes room for `more` bytes; every caller reserves the worst case before it writes. */
  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }

  /** Adds the key at [start, end); false when it is there already. */
  #remember(start: number, end: number): boolean {
    if (this.#keyCount * 2 >= this.#slotOffsets.length) this.#growSlots()
    const bytes = this.#bytes
    const length = end - start
    let hash = length
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    hash ^= hash >>> 15
    const mask = this.#slotOffsets.length - 1
    let slot = hash & mask
    while (this.#slotRounds[slot] === this.#round) {
      if (this.#slotHashes[slot] === hash && this.#equals(this.#slotOffsets[slot]!, start, length)) return false
      slot = (slot + 1) & mask
    }
    this.#slotRounds[slot] = this.#round
    this.#slotHashes[slot] = hash
    this.#slotOffsets[slot] = start
    this.#keyCount++
    return true
  }

  /** True when the key at `known` is the `length` bytes at `start`: a known key is followed by the space before its value. */
  #equals(known: number, start: number, length: number): boolean {
    const bytes = this.#bytes
    if (bytes[known + length] !== 32) return false
    for (let i = 0; i < length; i++) if (bytes[known + i] !== bytes[start + i]) return false
    return true
  }

  #growSlots(): void {
    const { length } = this.#slotOffsets
    const offsets = new Int32Array(length * 2)
    const hashes = new Int32Array(length * 2)
    const rounds = new Int32Array(length * 2)
    const mask = length * 2 - 1
    for (let i = 0; i < length; i++) {
      if (this.#slotRounds[i] !== this.#round) continue
      let slot = this.#slotHashes[i]! & mask
      while (rounds[slot] === this.#round) slot = (slot + 1) & mask
      offsets[slot] = this.#slotOffsets[i]!
      hashes[slot] = this.#slotHashes[i]!
      rounds[slot] = this.#round
    }
    this.#slotOffsets = offsets
    this.#slotHashes = hashes
    this.#slotRounds = rounds
  }
}

/** The type words of text 0.0.4, which knows five. */
const textTypes: Readonly<Record<MetricType | 'untyped', string>> = {
  unknown: 'untyped',
  untyped: 'untyped',
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  gaugehistogram: 'histogram',
  summary: 'summary',
  info: 'gauge',
  stateset: 'gauge',
}

function writeLabelName(bytes: Uint8Array, start: number, name: string): number {
  let offset = start
  for (let i = 0; i < name.length; i++) {
    const char = name.charCodeAt(i)
    if (!isNameByte(char) || (i === 0 && char <= 57) || char === 58) return writeQuoted(bytes, start, name)
    bytes[offset++] = char
  }
  return offset
}

function writeQuoted(bytes: Uint8Array, start: number, text: string): number {
  bytes[start] = 34
  const offset = writeEscaped(bytes, start + 1, text, true)
  bytes[offset] = 34
  return offset + 1
}

function writeEscaped(bytes: Uint8Array, start: number, text: string, quotes: boolean): number {
  let offset = start
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char >= 128) return writeEscapedUnicode(bytes, start, text, quotes)
    if (char === 92 || (char === 34 && quotes)) {
      bytes[offset++] = 92
      bytes[offset++] = char
    } else if (char === 10) {
      bytes[offset++] = 92
      bytes[offset++] = 110
    } else {
      bytes[offset++] = char
    }
  }
  return offset
}

function writeEscapedUnicode(bytes: Uint8Array, start: number, text: string, quotes: boolean): number {
  const escaped = text.replace(quotes ? /[\\\n"]/g : /[\\\n]/g, (char) => (char === '\n' ? '\\n' : '\\' + char))
  return start + textEncoder.encodeInto(escaped, bytes.subarray(start)).written
}

function writeRaw(bytes: Uint8Array, start: number, text: string): number {
  let offset = start
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char >= 128) return start + textEncoder.encodeInto(text, bytes.subarray(start)).written
    bytes[offset++] = char
  }
  return offset
}

function isNameByte(char: number): boolean {
  return (char >= 97 && char <= 122) || (char >= 65 && char <= 90) || (char >= 48 && char <= 58) || char === 95
}

/** Whether readers of text 0.0.4 take it for a metric name. */
export function isLegacyName(name: string): boolean {
  const first = name.charCodeAt(0)
  if (name.length === 0 || (first >= 48 && first <= 57)) return false
  for (let i = 0; i < name.length; i++) if (!isNameByte(name.charCodeAt(i))) return false
  return true
}

/** Names are ASCII nearly always, where UTF-16 order is byte order; beyond the BMP the order differs and does not matter to readers. */
function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
