/**
 * A series record is 16 words in the `series` arena, one cache line; series `ref` (1, 2, …) lies at word `ref * 16`.
 * Everything an append touches is here, except the tail of the open chunk.
 */
export const recordShift = 4
export const recordWords = 1 << recordShift
/** Series per 4 MiB window. */
export const seriesPerWindowShift = 16
export const seriesPerWindowMask = 0xffff

// Word 0-1: time of the newest sample taken, pending ones included, as a double; -Infinity before the first.
export const lastTimeField = 0
// Word 2-3: its value.
export const lastLowField = 2
export const lastHighField = 3
// Word 4-7: state of the open chunk's encoder (chunk/open-chunk.ts).
export const encoderField = 4
/** First piece of the open chunk; 0 = none. */
export const openChunkField = 8
/** Word index of the label list. */
export const labelsField = 9
// Word 10-11: the open chunk ends before this time, as a double.
export const nextChunkTimeField = 10
/** Samples ever added to chunks (modulo 2^32), and as it was before commit `lastCommit`. */
export const totalField = 12
export const previousTotalField = 13
/** The newest commit that touched this series, and the one before it. */
export const lastCommitField = 14
export const previousCommitField = 15
