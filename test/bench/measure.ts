import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'

// Whole-process figures, read from /proc: every process of the tree counts, children that came and went included.

const ticksPerSecond = 100

export interface TreeUsage {
  cpuSeconds: number
  /** Resident memory of the tree now, shared pages counted once per process. */
  residentBytes: number
  /** Of it what belongs to no file: heaps and stacks. */
  anonymousBytes: number
}

export function readTreeUsage(rootPid: number): TreeUsage {
  const usage: TreeUsage = { cpuSeconds: 0, residentBytes: 0, anonymousBytes: 0 }
  for (const pid of listTree(rootPid)) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The name may hold spaces and parentheses: fields count from behind the last ')'.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      // utime, stime, and those of waited-for children (fields 14 to 17 of proc(5)).
      for (const index of [11, 12, 13, 14]) usage.cpuSeconds += Number(fields[index]) / ticksPerSecond
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      usage.residentBytes += Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
      usage.anonymousBytes += Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
    } catch {
      // gone between listing and reading
    }
  }
  return usage
}

function listTree(rootPid: number): number[] {
  const pids = [rootPid]
  for (let i = 0; i < pids.length; i++) {
    try {
      for (const task of readdirSync(`/proc/${pids[i]}/task`)) {
        const children = readFileSync(`/proc/${pids[i]}/task/${task}/children`, 'utf8').trim()
        if (children !== '') pids.push(...children.split(' ').map(Number))
      }
    } catch {
      // gone
    }
  }
  return pids
}

/** Watches the tree's resident memory; the kernel's own high-water mark of the root catches what falls between two looks. */
export function watchPeakMemory(rootPid: number): { stop(): number } {
  let peak = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, readTreeUsage(rootPid).residentBytes)
  }, 100)
  return {
    stop() {
      clearInterval(timer)
      try {
        const mark = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${rootPid}/status`, 'utf8'))
        peak = Math.max(peak, Number(mark?.[1] ?? 0) * 1024)
      } catch {
        // gone: the looks have to do
      }
      return peak
    },
  }
}

/** Lets the kernel's high-water mark of a process begin anew; the function gives what it has grown by since. */
export function startMemoryMark(pid: number): () => number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  const read = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  const before = read('VmRSS')
  return () => read('VmHWM') - before
}

export function directoryBytes(directory: string): number {
  let bytes = 0
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    try {
      // Blocks that are really taken, as du counts: a preallocated or sparse file is not its length.
      bytes += statSync(join(entry.parentPath, entry.name)).blocks * 512
    } catch {
      // removed meanwhile
    }
  }
  return bytes
}

export function describeMachine(): string {
  const model = /^model name\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? cpus()[0]?.model ?? 'unknown'
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()
  return `${cpus().length} cores (${model.trim()}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${kernel}, Node.js ${process.version}`
}
