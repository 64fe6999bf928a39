import { addRange } from './cursor-file.ts'
import type { Cursor, FrameRange } from './cursor-file.ts'
import type { LogReader } from './log-reader.ts'

/** Where one remote is in the log: what it has got, what nobody waits for any more, and who reads for it. */
export class RemotePlace {
  readonly name: string
  /** The reader of the backlog, and the live one while there are two lanes. */
  readers: LogReader[] = []
  cursor: Cursor
  /** The cursor as it stands in the file; undefined before the first. */
  stored: Cursor | undefined
  /** The storing that is under way. */
  storing: Promise<void> | undefined
  /** Where the live lane began; its acknowledged frames lie from here on. */
  #liveFrom = 0

  constructor(name: string, cursor: Cursor, stored: Cursor | undefined) {
    this.name = name
    this.cursor = cursor
    this.stored = stored
  }

  /** The lowest sequence that one of the readers has still to read. */
  get position(): number {
    return Math.min(...this.readers.map((reader) => reader.position))
  }

  /** Whether a reader has this frame still before it. */
  awaits(sequence: number): boolean {
    return this.readers.some((reader) => reader.position <= sequence && sequence < reader.until)
  }

  /** The reader that is there ends at `from`; what `liveReader` delivers from there on is noted apart. */
  openLane(from: number, liveReader: LogReader): void {
    this.readers[0]!.until = from
    this.#liveFrom = from
    const { done, settled, ...cursor } = this.cursor
    // What an earlier lane delivered stays so, and makes room for what this one does.
    if (done !== undefined || settled !== undefined) {
      this.cursor = { ...cursor, settled: done === undefined ? settled! : addRange(settled, done) }
    }
    this.readers.push(liveReader)
  }

  /** All frames before `next` are delivered, and those of the live lane before `liveNext`. */
  acknowledge(next: number, liveNext: number | undefined): void {
    const { cursor } = this
    const live = liveNext !== undefined && liveNext > this.#liveFrom ? { first: this.#liveFrom, end: liveNext } : undefined
    const done = liveNext === undefined ? cursor.done : live
    // Where the backlog ends and the live lane's begins, one number says it all.
    const joined = done !== undefined && next >= done.first ? Math.max(next, done.end) : next
    if (joined < cursor.next) return
    const settled = cursor.settled === undefined ? undefined : rangesBehind(cursor.settled, joined)
    this.cursor = {
      next: joined,
      ...(done === undefined || done.end <= joined ? {} : { done }),
      ...(settled === undefined ? {} : { settled }),
    }
  }

  /** Nobody waits for these frames any more. */
  settle(first: number, end: number): void {
    this.cursor = { ...this.cursor, settled: addRange(this.cursor.settled, { first, end }) }
  }

  /** The first sequence from `sequence` on that is not settled. */
  skipSettled(sequence: number): number {
    const { done, settled } = this.cursor
    if (done !== undefined && isWithin(sequence, done)) return done.end
    for (const range of settled ?? []) if (isWithin(sequence, range)) return range.end
    return sequence
  }

  /** How many sequences from `from` to before `to` are settled: delivered before the ones in front of them, or lost and counted. */
  countSettled(from: number, to: number): number {
    const { done, settled } = this.cursor
    const ranges = done === undefined ? settled : addRange(settled, done)
    let count = 0
    for (const { first, end } of ranges ?? []) count += Math.max(0, Math.min(end, to) - Math.max(first, from))
    return count
  }

  /** Whether the cursor file says what is so. */
  get isStored(): boolean {
    const { cursor, stored } = this
    if (stored === undefined || cursor.next !== stored.next || cursor.settled !== stored.settled) return false
    return cursor.done?.first === stored.done?.first && cursor.done?.end === stored.done?.end
  }
}

/** Behind everything that a cursor speaks of: no new frame may get the number of one that is settled. */
export function endOfCursor({ next, done, settled }: Cursor): number {
  return Math.max(next, done?.end ?? 0, settled?.at(-1)?.end ?? 0)
}

export function isWithin(sequence: number, { first, end }: FrameRange): boolean {
  return sequence >= first && sequence < end
}

/** What of the ranges is behind `next`; the ranges themselves if that is all of them. */
function rangesBehind(ranges: readonly FrameRange[], next: number): readonly FrameRange[] | undefined {
  if (ranges[0]!.end > next) return ranges
  const behind = ranges.filter(({ end }) => end > next)
  return behind.length === 0 ? undefined : behind
}
