/**
 * Whether a counter began anew before the sample at `timeMs`, by the times (ms; 0 = not known) at which counting began for it and for the sample
 * before: it did after that sample, or, if it is another beginning, at it. One that begins with its sample, or behind it, says nothing.
 */
export function isResetByStart(timeMs: number, startMs: number, previousMs: number, previousStartMs: number): boolean {
  return startMs !== 0 && startMs < timeMs && (startMs > previousMs || (startMs === previousMs && startMs !== previousStartMs))
}

/** A counter that began before the sample before it, and yet not when that one did: samples that count the same things twice. */
export function isOverlapping(startMs: number, previousMs: number, previousStartMs: number): boolean {
  return startMs !== 0 && startMs < previousMs && startMs !== previousStartMs
}
