import { readdirSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { addRange, readCursors } from './cursor-file.ts'
import type { Cursor, FrameRange } from './cursor-file.ts'
import { headerBytes, isPacked, layoutFrame, sampleFrame } from './frame-header.ts'
import type { FrameHeader } from './frame-header.ts'
import { FrameScanner } from './frame-scanner.ts'

/** Read at a time; a larger frame gets a window of its own, so memory is bounded by the largest frame. */
const windowBytes = 2 * 2 ** 20

export interface DamageFound {
  readonly offset: number
  readonly bytes: number
  /** The sample frame that was there, if its header is whole. */
  readonly sequence?: number
  readonly samples?: number
}

export interface SegmentInspection {
  readonly file: string
  readonly bytes: number
  /** Frames of samples; those of layouts are apart. */
  frames: number
  layouts: number
  packedFrames: number
  samples: number
  firstSequence: number | undefined
  lastSequence: number | undefined
  /** Milliseconds since 1970; undefined without samples. */
  minTimeMs: number | undefined
  maxTimeMs: number | undefined
  readonly damage: DamageFound[]
  /** Frames whose labels are nowhere in the segment: they cannot be sent. */
  framesWithoutLayout: number
  /** Bytes at the end of the newest segment that are no whole frame: a frame that is being written, or one that a crash tore. */
  tornBytes: number
  /** It was delivered and removed while the log was read. */
  isGone: boolean
}

export interface RemoteInspection {
  readonly name: string
  /** Nobody waits for frames before this one. */
  readonly next: number
  /** Nor for these behind it: delivered out of turn, or lost and counted. */
  readonly settled: readonly FrameRange[]
  waitingFrames: number
  waitingSamples: number
  waitingBytes: number
  /** Time of the oldest waiting sample, milliseconds since 1970. */
  oldestTimeMs: number | undefined
  /** Sequences from `next` on that are not in the log: damaged, or given up for the byte or age cap. */
  missingFrames: number
}

export interface LogInspection {
  readonly segments: readonly SegmentInspection[]
  readonly remotes: readonly RemoteInspection[]
  /** Cursor files that cannot be read, one line each. */
  readonly problems: readonly string[]
}

/**
 * Reads the whole log in a directory (FORMAT.md), also while an agent writes it, and changes nothing. Checks every checksum. Throws what the
 * file system says about the directory; a file that goes meanwhile is noted.
 */
export async function inspectLog(directory: string): Promise<LogInspection> {
  const problems: string[] = []
  // Cursors first: what is delivered afterwards counts as waiting, and never the other way round.
  const remotes = readRemotes(join(directory, 'cursors'), problems)
  const names = readdirSync(directory)
    .filter((name) => /^\d{16}\.frames$/.test(name))
    .sort()
  const segments: SegmentInspection[] = []
  for (const name of names) segments.push(await inspectSegment(directory, name, name === names.at(-1), remotes))
  for (const remote of remotes) remote.missingFrames = countMissing(remote, segments)
  return { segments, remotes, problems }
}

function readRemotes(directory: string, problems: string[]): RemoteInspection[] {
  let cursors: ReadonlyMap<string, Cursor>
  try {
    cursors = readCursors(directory, (text) => problems.push(text))
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error))
    return []
  }
  return [...cursors].map(([name, { next, done, settled = [] }]) => ({
    name,
    next,
    settled: done === undefined ? settled : addRange(settled, done),
    waitingFrames: 0,
    waitingSamples: 0,
    waitingBytes: 0,
    oldestTimeMs: undefined,
    missingFrames: 0,
  }))
}

async function inspectSegment(
  directory: string,
  file: string,
  isNewest: boolean,
  remotes: readonly RemoteInspection[],
): Promise<SegmentInspection> {
  const path = join(directory, file)
  const inspection: SegmentInspection = { ...emptyInspection(file), damage: [] }
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return { ...inspection, isGone: true }
  }
  try {
    // As it is now: what is appended while it is read is for the next time.
    const { size } = await handle.stat()
    const whole = { ...inspection, bytes: size }
    const isCut = await walk(handle, size, whole, remotes)
    if (isNewest && isCut) whole.tornBytes = whole.damage.pop()!.bytes
    return whole
  } finally {
    await handle.close()
  }
}

function emptyInspection(file: string): SegmentInspection {
  return {
    file,
    bytes: 0,
    frames: 0,
    layouts: 0,
    packedFrames: 0,
    samples: 0,
    firstSequence: undefined,
    lastSequence: undefined,
    minTimeMs: undefined,
    maxTimeMs: undefined,
    damage: [],
    framesWithoutLayout: 0,
    tornBytes: 0,
    isGone: false,
  }
}

