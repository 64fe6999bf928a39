import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

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
 * flock(2), which /proc/locks shows by the file's inode.
 */
export function lockDirectory(directory: string): DirectoryLock {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, 'lock')
  closeSync(openSync(path, 'a'))
  const holder = findFlockHolder(path)
  if (holder !== undefined) throw new DirectoryLockedError(`cannot lock ${path}: process ${holder} holds it`)
  const previous = readFileSync(path, 'utf8').trim()
  const [pid, ...rest] = previous.split('\n')
  if (pid !== undefined && /^\d+$/.test(pid) && Number(pid) !== process.pid && describeProcess(Number(pid)) === [pid, ...rest].join('\n')) {
    throw new DirectoryLockedError(`cannot lock ${path}: process ${pid} holds it`)
  }
  if (heldHere.has(path)) throw new DirectoryLockedError(`cannot lock ${path}: this process holds it`)
  heldHere.add(path)
  writeFileSync(path, `${describeProcess(process.pid) ?? process.pid}\n`)
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
