import { HistogramCell } from '@narthex/service/metrics'
import type { BlockChunk } from '../block/block-writer.ts'

/** `count` bounds: start, start × factor, …. */
function exponentialBounds(start: number, factor: number, count: number): number[] {
  const bounds = [start]
  while (bounds.length < count) bounds.push(bounds.at(-1)! * factor)
  return bounds
}

/** Prometheus' bounds. Its ranges are milliseconds, whatever the name of the metric says. */
export const chunkBounds = {
  bytes: exponentialBounds(32, 1.5, 12),
  samples: exponentialBounds(4, 1.5, 12),
  rangeMs: exponentialBounds(100, 4, 10),
} as const

type Kind = keyof typeof chunkBounds

/** Plain data, which crosses from a thread to another. */
export type ChunkCounts = Readonly<Record<Kind, { readonly counts: Float64Array; readonly sum: number; readonly count: number }>>

/** How large the chunks of a block are. */
export class ChunkStatistics {
  readonly #cells: Readonly<Record<Kind, HistogramCell>> = {
    bytes: new HistogramCell(chunkBounds.bytes),
    samples: new HistogramCell(chunkBounds.samples),
    rangeMs: new HistogramCell(chunkBounds.rangeMs),
  }

  add(chunks: readonly BlockChunk[]): void {
    const { bytes, samples, rangeMs } = this.#cells
    for (const { data, minTimeMs, maxTimeMs } of chunks) {
      bytes.observe(data.length)
      // Every encoding that is written here begins with the number of its samples.
      samples.observe(data[0]! * 256 + data[1]!)
      rangeMs.observe(maxTimeMs - minTimeMs)
    }
  }

  counts(): ChunkCounts {
    const take = ({ counts, sum, count }: HistogramCell) => ({ counts: counts.slice(), sum, count })
    const { bytes, samples, rangeMs } = this.#cells
    return { bytes: take(bytes), samples: take(samples), rangeMs: take(rangeMs) }
  }
}