/** Whether the file ends within a frame, which is the last damage then. */
async function walk(handle: FileHandle, size: number, found: SegmentInspection, remotes: readonly RemoteInspection[]): Promise<boolean> {
  const layouts = new Set<string>()
  const users = new Map<string, number>()
  let isCut = false
  let window = Buffer.alloc(Math.min(windowBytes, size))
  for (let start = 0; start < size;) {
    const length = await readWindow(handle, window, start)
    const isEnd = start + length >= size || length === 0
    const scanner: FrameScanner = new FrameScanner(
      window,
      0,
      ({ offset, bytes, frame }) => {
        const isSamples = frame?.kind === sampleFrame
        const frameEnd = frame === undefined ? Infinity : start + offset + headerBytes + scanner.header.payloadBytes
        isCut = start + offset + bytes === size && frameEnd > size
        found.damage.push({ offset: start + offset, bytes, ...(isSamples ? { sequence: frame.sequence, samples: frame.samples } : {}) })
      },
      length,
      isEnd,
    )
    while (scanner.next()) {
      const { header } = scanner
      const layout = `${header.layoutHigh}.${header.layoutLow}`
      if ((header.columns & isPacked) !== 0) found.packedFrames++
      if (header.kind === layoutFrame) {
        found.layouts++
        layouts.add(layout)
      }
      if (header.kind !== sampleFrame) continue
      users.set(layout, (users.get(layout) ?? 0) + 1)
      countFrame(header, scanner.end - scanner.start, found, remotes)
    }
    if (isEnd) break
    // A frame that is longer than the window: a larger one, from its beginning.
    if (scanner.offset === 0) window = Buffer.alloc(Math.min(window.length * 2, size - start))
    start += scanner.offset
  }
  for (const [layout, frames] of users) if (!layouts.has(layout)) found.framesWithoutLayout += frames
  return isCut
}

async function readWindow(handle: FileHandle, window: Buffer, start: number): Promise<number> {
  let length = 0
  while (length < window.length) {
    const { bytesRead } = await handle.read(window, length, window.length - length, start + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return length
}

function countFrame(header: FrameHeader, payloadBytes: number, found: SegmentInspection, remotes: readonly RemoteInspection[]): void {
  const { sequence, count, minTimeMs, maxTimeMs } = header
  found.frames++
  found.samples += count
  found.firstSequence ??= sequence
  found.lastSequence = sequence
  found.minTimeMs = Math.min(found.minTimeMs ?? Infinity, minTimeMs)
  found.maxTimeMs = Math.max(found.maxTimeMs ?? -Infinity, maxTimeMs)
  for (const remote of remotes) {
    if (sequence < remote.next || isSettled(remote, sequence)) continue
    remote.waitingFrames++
    remote.waitingSamples += count
    remote.waitingBytes += payloadBytes
    remote.oldestTimeMs = Math.min(remote.oldestTimeMs ?? Infinity, minTimeMs)
  }
}

function isSettled({ settled }: RemoteInspection, sequence: number): boolean {
  return settled.some(({ first, end }) => sequence >= first && sequence < end)
}

function countMissing(remote: RemoteInspection, segments: readonly SegmentInspection[]): number {
  const last = segments.reduce((most, { lastSequence }) => Math.max(most, lastSequence ?? 0), 0)
  if (remote.next > last) return 0
  let settled = 0
  for (const { first, end } of remote.settled) settled += Math.max(0, Math.min(end, last + 1) - Math.max(first, remote.next))
  return last - remote.next + 1 - settled - remote.waitingFrames
}

export interface DeadLetters {
  readonly remote: string
  readonly files: number
  readonly bytes: number
}

/** Files of refused requests below the agent's directory; none if it keeps none. */
export function listDeadLetters(directory: string): DeadLetters[] {
  const letters = new Map<string, { files: number; bytes: number }>()
  let names: string[]
  try {
    names = readdirSync(directory)
  } catch {
    return []
  }
  for (const name of names.sort()) {
    const match = /^(.*)\.letters(\.1)?$/.exec(name)
    if (match === null) continue
    const known = letters.get(match[1]!) ?? { files: 0, bytes: 0 }
    known.files++
    known.bytes += statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0
    letters.set(match[1]!, known)
  }
  return [...letters].map(([name, counts]) => ({ remote: nameOf(name), ...counts }))
}

/** A long name is cut in its file's, maybe within an escape. */
function nameOf(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}
