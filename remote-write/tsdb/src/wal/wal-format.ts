// Prometheus' write-ahead log. FORMAT.md, "The log".

export const pageBytes = 32 * 1024
export const segmentBytesMax = 128 * 1024 * 1024
/** A record longer than this uncompressed is taken for damage. */
export const recordBytesMax = 32 * 1024 * 1024

// ┌ kind 1 B ┬ length 2 B ┬ crc32c 4 B ┬ data ┐  big endian; a record is one full fragment, or first, middle…, last
export const fragmentHeaderBytes = 7
// The low three bits of kind:
export const pageEnd = 0
export const fullFragment = 1
export const firstFragment = 2
export const middleFragment = 3
export const lastFragment = 4
export const fragmentKindMask = 7
// The record as a whole, before it was cut into fragments:
export const snappyFlag = 8
export const zstdFlag = 16

// The first byte of a record:
export const seriesRecord = 1
export const samplesRecord = 2
export const tombstonesRecord = 3
export const exemplarsRecord = 4
/** Only in the log of out-of-order samples. */
export const mmapMarkersRecord = 5
export const metadataRecord = 6
export const histogramSamplesRecord = 7
export const floatHistogramSamplesRecord = 8
export const customHistogramSamplesRecord = 9
export const customFloatHistogramSamplesRecord = 10
// With start times:
export const samplesV2Record = 11
export const histogramSamplesV2Record = 12
export const floatHistogramSamplesV2Record = 13
/** Ours: the highest reference given out before this segment. Prometheus passes over types that it does not know. */
export const highestReferenceRecord = 128

export function isSamples(type: number): boolean {
  return type === samplesRecord || type === samplesV2Record
}

export function isHistograms(type: number): boolean {
  return (
    (type >= histogramSamplesRecord && type <= customFloatHistogramSamplesRecord) ||
    type === histogramSamplesV2Record ||
    type === floatHistogramSamplesV2Record
  )
}

/** References of series stay below 2^40, as the index of Prometheus' head wants. */
export const referenceMax = 2 ** 40 - 1

/** Thrown when bytes of the log disagree with the format; the caller decides what to keep. */
export class CorruptionError extends Error {
  override name = 'CorruptionError'
}

export function segmentName(index: number): string {
  return String(index).padStart(8, '0')
}

/** Whether the entries of this type have histograms of floats. */
export function hasFloatHistograms(type: number): boolean {
  return type === floatHistogramSamplesRecord || type === customFloatHistogramSamplesRecord || type === floatHistogramSamplesV2Record
}
