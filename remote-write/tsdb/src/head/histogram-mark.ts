import { customBucketsSchema } from '@narthex/model/native-histogram'

// What stands as the last value of a series whose last sample is a histogram: a mark in the high word, a hash of the histogram in the low one.
// It is the high word of NaNs that nobody makes. A float that has it all the same is kept as it is: it only ends what follows a histogram.
const mark = 0x7ff4_4840
const kindMask = 3
const floatBit = 1
const customBit = 2

/** Undefined is a histogram that ended: a stale marker. */
export function histogramMark(isFloat: boolean, schema: number | undefined): number {
  return mark | (isFloat ? floatBit : 0) | (schema === customBucketsSchema ? customBit : 0)
}

/** Whether the last value is a histogram's. */
export function isHistogramMark(highWord: number): boolean {
  return (highWord & ~kindMask) === mark
}

export function isFloatMark(highWord: number): boolean {
  return (highWord & floatBit) !== 0
}

export function isCustomMark(highWord: number): boolean {
  return (highWord & customBit) !== 0
}

/** Whether samples with these high words are of two kinds, which stand in different chunks and records. */
export function isOtherKind(highWord: number, previousHighWord: number): boolean {
  const isHistogram = isHistogramMark(highWord)
  return isHistogram !== isHistogramMark(previousHighWord) || (isHistogram && highWord !== previousHighWord)
}
