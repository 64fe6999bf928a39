import { appendFileSync, closeSync, existsSync, fstatSync, openSync, readSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { crc32c } from '@narthex/bytes/crc32c'
import { isDiskFull } from '../disk-reserve.ts'
import { fragmentHeaderBytes, fullFragment, pageBytes } from './wal-format.ts'
import type { CorruptionError } from './wal-format.ts'

/** Damage that was found and dealt with. */
export interface Damage {
  readonly path: string
  /** Where the damaged record begins; everything before it was read. */
  readonly offset: number
  /** 'torn': the end of the newest segment, cut off. 'corrupt': moved to `setAside`; without room on the disk it stays where it is. */
  readonly kind: 'torn' | 'corrupt'
  readonly setAside?: string
  readonly bytes: number
  readonly reason: string
}

/**
 * Makes a damaged segment whole: `offset` is where its first unreadable record begins. An unfinished end of the newest segment is cut
 * off; all else is moved to `<path>.corrupt-<n>`.
 */
export function repairSegment(path: string, offset: number, size: number, isNewest: boolean, cause: CorruptionError): Damage {
  const found = { path, offset, bytes: size - offset, reason: cause.message }
  if (isNewest && !hasFragmentAfter(path, offset, size)) {
    truncateSync(path, offset)
    return { ...found, kind: 'torn' }
  }
  return { ...found, kind: 'corrupt', ...unlessFull(() => setTailAside(path, offset)) }
}

/**
 * Makes `[offset, end)` of a segment, from a damaged record to the next whole one, into records without content, which every reader passes
 * over. What stood there is copied to `<path>.corrupt-<n>`.
 */
export function blankRange(path: string, offset: number, end: number, cause: CorruptionError): Damage {
  const found = { path, offset, bytes: end - offset, reason: cause.message, kind: 'corrupt' as const }
  return {
    ...found,
    ...unlessFull(() => {
      const setAside = nameAside(path)
      copyRange(path, offset, end, setAside)
      writeBlank(path, offset, end)
      return setAside
    }),
  }
}

/** Damage that stays is found again by the next start. */
function unlessFull(setAside: () => string): { setAside?: string } {
  try {
    return { setAside: setAside() }
  } catch (error) {
    if (!isDiskFull(error)) throw error
    return {}
  }
}

/** A record of type 0 in each page. */
function writeBlank(path: string, offset: number, end: number): void {
  const blank = new Uint8Array(end - offset)
  const view = new DataView(blank.buffer)
  for (let at = offset; at < end;) {
    const pageEnd = Math.min(end, (Math.floor(at / pageBytes) + 1) * pageBytes)
    const length = pageEnd - at - fragmentHeaderBytes
    if (length >= 0) {
      const from = at - offset
      blank[from] = fullFragment
      view.setUint16(from + 1, length)
      view.setUint32(from + 3, crc32c(blank, from + fragmentHeaderBytes, from + fragmentHeaderBytes + length))
    }
    at = pageEnd
  }
  const fd = openSync(path, 'r+')
  try {
    for (let written = 0; written < blank.length;) written += writeSync(fd, blank, written, blank.length - written, offset + written)
  } finally {
    closeSync(fd)
  }
}

/** Moves what a file has from `offset` on to `<path>.corrupt-<n>`, whose name it gives. */
export function setTailAside(path: string, offset: number): string {
  const setAside = nameAside(path)
  copyRange(path, offset, Infinity, setAside)
  truncateSync(path, offset)
  return setAside
}

function nameAside(path: string): string {
  let number = 1
  while (existsSync(`${path}.corrupt-${number}`)) number++
  return `${path}.corrupt-${number}`
}

/** Whether a later page begins with a fragment of good checksum, so that the damage is not just an unfinished write. */
function hasFragmentAfter(path: string, offset: number, size: number): boolean {
  const page = new Uint8Array(pageBytes)
  const fd = openSync(path, 'r')
  try {
    for (let start = (Math.floor(offset / pageBytes) + 1) * pageBytes; start < size; start += pageBytes) {
      const length = readSync(fd, page, 0, pageBytes, start)
      const count = (page[1]! << 8) | page[2]!
      if (page[0] === 0 || length < fragmentHeaderBytes + count) continue
      const stored = ((page[3]! << 24) | (page[4]! << 16) | (page[5]! << 8) | page[6]!) >>> 0
      if (crc32c(page, fragmentHeaderBytes, fragmentHeaderBytes + count) === stored) return true
    }
    return false
  } finally {
    closeSync(fd)
  }
}

/** A copy that could not be finished is deleted. */
function copyRange(path: string, offset: number, end: number, target: string): void {
  const fd = openSync(path, 'r')
  try {
    const stop = Math.min(end, fstatSync(fd).size)
    const buffer = new Uint8Array(Math.min(1024 * 1024, Math.max(1, stop - offset)))
    for (let at = offset; at < stop;) {
      const count = readSync(fd, buffer, 0, Math.min(buffer.length, stop - at), at)
      if (count === 0) return
      appendFileSync(target, buffer.subarray(0, count))
      at += count
    }
  } catch (error) {
    rmSync(target, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
}
