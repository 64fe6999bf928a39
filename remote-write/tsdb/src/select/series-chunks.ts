import type { SampleColumns } from '@narthex/model/sample-columns'
import { xorEncoding } from '../chunk/chunk-encoding.ts'
import { encodeXorChunk } from '../chunk/xor-encoder.ts'

/** A chunk as it may leave the storage; encoding and data as in a chunk file. */
export interface SeriesChunk {
  readonly minTimeMs: number
  readonly maxTimeMs: number
  /** 1 XOR, 2 histogram, 3 float histogram. */
  readonly encoding: number
  readonly data: Uint8Array
}

/** As many as Prometheus aims at. */
const samplesPerChunk = 120

/** Appends samples, times ascending, as chunks. */
export function encodeChunks(samples: SampleColumns, into: SeriesChunk[]): void {
  const { times, length } = samples
  for (let from = 0; from < length; from += samplesPerChunk) {
    const to = Math.min(length, from + samplesPerChunk)
    into.push({
      minTimeMs: times[from]!,
      maxTimeMs: times[to - 1]!,
      encoding: xorEncoding,
      data: encodeXorChunk(samples, from, to),
    })
  }
}

/** The chunks of several sources of a series in the order of time; undefined if their times overlap, so that samples have to be merged. */
export function joinChunks(lists: readonly (readonly SeriesChunk[])[]): readonly SeriesChunk[] | undefined {
  const ordered = lists.filter((list) => list.length > 0).sort((a, b) => a[0]!.minTimeMs - b[0]!.minTimeMs)
  if (ordered.length === 1) return ordered[0]
  const joined: SeriesChunk[] = []
  for (const list of ordered) {
    const before = joined.at(-1)
    if (before !== undefined && list[0]!.minTimeMs <= before.maxTimeMs) return undefined
    joined.push(...list)
  }
  return joined
}
