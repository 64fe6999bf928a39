import { appendFileSync, closeSync, existsSync, fstatSync, openSync, readSync, truncateSync } from 'node:fs'
import { crc32c } from '@narthex/bytes/crc32c'
import { fragmentHeaderBytes, pageBytes } from './wal-format.ts'
import type { CorruptionError } from './wal-format.ts'

/** Damage that was found and dealt with. */
export interface Damage {
  readonly path: string
  /** Where the damaged record begins; everything before it was read. */
  readonly offset: number
  /** 'torn': the end of the newest segment, cut off. 'corrupt': moved to `setAside`. */
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
  return { ...found, kind: 'corrupt', setAside: setTailAside(path, offset) }
}

/** Moves what a file has from `offset` on to `<path>.corrupt-<n>`, whose name it gives. */
export function setTailAside(path: string, offset: number): string {
  let number = 1
  while (existsSync(`${path}.corrupt-${number}`)) number++
  const setAside = `${path}.corrupt-${number}`
  copyTail(path, offset, setAside)
  truncateSync(path, offset)
  return setAside
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

function copyTail(path: string, offset: number, target: string): void {
  const fd = openSync(path, 'r')
  try {
    const buffer = new Uint8Array(Math.min(1024 * 1024, Math.max(1, fstatSync(fd).size - offset)))
    for (let at = offset; ;) {
      const count = readSync(fd, buffer, 0, buffer.length, at)
      if (count === 0) return
      appendFileSync(target, buffer.subarray(0, count))
      at += count
    }
  } finally {
    closeSync(fd)
  }
}
