import type { SampleColumns } from '@narthex/model/sample-columns'
import { wordsPerWindow } from '../head/shared-arena.ts'
import { BitReader } from './bit-reader.ts'
import {
  floatHistogramEncoding,
  floatHistogramStEncoding,
  histogramEncoding,
  histogramStEncoding,
  nameOfEncoding,
  xor2Encoding,
  xorEncoding,
} from './chunk-encoding.ts'
import type { HistogramColumns } from '@narthex/model/histogram-columns'
import { readHistograms } from './histogram-decoder.ts'
import type { StartTimeColumn } from './start-time-column.ts'
import { decodeXorChunk } from './xor-chunk.ts'
import { ChunkError } from './xor-decoder.ts'
import { readXor2 } from './xor2-decoder.ts'

/** Longer chunks are damaged: those that Prometheus cuts have some kilobytes. */
export const chunkBytesMax = wordsPerWindow * 4

/** Where decoded samples go; the caller owns and clears it. */
export interface ChunkColumns {
  readonly floats: SampleColumns
  /** Filled beside `floats`, one for each, if it is there. */
  readonly startTimes?: StartTimeColumn
  readonly histograms: HistogramColumns
}

/**
 * Appends the samples of a chunk with minTimeMs ≤ time ≤ maxTimeMs; stops at the first one later than that. `bytes` are the chunk's data
 * as in a file, without length, encoding and checksum. Throws `ChunkError` for bytes that are no such chunk, with `into` as it was. At
 * most 65,535 samples and `bucketCountsMax` bucket counts come of it.
 */
export function decodeChunk(encoding: number, bytes: Uint8Array, into: ChunkColumns, minTimeMs = -Infinity, maxTimeMs = Infinity): void {
  if (bytes.length > chunkBytesMax) throw new ChunkError(`cannot read chunk: want at most ${chunkBytesMax} bytes, got ${bytes.length}`)
  const { floats, startTimes, histograms } = into
  const floatsBefore = floats.length
  const startTimesBefore = startTimes?.length
  const histogramsBefore = histograms.length
  const layoutsBefore = histograms.layouts.length
  try {
    decode(encoding, bytes, into, minTimeMs, maxTimeMs)
  } catch (error) {
    floats.length = floatsBefore
    if (startTimes !== undefined) startTimes.length = startTimesBefore!
    histograms.truncate(histogramsBefore)
    histograms.layouts.length = layoutsBefore
    throw error
  }
}

function decode(encoding: number, bytes: Uint8Array, into: ChunkColumns, minTimeMs: number, maxTimeMs: number): void {
  const { floats, startTimes, histograms } = into
  switch (encoding) {
    case xorEncoding: {
      const before = floats.length
      decodeXorChunk(bytes, floats, minTimeMs, maxTimeMs)
      return startTimes?.pushUnknown(floats.length - before)
    }
    case xor2Encoding: {
      const reader = new BitReader(bytes)
      return readXor2(reader, reader.bits(16), floats, startTimes, minTimeMs, maxTimeMs)
    }
    case histogramEncoding:
    case floatHistogramEncoding:
    case histogramStEncoding:
    case floatHistogramStEncoding: {
      const isFloat = encoding === floatHistogramEncoding || encoding === floatHistogramStEncoding
      const hasStartTimes = encoding === histogramStEncoding || encoding === floatHistogramStEncoding
      return readHistograms(new BitReader(bytes), isFloat, hasStartTimes, histograms, minTimeMs, maxTimeMs)
    }
    default:
      throw new ChunkError(`cannot read chunk: want encoding 1 to 6, got ${encoding} (${nameOfEncoding(encoding)})`)
  }
}
