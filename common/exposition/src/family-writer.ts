import type { MetricType } from '@narthex/model/metric-type'
import { floatBytesMax, writeFloatG } from './float-writer.ts'

/** A family that was written, kept from one reset to the next: nearly always it is written again. */
interface Family {
  readonly name: string
  /** Readers of text 0.0.4 would not take it as it is. */
  readonly isQuoted: boolean
  /** HELP and TYPE lines as they were written last, and what they were made of. */
  help: string
  type: MetricType | 'untyped'
  header: Uint8Array
  /** The round in which `family` was called for it last, and the type that was given first in it. */
  declaredRound: number
  declaredType: MetricType | 'untyped'
  /** The round in which it was written last; what follows holds in that one. */
  round: number
  /** Its runs of lines in the buffer, one for each place where it is written, linked by `#runNexts`. */
  firstRun: number
  lastRun: number
}

/** When more families than these are known at a reset, all are forgotten. */
const familiesMax = 4_096
/** The room for more runs than these is given back at a reset. */
const runsMax = 65_536

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
  #runCount = 0
  // Of each run: first byte, end, and the family's next one or -1. Used again in each round, as the families are: a map that is emptied and filled again
  // makes garbage that only a full collection finds.
  readonly #runStarts: number[] = []
  readonly #runEnds: number[] = []
  readonly #runNexts: number[] = []
  #families = new Map<string, Family>()
  /** In the order in which they were written first; those behind the count are of an earlier round. */
  readonly #written: Family[] = []
  #writtenCount = 0
  #isOrderKnown = false
  #sortedFamilies: readonly Family[] = []
  #inOrder = true
  /** Where `finish` put each run, behind where it was written. */
  readonly #runShifts: number[] = []
  #valueStart = -1
  #valueEnd = -1

  #family = createFamily('')
  #name = ''
  #help = ''
  #type: MetricType | 'untyped' = 'unknown'
  #nameIsQuoted = false
  /** -1 before the family's first sample. */
  #run = -1

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
    for (let high = this.#runCount - 1; low < high;) {
      const middle = (low + high + 1) >> 1
      if (this.#runStarts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return offset + this.#runShifts[low]!
  }

  /** Starts a family; nothing is written for it until its first sample. */
  family(name: string, help: string, type: MetricType | 'untyped'): void {
    let family = this.#families.get(name)
    if (family === undefined) this.#families.set(name, (family = createFamily(name)))
    if (family.declaredRound !== this.#round) {
      family.declaredRound = this.#round
      family.declaredType = type
    }
    this.#family = family
    this.#name = name
    this.#help = help
    this.#type = type
    this.#run = -1
    this.#nameIsQuoted = family.isQuoted
  }

  /** The type with which a family of that name was started first since the last reset; undefined if there was none. */
  typeOf(name: string): MetricType | 'untyped' | undefined {
    const family = this.#families.get(name)
    return family?.declaredRound === this.#round ? family.declaredType : undefined
  }

  /**
   * Writes one sample of the current family: `labels` is flat (name, value, …) and printed in this order, `suffix` is `_bucket`, `_sum` or
   * `_count`, `timestampMs` is printed when given.
   */
  sample(value: number, labels?: readonly string[], suffix?: string, timestampMs?: number): void {
    const run = this.#run >= 0 ? this.#run : this.#startRun()
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
    this.#runEnds[run] = offset
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
    this.#run = -1
    if (this.#inOrder) return this.#bytes.subarray(0, this.#length)
    if (this.#sorted.length < this.#length) this.#sorted = new Uint8Array(this.#bytes.length)
    let length = 0
    for (const { firstRun } of this.#sortFamilies()) {
      for (let run = firstRun; run >= 0; run = this.#runNexts[run]!) {
        const start = this.#runStarts[run]!
        const end = this.#runEnds[run]!
        this.#sorted.set(this.#bytes.subarray(start, end), length)
        this.#runShifts[run] = length - start
        length += end - start
      }
    }
    return this.#sorted.subarray(0, length)
  }

  /** The families of one writer are nearly always those of the last time, in the order of then. */
  #sortFamilies(): readonly Family[] {
    if (!this.#isOrderKnown || this.#sortedFamilies.length !== this.#writtenCount) {
      this.#sortedFamilies = this.#written.slice(0, this.#writtenCount).sort((a, b) => compareNames(a.name, b.name))
      this.#isOrderKnown = true
    }
    return this.#sortedFamilies
  }

  /** Forgets all that was written; keeps the buffers. */
  reset(): void {
    this.#length = 0
    this.#runCount = 0
    this.#writtenCount = 0
    if (this.#runStarts.length > runsMax) this.#runStarts.length = this.#runEnds.length = this.#runNexts.length = this.#runShifts.length = 0
    if (this.#families.size > familiesMax) {
      this.#families = new Map()
      this.#written.length = 0
      this.#isOrderKnown = false
    }
    this.#inOrder = true
    this.#run = -1
    this.#keyCount = 0
    this.duplicates = 0
    if (this.#round === 0x7fffffff) {
      this.#slotRounds.fill(0)
      for (const family of this.#families.values()) family.round = family.declaredRound = 0
      this.#round = 0
    }
    this.#round++
  }

  #startRun(): number {
    const run = this.#runCount++
    const family = this.#family
    this.#runStarts[run] = this.#length
    this.#runNexts[run] = -1
    if (family.round === this.#round) {
      this.#runNexts[family.lastRun] = run
      if (family.lastRun !== run - 1) this.#inOrder = false
    } else {
      family.round = this.#round
      family.firstRun = run
      this.#append(family)
      this.#header(family)
    }
    this.#runEnds[run] = this.#length
    family.lastRun = run
    this.#run = run
    return run
  }

  #append(family: Family): void {
    const at = this.#writtenCount++
    if (at > 0 && compareNames(this.#written[at - 1]!.name, family.name) > 0) this.#inOrder = false
    if (this.#written[at] === family) return
    this.#written[at] = family
    this.#isOrderKnown = false
  }

  #header(family: Family): void {
    if (family.header.length > 0 && family.help === this.#help && family.type === this.#type) {
      this.#reserve(family.header.length)
      this.#bytes.set(family.header, this.#length)
      this.#length += family.header.length
      return
    }
    const start = this.#length
    this.#writeHeader(family.name)
    family.help = this.#help
    family.type = this.#type
    family.header = this.#bytes.slice(start, this.#length)
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

function createFamily(name: string): Family {
  const unwritten = {
    help: '',
    type: 'unknown',
    header: nothing,
    declaredRound: 0,
    declaredType: 'unknown',
    round: 0,
    firstRun: -1,
    lastRun: -1,
  } as const
  return { name, isQuoted: !isLegacyName(name), ...unwritten }
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
