/** Default block range, to whose multiples chunks are aligned. */
export const defaultChunkRangeMs = 2 * 3600 * 1000
export const samplesPerChunk = 120
/**
 * A chunk above this many bytes gets no further sample, as one of at most 19 bytes would pass half a KiB. Newer releases of Prometheus do so at 1,005 bytes; what
 * series of random decimals hold in memory is half of that here, and blocks of node_exporter's metrics grow by 1.6 %.
 */
export const chunkBytesMax = 493

/** The end of the range that `timeMs` is in. Prometheus divides towards zero, so the range around 0 is twice as long. */
export function endOfRange(timeMs: number, rangeMs: number): number {
  return Math.trunc(timeMs / rangeMs) * rangeMs + rangeMs
}

/**
 * When a chunk that is a quarter full at `currentMs` should end, so that the chunks up to `endMs` become about equally long:
 * Prometheus' prediction, to give the same chunks.
 */
export function predictChunkEnd(startMs: number, currentMs: number, endMs: number): number {
  return predictEnd(startMs, currentMs, endMs, 4)
}

/** The same for a chunk of histograms that would be full when it is `ratioToFull` times as long as at `currentMs`. */
export function predictHistogramChunkEnd(startMs: number, currentMs: number, endMs: number, ratioToFull: number): number {
  return predictEnd(startMs, currentMs, endMs, ratioToFull)
}

function predictEnd(startMs: number, currentMs: number, endMs: number, ratioToFull: number): number {
  const chunks = Math.floor((endMs - startMs) / ((currentMs - startMs + 1) * ratioToFull))
  return chunks <= 1 ? endMs : Math.trunc(startMs + (endMs - startMs) / chunks)
}
