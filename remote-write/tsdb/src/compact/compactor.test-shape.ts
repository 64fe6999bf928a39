/** What the processes of compactor.crash.test.ts and it itself know. */
export const crashChunkRangeMs = 2000
export const crashSeries = 5
/** Blocks that end so much before the newest one are dropped. */
export const crashRetentionMs = 20_000
/** One more series of this name has the same samples, of which all but the newest are deleted now and then. */
export const crashDeletedName = 'd'
/** And one has the even times in order, and the odd ones so much later: some come when the block of their time is there. */
export const crashLateName = 'l'
export const crashLateMs = 1501
/** What the writer says before and after it deletes everything up to a time. */
export const crashDeleting = 'deleting'
export const crashDeleted = 'deleted'
