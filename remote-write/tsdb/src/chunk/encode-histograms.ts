import { unknownReset } from '@narthex/model/reset-hint'
import type { ResetHint } from '@narthex/model/reset-hint'
import { HistogramChunkAppender, histogramChunkBytesTarget, histogramChunkSamplesMin } from './histogram-chunk-appender.ts'
import type { HistogramColumns } from '@narthex/model/histogram-columns'

/** A chunk as in a chunk file. */
export interface EncodedChunk {
  readonly minTimeMs: number
  readonly maxTimeMs: number
  readonly encoding: number
  readonly data: Uint8Array
}

/** Samples `from`…`to - 1` as chunks; `header` is for the first sample. With `ends` a chunk ends where it has grown to Prometheus' size. */
export function encodeHistograms(
  columns: HistogramColumns,
  from: number,
  to: number,
  header: ResetHint,
  ends: boolean,
  into: EncodedChunk[],
): void {
  if (from === to) return
  const { times } = columns
  let chunk = new HistogramChunkAppender(columns.layout(from).isFloat, header)
  let first = from
  const put = (end: number): void => {
    into.push({ encoding: chunk.encoding, minTimeMs: times[first]!, maxTimeMs: times[end - 1]!, data: chunk.bytes() })
  }
  for (let i = from; i < to; i++) {
    const isFull = ends && chunk.sampleCount >= histogramChunkSamplesMin && chunk.byteLength >= histogramChunkBytesTarget
    const next = isFull ? chunk.headerOfNextFrom(columns, i) : chunk.appendFrom(columns, i)
    if (next === undefined) continue
    put(i)
    chunk = new HistogramChunkAppender(columns.layout(i).isFloat, next)
    chunk.appendFrom(columns, i)
    first = i
  }
  put(to)
}

/** What a chunk says of its first sample if it begins with sample `i` of columns: what the columns know, unless samples before it are left out. */
export function headerOf(columns: HistogramColumns, i: number, isFirstOfChunk: boolean): ResetHint {
  return isFirstOfChunk ? (columns.hints[i] as ResetHint) : unknownReset
}
