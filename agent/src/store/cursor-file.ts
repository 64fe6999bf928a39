import { syncDirectory } from '@narthex/service/sync-directory'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from '@narthex/service/make-directory'

const suffix = '.cursor'

/** Frames from `first` to before `end`. */
export interface FrameRange {
  readonly first: number
  readonly end: number
}

/** How far a remote is. */
export interface Cursor {
  /** The first frame that was not acknowledged. */
  readonly next: number
  /** Frames behind it that were: what a lane of its own delivers while the backlog is on its way. */
  readonly done?: FrameRange
  /** Further ones behind it that nobody waits for: delivered by an earlier such lane, or lost, and counted so. Ascending and apart. */
  readonly settled?: readonly FrameRange[]
}

/** More ranges than this are not remembered: the frames of the first one are sent, or counted, once more. */
export const settledRangesMax = 256

interface StoredCursor extends Cursor {
  readonly version: 1
  readonly remote: string
}

/** What is kept of every remote: the sequence of the first frame that was not yet acknowledged. */
export class CursorFiles {
  readonly #directory: string

  /** Makes the directory if need be. */
  constructor(directory: string) {
    this.#directory = directory
    makeDirectory(directory)
  }

  /** All cursors by remote. A file that is not a cursor is left alone and told to `onProblem`. */
  readAll(onProblem: (text: string) => void): Map<string, Cursor> {
    return readCursors(this.#directory, onProblem)
  }

  /** Replaces the cursor of `remote`; when the promise resolves it survives a power cut. One call at a time per remote. */
  async write(remote: string, cursor: Cursor): Promise<void> {
    const path = this.#path(remote)
    const stored: StoredCursor = { version: 1, remote, ...cursor }
    const file = await open(`${path}.tmp`, 'w')
    try {
      await file.writeFile(JSON.stringify(stored) + '\n')
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.tmp`, path)
    await syncDirectory(this.#directory)
  }

  remove(remote: string): void {
    rmSync(this.#path(remote), { force: true })
  }

  #path(remote: string): string {
    return join(this.#directory, encodeURIComponent(remote).slice(0, 200) + suffix)
  }
}

/** The cursors in a directory by remote; changes nothing. A file that is not a cursor is told to `onProblem`. */
export function readCursors(directory: string, onProblem: (text: string) => void): Map<string, Cursor> {
  const cursors = new Map<string, Cursor>()
  for (const name of readdirSync(directory)) {
    if (!name.endsWith(suffix)) continue
    const path = join(directory, name)
    const cursor = readCursor(readFileSync(path, 'utf8'))
    if (cursor === undefined) onProblem(`cannot read cursor ${path}: want {"version":1,"remote":…,"next":…}`)
    else cursors.set(cursor.remote, cursor)
  }
  return cursors
}

function readCursor(text: string): StoredCursor | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null || !('version' in parsed) || !('remote' in parsed) || !('next' in parsed))
    return undefined
  const { version, remote, next } = parsed
  if (version !== 1 || typeof remote !== 'string' || typeof next !== 'number' || !Number.isSafeInteger(next) || next < 0) return undefined
  const done = 'done' in parsed ? readRange(parsed.done) : undefined
  let settled: readonly FrameRange[] | undefined
  for (const value of 'settled' in parsed && Array.isArray(parsed.settled) ? (parsed.settled as unknown[]) : []) {
    const range = readRange(value)
    if (range !== undefined && range.end > next) settled = addRange(settled, range)
  }
  return {
    version,
    remote,
    next,
    ...(done === undefined || done.end <= next ? {} : { done }),
    ...(settled === undefined ? {} : { settled }),
  }
}

function readRange(value: unknown): FrameRange | undefined {
  if (typeof value !== 'object' || value === null || !('first' in value) || !('end' in value)) return undefined
  const { first, end } = value
  const isRange = Number.isSafeInteger(first) && Number.isSafeInteger(end) && (first as number) < (end as number)
  return isRange ? { first: first as number, end: end as number } : undefined
}

/** The ranges with one more, which grows together with those that it touches. */
export function addRange(ranges: readonly FrameRange[] = [], { first, end }: FrameRange): readonly FrameRange[] {
  const before = ranges.filter((range) => range.end < first)
  const behind = ranges.filter((range) => range.first > end)
  const touched = ranges.slice(before.length, ranges.length - behind.length)
  const grown = { first: Math.min(first, touched[0]?.first ?? first), end: Math.max(end, touched.at(-1)?.end ?? end) }
  const all = [...before, grown, ...behind]
  return all.length > settledRangesMax ? all.slice(1) : all
}
