import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectory } from './make-directory.ts'

/** Thrown when another live process uses the data directory. */
export class DirectoryLockedError extends Error {
  override name = 'DirectoryLockedError'
}

export interface DirectoryLock {
  /** Whether the last owner ended without releasing. */
  readonly wasLeftBehind: boolean
  release(): void
}

/**
 * Takes the file `lock` of a data directory. It holds ┌ pid ┬ start of that process in clock ticks ┬ boot id ┐ in lines, so that a
 * number used again by another process, or after a reboot, is not taken for the owner. A Prometheus locks the same file by
 * flock(2), which /proc/locks shows by the file's inode; Debian's does not lock at all and is found by the segment it writes.
 */
export function lockDirectory(directory: string): DirectoryLock {
  makeDirectory(directory)
  const realDirectory = realpathSync(directory)
  const path = join(realDirectory, 'lock')
  const isNew = !existsSync(path) && !existsSync(join(directory, 'wal'))
  closeSync(openSync(path, 'a'))
  const holder = isNew ? undefined : (findFlockHolder(path) ?? findWriter(realDirectory))
  if (holder !== undefined) throw new DirectoryLockedError(`cannot lock ${path}: process ${holder} holds it`)
  const previous = readFileSync(path, 'utf8').trim()
  const [pid, ...rest] = previous.split('\n')
  if (pid !== undefined && /^\d+$/.test(pid) && Number(pid) !== process.pid && describeProcess(Number(pid)) === [pid, ...rest].join('\n')) {
    throw new DirectoryLockedError(`cannot lock ${path}: process ${pid} holds it`)
  }
  if (heldHere.has(path)) throw new DirectoryLockedError(`cannot lock ${path}: this process holds it`)
  // Throws on a full disk: then nobody holds it.
  writeFileSync(path, `${describeProcess(process.pid) ?? process.pid}\n`)
  heldHere.add(path)
  return {
    wasLeftBehind: previous !== '',
    release: () => {
      heldHere.delete(path)
      writeFileSync(path, '')
    },
  }
}

const heldHere = new Set<string>()

/** pid, start time and boot id of a live process; where /proc does not exist, the pid alone. */
function describeProcess(pid: number): string | undefined {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Field 22; the second one is the command in parentheses and may hold spaces.
    const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return `${pid}\n${startTicks}\n${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`
  } catch {
    return String(pid)
  }
}

/** The process that holds a flock on the file. */
function findFlockHolder(path: string): string | undefined {
  let locks: string
  try {
    locks = readFileSync('/proc/locks', 'utf8')
  } catch {
    return undefined
  }
  const { ino } = statSync(path)
  // 1: FLOCK  ADVISORY  WRITE 1234 00:2e:5678 0 EOF
  for (const line of locks.split('\n')) {
    const fields = line.split(/\s+/)
    if (fields[1] === 'FLOCK' && fields[5]?.split(':')[2] === String(ino)) return fields[4]
  }
  return undefined
}

/** Another process of this user that has a file of the directory open for writing. */
function findWriter(directory: string): string | undefined {
  for (const pid of listDirectory('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
    for (const fd of listDirectory(`/proc/${pid}/fd`)) {
      try {
        if (!readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${directory}/`)) continue
        // flags: octal; the low two bits are 0 for reading only
        const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0'
        if ((parseInt(flags, 8) & 3) !== 0) return pid
      } catch {
        // Closed in the meantime.
      }
    }
  }
  return undefined
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
