/**
 * Whether a counter began anew at a sample, by the times (ms; 0 = not known) at which counting began for it and for the sample before: it did
 * after that sample, or, if it is another beginning, at it.
 */
export function isResetByStart(startMs: number, previousStartMs: number, previousMs: number): boolean {
  return startMs !== 0 && (startMs > previousMs || (startMs === previousMs && startMs !== previousStartMs))
}

/** A counter that began before the sample before it, and yet not when that one did: samples that count the same things twice. */
export function isOverlapping(startMs: number, previousStartMs: number, previousMs: number): boolean {
  return startMs !== 0 && startMs < previousMs && startMs !== previousStartMs
}
