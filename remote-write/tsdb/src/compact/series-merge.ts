import { SampleColumns } from '@narthex/model/sample-columns'
import type { BlockChunk } from '../block/block-writer.ts'
import { isHistogramEncoding, xorEncoding } from '../chunk/chunk-encoding.ts'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import { HistogramChunkAppender, histogramChunkBytesTarget, histogramChunkSamplesMin } from '../chunk/histogram-chunk-appender.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { encodeXorChunk } from '../chunk/xor-encoder.ts'
import type { BlockCursor } from './block-cursor.ts'

/** Of a float chunk that is written anew, as Prometheus does it. */
const samplesPerChunk = 120

/** A chunk of one of the blocks. */
interface SourceChunk {
  readonly cursor: BlockCursor
  /** Which of the series' chunks. */
  readonly i: number
  readonly minTimeMs: number
  readonly maxTimeMs: number
  /** Some of its samples are deleted. */
  readonly hasDeleted: boolean
}

const floats = new SampleColumns(256)
const histograms = new HistogramColumns()

/**
 * The chunks of one series that several blocks have, without what their tombstones delete. A chunk that overlaps no other and has nothing
 * deleted goes over as it is; the samples of others are decoded and written anew, each time once, that of the cursor named first. Start times
 * of chunks that are written anew are lost: those encodings are read only.
 */
export function mergeSeries(cursors: readonly BlockCursor[]): BlockChunk[] {
  const sources = cursors.flatMap(listChunks).sort((a, b) => a.minTimeMs - b.minTimeMs)
  const merged: BlockChunk[] = []
  for (let from = 0; from < sources.length;) {
    let to = from + 1
    let { maxTimeMs } = sources[from]!
    for (; to < sources.length && sources[to]!.minTimeMs <= maxTimeMs; to++) maxTimeMs = Math.max(maxTimeMs, sources[to]!.maxTimeMs)
    const first = sources[from]!
    if (to === from + 1 && !first.hasDeleted) merged.push(copyChunk(first))
    else rewrite(sources.slice(from, to), cursors, merged)
    from = to
  }
  return merged
}

function listChunks(cursor: BlockCursor): SourceChunk[] {
  const { series, block } = cursor
  const deleted = block.tombstones.intervals(series.reference)
  return Array.from({ length: series.chunkCount }, (_, i) => {
    const minTimeMs = series.minTimes[i]!
    const maxTimeMs = series.maxTimes[i]!
    return { cursor, i, minTimeMs, maxTimeMs, hasDeleted: deleted !== undefined && reaches(deleted, minTimeMs, maxTimeMs) }
  })
}

function reaches(intervals: readonly number[], minTimeMs: number, maxTimeMs: number): boolean {
  for (let i = 0; i < intervals.length; i += 2) if (intervals[i]! <= maxTimeMs && intervals[i + 1]! >= minTimeMs) return true
  return false
}

function copyChunk({ cursor, i, minTimeMs, maxTimeMs }: SourceChunk): BlockChunk {
  const { encoding, data } = cursor.block.chunk(cursor.series.chunks[i]!)
  return { encoding, minTimeMs, maxTimeMs, data }
}

/** Decodes the chunks in the order of their cursors, so that of equal times the first one comes first. */
function rewrite(sources: readonly SourceChunk[], cursors: readonly BlockCursor[], into: BlockChunk[]): void {
  floats.clear()
  histograms.clear()
  const positions: number[] = []
  for (const cursor of cursors) {
    for (const source of sources) {
      if (source.cursor !== cursor) continue
      const { encoding, data } = cursor.block.chunk(cursor.series.chunks[source.i]!)
      const floatsBefore = floats.length
      const histogramsBefore = histograms.length
      decodeChunk(encoding, data, { floats, histograms })
      const deleted = cursor.block.tombstones.intervals(cursor.series.reference) ?? []
      if (isHistogramEncoding(encoding)) {
        for (let i = histogramsBefore; i < histograms.length; i++) if (!isIn(deleted, histograms.times[i]!)) positions.push(-1 - i)
      } else {
        for (let i = floatsBefore; i < floats.length; i++) if (!isIn(deleted, floats.times[i]!)) positions.push(i)
      }
    }
  }
  // Of a float and a histogram of one time the float counts, as in queries.
  positions.sort((a, b) => timeOf(a) - timeOf(b) || Number(b >= 0) - Number(a >= 0))
  const unique = positions.filter((position, at) => at === 0 || timeOf(position) !== timeOf(positions[at - 1]!))
  for (let from = 0; from < unique.length;) {
    const isFloat = unique[from]! >= 0
    let to = from + 1
    while (to < unique.length && unique[to]! >= 0 === isFloat) to++
    if (isFloat) writeFloats(unique.slice(from, to), into)
    else writeHistograms(unique.slice(from, to), into)
    from = to
  }
}

/** 0 and above is a float, below a histogram. */
function timeOf(position: number): number {
  return position >= 0 ? floats.times[position]! : histograms.times[-1 - position]!
}

function isIn(intervals: readonly number[], timeMs: number): boolean {
  return intervals.length > 0 && reaches(intervals, timeMs, timeMs)
}

function writeFloats(positions: readonly number[], into: BlockChunk[]): void {
  for (let from = 0; from < positions.length; from += samplesPerChunk) {
    const chunk = new SampleColumns(samplesPerChunk)
    for (const i of positions.slice(from, from + samplesPerChunk)) {
      chunk.push(floats.times[i]!, floats.words[2 * i]!, floats.words[2 * i + 1]!)
    }
    const data = encodeXorChunk(chunk, 0, chunk.length)
    into.push({ encoding: xorEncoding, minTimeMs: chunk.times[0]!, maxTimeMs: chunk.times[chunk.length - 1]!, data })
  }
}

function writeHistograms(positions: readonly number[], into: BlockChunk[]): void {
  let chunk = new HistogramChunkAppender(histograms.layout(-1 - positions[0]!).isFloat)
  let minTimeMs = timeOf(positions[0]!)
  let maxTimeMs = minTimeMs
  for (const position of positions) {
    const i = -1 - position
    const isFull = chunk.sampleCount >= histogramChunkSamplesMin && chunk.byteLength >= histogramChunkBytesTarget
    const header = isFull ? chunk.headerOfNextFrom(histograms, i) : chunk.appendFrom(histograms, i)
    if (header !== undefined) {
      into.push({ encoding: chunk.encoding, minTimeMs, maxTimeMs, data: chunk.bytes() })
      chunk = new HistogramChunkAppender(histograms.layout(i).isFloat, header)
      chunk.appendFrom(histograms, i)
      minTimeMs = timeOf(position)
    }
    maxTimeMs = timeOf(position)
  }
  into.push({ encoding: chunk.encoding, minTimeMs, maxTimeMs, data: chunk.bytes() })
}
