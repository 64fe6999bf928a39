import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { crc32c } from '@narthex/bytes/crc32c'
import type { SampleColumns } from '@narthex/model/sample-columns'
import { BlockError, asBlockError } from './block-error.ts'
import { replaceBlockFile } from './output-file.ts'

export const tombstonesFileName = 'tombstones'
const tombstonesMagic = 0x0130ba30
const tombstonesVersion = 1
// ┌ magic 4 B ┬ version 1 B ┬ (series uvarint ┬ first ms varint ┬ last ms varint)* ┬ crc32c of the stones 4 B ┐
const headerBytes = 5
const crcBytes = 4
const fileBytesMax = 256 * 1024 * 1024

/** Which times of which series are deleted: per series intervals of milliseconds, both ends included, ascending and apart. */
export class Tombstones {
  // first, last, first, last, …
  readonly #stones = new Map<number, number[]>()

  /** Number of intervals. */
  get count(): number {
    let count = 0
    for (const intervals of this.#stones.values()) count += intervals.length / 2
    return count
  }

  get isEmpty(): boolean {
    return this.#stones.size === 0
  }

  /** References of the series that have intervals, ascending. */
  references(): number[] {
    return [...this.#stones.keys()].sort((a, b) => a - b)
  }

  /** first, last, first, last, … of a series; undefined if it has none. */
  intervals(reference: number): readonly number[] | undefined {
    return this.#stones.get(reference)
  }

  /** Adds an interval; those that overlap or follow each other by 1 ms become one. */
  add(reference: number, firstMs: number, lastMs: number): void {
    if (!(firstMs <= lastMs)) throw new RangeError(`cannot add tombstone: want an end at or after ${firstMs}, got ${lastMs}`)
    const first = clampTime(firstMs)
    const last = clampTime(lastMs)
    const intervals = this.#stones.get(reference)
    if (intervals === undefined) {
      this.#stones.set(reference, [first, last])
      return
    }
    addInterval(intervals, first, last)
  }

  /** Takes the deleted samples of a series out of `samples` from position `from` on; bits are kept. */
  apply(reference: number, samples: SampleColumns, from = 0): void {
    const intervals = this.#stones.get(reference)
    if (intervals !== undefined) dropDeleted(intervals, samples, from)
  }

  /** As a file. */
  encode(): Uint8Array {
    const writer = new ByteWriter()
    writer.u32be(tombstonesMagic)
    writer.u8(tombstonesVersion)
    for (const reference of this.references()) {
      const intervals = this.#stones.get(reference)!
      for (let i = 0; i < intervals.length; i += 2) {
        writer.uvarint(reference)
        writer.varint(intervals[i]!)
        writer.varint(intervals[i + 1]!)
      }
    }
    writer.u32be(crc32c(writer.bytes, headerBytes, writer.length))
    return writer.view()
  }

  /** Of a file; times beyond ±2^53 ms are read as that. `path` is for the errors. */
  static decode(bytes: Uint8Array, path: string): Tombstones {
    if (bytes.length < headerBytes + crcBytes) {
      throw BlockError.damage(path, 0, `want at least ${headerBytes + crcBytes} bytes, got ${bytes.length}`)
    }
    const reader = new ByteReader(bytes)
    const magic = reader.u32be()
    if (magic !== tombstonesMagic) throw BlockError.damage(path, 0, `want magic ${tombstonesMagic.toString(16)}, got ${magic.toString(16)}`)
    const version = reader.u8()
    if (version !== tombstonesVersion) throw BlockError.damage(path, 4, `want version ${tombstonesVersion}, got ${version}`)
    const end = bytes.length - crcBytes
    const stored = new ByteReader(bytes, end).u32be()
    const sum = crc32c(bytes, headerBytes, end)
    if (sum !== stored) throw BlockError.damage(path, end, `want checksum ${stored}, got ${sum}`)
    const stones = new Tombstones()
    reader.end = end
    while (reader.remaining > 0) {
      const at = reader.offset
      try {
        stones.add(reader.uvarint(), reader.varint(), reader.varint())
      } catch (cause) {
        throw asBlockError(path, at, cause)
      }
    }
    return stones
  }

  /** Of the file at `path`; no file means none. */
  static read(path: string): Tombstones {
    let bytes: Uint8Array
    try {
      const { size } = statSync(path)
      if (size > fileBytesMax) throw BlockError.damage(path, 0, `want at most ${fileBytesMax} bytes, got ${size}`)
      bytes = readFileSync(path)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new Tombstones()
      throw asBlockError(path, 0, cause)
    }
    return Tombstones.decode(bytes, path)
  }
}

/** Replaces the file of a block; when it resolves the new one survives a power cut. Before that either the old or the new one stands there. */
export async function writeTombstones(directory: string, stones: Tombstones): Promise<void> {
  const bytes = stones.encode()
  const path = join(directory, tombstonesFileName)
  if (bytes.length > fileBytesMax) {
    throw new BlockError('write', path, 0, `want at most ${fileBytesMax} bytes of deletions, got ${bytes.length}: clean tombstones first`)
  }
  await replaceBlockFile(directory, tombstonesFileName, bytes)
}

/** Whether the block has a file with at least one deletion, or one that cannot be right. */
export function hasTombstones(directory: string): boolean {
  return (statSync(join(directory, tombstonesFileName), { throwIfNoEntry: false })?.size ?? 0) > headerBytes + crcBytes
}

/** Adds [first, last] to ascending intervals that are apart; those that overlap or follow each other by 1 ms become one. */
export function addInterval(intervals: number[], first: number, last: number): void {
  let from = 0
  while (from < intervals.length && intervals[from + 1]! < first - 1) from += 2
  let to = from
  let joinedFirst = first
  let joinedLast = last
  for (; to < intervals.length && intervals[to]! <= last + 1; to += 2) {
    joinedFirst = Math.min(joinedFirst, intervals[to]!)
    joinedLast = Math.max(joinedLast, intervals[to + 1]!)
  }
  intervals.splice(from, to - from, joinedFirst, joinedLast)
}

/** Takes the samples in the intervals out of `samples` from position `from` on; bits are kept. */
export function dropDeleted(intervals: ArrayLike<number>, samples: SampleColumns, from: number): void {
  const { times, words } = samples
  let kept = from
  let interval = 0
  for (let i = from; i < samples.length; i++) {
    const time = times[i]!
    while (interval < intervals.length && intervals[interval + 1]! < time) interval += 2
    if (interval < intervals.length && intervals[interval]! <= time) continue
    times[kept] = time
    words[2 * kept] = words[2 * i]!
    words[2 * kept + 1] = words[2 * i + 1]!
    kept++
  }
  samples.length = kept
}

/** Whether one interval has all of [firstMs, lastMs]. */
export function isAllDeleted(intervals: ArrayLike<number>, firstMs: number, lastMs: number): boolean {
  for (let i = 0; i < intervals.length; i += 2) if (intervals[i]! <= firstMs && intervals[i + 1]! >= lastMs) return true
  return false
}

function clampTime(timeMs: number): number {
  return Math.min(Math.max(timeMs, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
}
