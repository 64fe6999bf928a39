import { endOfRange } from '../head/chunk-time.ts'

interface RangeBegin {
  readonly startMs: number
  /** The first segment that may have more than a few samples from `startMs` on. */
  readonly segment: number
}

export interface LogRangesOptions {
  /** Of a block. */
  readonly rangeMs: number
  /** The newest sample of the log; -Infinity: it has none. */
  readonly newestMs: number
  /** Index of the segment being written. */
  readonly segment: number
  /** Goes on in a new segment and gives its index; may throw. */
  readonly nextSegment: () => number
}

/**
 * Begins a segment of a log whenever its samples reach the range of the next block, and knows where that was: so the log can be cut there when the
 * block of the range before is written. Prometheus cuts off two thirds of its log then, whatever is in them, and keeps up to three ranges.
 */
export class LogRanges {
  readonly #options: LogRangesOptions
  /** Ascending in both. */
  #begins: RangeBegin[]
  #endMs: number

  constructor(options: LogRangesOptions) {
    const { newestMs, segment, rangeMs } = options
    this.#options = options
    this.#begins = [{ startMs: newestMs + 1, segment }]
    this.#endMs = newestMs === -Infinity ? newestMs : endOfRange(newestMs, rangeMs)
  }

  /** After a commit; `newestMs`: of all samples. */
  follow(newestMs: number): void {
    if (newestMs < this.#endMs) return
    const isFirst = this.#endMs === -Infinity
    const startMs = this.#endMs
    this.#endMs = endOfRange(newestMs, this.#options.rangeMs)
    if (isFirst) return
    try {
      this.#begins.push({ startMs, segment: this.#options.nextSegment() })
    } catch {
      // A full disk, which the log tells of; the range then begins in the middle of a segment.
    }
  }

  /** The last segment that, as all before it, has hardly a sample from `minTimeMs` on; -1: none is known to be so. */
  settledSegment(minTimeMs: number): number {
    const begin = this.#begins.findLast(({ startMs }) => startMs <= minTimeMs)
    return begin === undefined ? -1 : begin.segment - 1
  }

  /** Segments up to `lastSegment` are gone. */
  forget(lastSegment: number): void {
    this.#begins = this.#begins.filter(({ segment }) => segment > lastSegment + 1)
  }
}
