import { growWords } from '@narthex/bytes/grow'
import type { Head } from '../head/head.ts'
import * as pendingField from '../head/pending-samples.ts'
import type { PendingSamples } from '../head/pending-samples.ts'
import { wordMask, wordShift } from '../head/shared-arena.ts'
import type { LogReferences } from './log-references.ts'
import { samplesRecord, seriesRecord } from './wal-format.ts'

const firstBytes = 64 * 1024
const bytesKept = 1024 * 1024
const sampleBytesMax = 28
const varintBytesMax = 10

/** Writes the bytes of one record after another into a buffer that is used again; `view` is valid until the next record. */
export class RecordWriter {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(firstBytes)
  length = 0
  #view = new DataView(this.bytes.buffer)
  // The series before in the record: its pairs, where each label begins, and behind them where the last one ends.
  #lastCount = 0
  #lastPairs = new Uint32Array(64)
  #lastStarts = new Uint32Array(65)
  #starts = new Uint32Array(65)

  /**
   * ┌ 1 ┬ (reference u64 ┬ labels uvarint ┬ (length uvarint ┬ bytes)*)* ┐ for the series of `refs` from `from` on, as long as the record stays
   * below `bytesMax`; gives where to go on.
   */
  writeSeries(head: Head, refs: Uint32Array, from: number, references: LogReferences, bytesMax: number): number {
    this.#begin(seriesRecord)
    this.#lastCount = 0
    let i = from
    for (; i < refs.length && this.length < bytesMax; i++) this.#writeOneSeries(head, refs[i]!, references.of(refs[i]!))
    return i
  }

  /**
   * ┌ 2 ┬ first reference u64 ┬ first time u64 ┬ (Δreference varint ┬ Δtime varint ┬ value bits u64)* ┐, all deltas against the
   * first sample, which is repeated with deltas 0. Samples `from`…`to - 1` of the pending ones.
   */
  writeSamples(pending: PendingSamples, from: number, to: number, references: LogReferences): void {
    this.#begin(samplesRecord)
    this.#reserve(16 + (to - from) * sampleBytesMax)
    const { words, doubles } = pending
    const firstAt = from * pendingField.pendingWords
    const { table } = references
    const baseRef = references.of(words[firstAt + pendingField.pendingRef]!)
    const baseTimeMs = doubles[firstAt >>> 1]!
    this.#putU64(baseRef)
    this.#putU64(baseTimeMs)
    // The loop writes every sample of the process: one- and two-byte deltas in place, all others through the function.
    const { bytes } = this
    const view = this.#view
    let at = this.length
    for (let i = from; i < to; i++) {
      const sample = i * pendingField.pendingWords
      const ref = words[sample + pendingField.pendingRef]!
      const refDelta = (table === undefined ? ref : table[ref]!) - baseRef
      if (refDelta >= 0 && refDelta < 64) {
        bytes[at++] = refDelta << 1
      } else if (refDelta >= 0 && refDelta < 8192) {
        bytes[at] = ((refDelta << 1) & 0x7f) | 0x80
        bytes[at + 1] = refDelta >>> 6
        at += 2
      } else {
        at = putVarint(bytes, at, refDelta)
      }
      const timeDelta = doubles[sample >>> 1]! - baseTimeMs
      if (timeDelta === 0) bytes[at++] = 0
      else at = putVarint(bytes, at, timeDelta)
      view.setUint32(at, words[sample + pendingField.pendingHigh]!)
      view.setUint32(at + 4, words[sample + pendingField.pendingLow]!)
      at += 8
    }
    this.length = at
  }

  #begin(type: number): void {
    if (this.bytes.length > bytesKept) this.#replace(firstBytes)
    this.bytes[0] = type
    this.length = 1
  }

  #writeOneSeries(head: Head, ref: number, logRef: number): void {
    const { symbols, pairs } = head
    const list = head.labelList(ref)
    const words = head.memory.labels.words[list >>> wordShift]!
    const listAt = list & wordMask
    const count = words[listAt]!
    this.#reserve(8 + varintBytesMax)
    this.#putU64(logRef)
    this.length = putUvarint(this.bytes, this.length, count)
    if (count > this.#lastPairs.length) this.#makeRoom(2 * count)
    const last = this.#lastPairs
    const lastStarts = this.#lastStarts
    const starts = this.#starts
    // Labels that the series before has at the same places are copied from there, as many at a time as follow each other.
    let from = 0
    let to = 0
    for (let i = 0; i < count; i++) {
      const pair = words[listAt + 1 + i]!
      if (i < this.#lastCount && last[i] === pair) {
        if (to === 0) from = lastStarts[i]!
        to = lastStarts[i + 1]!
        starts[i] = this.length + lastStarts[i]! - from
        continue
      }
      if (to > 0) this.#copy(from, to)
      to = 0
      last[i] = pair
      starts[i] = this.length
      for (let symbol = pairs.name(pair), part = 0; part < 2; part++, symbol = pairs.value(pair)) {
        const length = symbols.length(symbol)
        this.#reserve(varintBytesMax + length)
        this.length = putUvarint(this.bytes, this.length, length)
        this.length = symbols.copy(symbol, this.bytes, this.length)
      }
    }
    if (to > 0) this.#copy(from, to)
    starts[count] = this.length
    this.#lastCount = count
    this.#lastStarts = starts
    this.#starts = lastStarts
  }

  /** Bytes of this record once more. */
  #copy(from: number, to: number): void {
    this.#reserve(to - from)
    this.bytes.copyWithin(this.length, from, to)
    this.length += to - from
  }

  #makeRoom(labels: number): void {
    this.#lastPairs = growWords(this.#lastPairs, labels)
    this.#lastStarts = growWords(this.#lastStarts, labels + 1)
    this.#starts = new Uint32Array(labels + 1)
  }

  #putU64(value: number): void {
    this.#view.setUint32(this.length, Math.floor(value / 0x1_0000_0000))
    this.#view.setUint32(this.length + 4, value >>> 0)
    this.length += 8
  }

  #reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    this.#replace(Math.max(this.length + count, this.bytes.length * 2))
  }

  #replace(size: number): void {
    const bytes = new Uint8Array(size)
    bytes.set(this.bytes.subarray(0, Math.min(size, this.length)))
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer)
  }
}

function putUvarint(bytes: Uint8Array, at: number, value: number): number {
  let end = at
  let rest = value
  while (rest >= 128) {
    bytes[end++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  bytes[end++] = rest
  return end
}

/** As Go's PutVarint: zigzag. */
function putVarint(bytes: Uint8Array, at: number, value: number): number {
  return putUvarint(bytes, at, value < 0 ? -value * 2 - 1 : value * 2)
}
