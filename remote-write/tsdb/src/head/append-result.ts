/** What `append` answers: 0 is accepted (also for the very sample that is there already). */
export const accepted = 0
export const duplicateSample = 1
export const outOfOrder = 2
export const outOfBounds = 3
/** Older than the window for late samples. */
export const tooOld = 4
export const tooFarInFuture = 5
export const unknownSeries = 6
/** The hard memory ceiling is reached: the request should be answered as temporarily refused (5xx), so that it is sent again. */
export const memoryCeiling = 7

/** A histogram that is none; `Head.refusal` says why. */
export const invalidHistogram = 8

export type AppendResult = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8

const texts = [
  'accepted',
  'duplicate sample for timestamp',
  'out of order sample',
  'out of bounds',
  'too old sample',
  // Prometheus says the same for a sample more than ten minutes ahead.
  'out of bounds',
  'unknown series reference',
  'memory ceiling of the head reached',
  'invalid histogram',
] as const

/** Prometheus' text for a result. */
export function describeAppendResult(result: number): string {
  return texts[result] ?? `unknown append result ${result}`
}
