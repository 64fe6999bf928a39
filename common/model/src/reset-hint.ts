/**
 * What is known of a histogram's counter against the sample before it. The codes are the top two bits of a histogram chunk's flags, which
 * speak of its first sample; within a chunk there is no reset.
 */
export const unknownReset = 0
export const noReset = 1
export const counterReset = 2
/** No counter at all; a chunk's histograms all are, or none is. */
export const gaugeHistogram = 3

export type ResetHint = typeof unknownReset | typeof noReset | typeof counterReset | typeof gaugeHistogram
