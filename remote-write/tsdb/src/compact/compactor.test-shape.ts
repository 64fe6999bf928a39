/** What the processes of compactor.crash.test.ts and it itself know. */
export const crashChunkRangeMs = 2000
export const crashSeries = 5
