import type { ByteQueue } from './byte-queue.ts'
import type { PackedBytes } from './packed-bytes.ts'

/** Exemplars in the order in which they came, in memory that any thread may read; nobody writes to it any more. */
export interface ExemplarSnapshot {
  readonly count: number
  readonly times: Float64Array
  /** Value bits, low and high word. */
  readonly words: Uint32Array
  /** The series of each, a number below the length of `series.starts`. */
  readonly owners: Int32Array
  readonly labels: TextColumn
  readonly series: TextColumn
}

/** Labels i are `bytes` at [starts[i], starts[i] + lengths[i]): ┌ count uvarint ┬ (length uvarint ┬ bytes)* ┐. */
export interface TextColumn {
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
  readonly lengths: Uint32Array
}

interface SnapshotSource {
  readonly count: number
  slotAt(i: number): number
  readonly times: Float64Array
  readonly words: Uint32Array
  readonly owners: Int32Array
  readonly labels: ByteQueue
  readonly series: PackedBytes
  readonly seriesPlaces: number
}

/** Copies a ring: some ten milliseconds for a hundred thousand exemplars and their labels. */
export function shareSnapshot(source: SnapshotSource): ExemplarSnapshot {
  const { count } = source
  const times = new Float64Array(new SharedArrayBuffer(8 * count))
  const words = new Uint32Array(new SharedArrayBuffer(8 * count))
  const owners = new Int32Array(new SharedArrayBuffer(4 * count))
  const starts = new Uint32Array(new SharedArrayBuffer(4 * count))
  const lengths = new Uint32Array(new SharedArrayBuffer(4 * count))
  for (let i = 0; i < count; i++) {
    const slot = source.slotAt(i)
    times[i] = source.times[slot]!
    words[2 * i] = source.words[2 * slot]!
    words[2 * i + 1] = source.words[2 * slot + 1]!
    owners[i] = source.owners[slot]!
    starts[i] = source.labels.starts[slot]!
    lengths[i] = source.labels.lengths[slot]!
  }
  return {
    count,
    times,
    words,
    owners,
    labels: { bytes: shareBytes(source.labels.bytes, source.labels.bytes.length), starts, lengths },
    series: {
      bytes: shareBytes(source.series.bytes, source.series.end),
      starts: shareWords(source.series.starts, source.seriesPlaces),
      lengths: shareWords(source.series.lengths, source.seriesPlaces),
    },
  }
}

function shareBytes(bytes: Uint8Array, end: number): Uint8Array {
  const shared = new Uint8Array(new SharedArrayBuffer(end))
  shared.set(bytes.subarray(0, end))
  return shared
}

function shareWords(words: Uint32Array, count: number): Uint32Array {
  const shared = new Uint32Array(new SharedArrayBuffer(4 * count))
  shared.set(words.subarray(0, count))
  return shared
}
