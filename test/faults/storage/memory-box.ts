import { chmodSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launcher } from '../../kit/narthex.ts'

/** A script that starts a program in a control group of its own, in the same process, where the system kills who takes more than the group may. */
export interface MemoryBox {
  readonly executable: string
  /** When the program has ended. */
  remove(): void
}

/** Undefined where no group can be made: it takes root, and systemd or a tree of groups with the memory controller. */
export function makeMemoryBox(folder: string, bytes: number): MemoryBox | undefined {
  if (process.getuid?.() !== 0) return undefined
  if (read('/proc/1/comm')?.trim() === 'systemd') {
    return write(folder, `exec systemd-run --scope --quiet -p MemoryMax=${bytes} -p MemorySwapMax=0 ${launcher} "$@"`, () => {})
  }
  const name = `narthex-${process.pid}-${Date.now()}`
  const group = makeGroup(join('/sys/fs/cgroup/memory', name), 'memory.limit_in_bytes', bytes)
  if (group !== undefined) return group.enter(folder)
  const hasController = read('/sys/fs/cgroup/cgroup.subtree_control')?.split(/\s/).includes('memory') === true
  return hasController ? makeGroup(join('/sys/fs/cgroup', name), 'memory.max', bytes)?.enter(folder) : undefined
}

function makeGroup(path: string, limitFile: string, bytes: number): { enter(folder: string): MemoryBox } | undefined {
  try {
    mkdirSync(path)
  } catch {
    return undefined
  }
  try {
    writeFileSync(join(path, limitFile), String(bytes))
  } catch {
    rmdirSync(path)
    return undefined
  }
  return {
    enter: (folder) => write(folder, `echo $$ > ${join(path, 'cgroup.procs')} && exec ${launcher} "$@"`, () => rmdirSync(path)),
  }
}

function write(folder: string, command: string, remove: () => void): MemoryBox {
  const executable = join(folder, 'in-a-box')
  writeFileSync(executable, `#!/bin/sh\n${command}\n`)
  chmodSync(executable, 0o755)
  return { executable, remove }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
