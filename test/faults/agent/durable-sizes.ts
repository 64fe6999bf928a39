import { readFileSync } from 'node:fs'

// What a power cut leaves, read from a trace of the program's system calls: of every file the bytes that were written before a sync began
// that had ended by then. A rename counts as done, since the file it moves was synced before.

/** For `startProcess`: runs a program so that `readDurableSizes` can tell what it synced. */
export function traceCommand(traceFile: string, command: string, args: readonly string[]): [string, string[]] {
  const calls = 'write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,openat,open'
  return ['strace', ['-f', '-qq', '-y', '-s', '0', '-ttt', '-T', '-e', `trace=${calls}`, '-o', traceFile, command, ...args]]
}

interface Pending {
  readonly call: string
  readonly path: string
  readonly startSeconds: number
  readonly sizeAtStart: number
}

/** Path → durable bytes at `atMs`, for files below `directory` that were written since the trace began. */
export function readDurableSizes(traceFile: string, directory: string, atMs: number): Map<string, number> {
  const durable = new Map<string, number>()
  const sizes = new Map<string, number>()
  const pending = new Map<string, Pending>()
  const until = atMs / 1000
  for (const line of readFileSync(traceFile, 'latin1').split('\n')) {
    const begun = /^(\d+)\s+([\d.]+) (\w+)\((\d+)<([^>]*)>(.*)$/.exec(line)
    if (begun !== null) {
      const [, pid, seconds, call, , path, rest] = begun
      if (!path!.startsWith(directory) || Number(seconds) > until) continue
      const begin = { call: call!, path: path!, startSeconds: Number(seconds), sizeAtStart: sizes.get(path!) ?? 0 }
      if (rest!.includes('<unfinished')) {
        pending.set(pid!, begin)
        if (!call!.includes('sync')) pending.set(`${pid} rest`, { ...begin, path: rest! })
      } else finish(begin, rest!)
      continue
    }
    const resumed = /^(\d+)\s+([\d.]+) <\.\.\. (\w+) resumed>(.*)$/.exec(line)
    const begin = resumed === null ? undefined : pending.get(resumed[1]!)
    if (resumed === null || begin === undefined || begin.call !== resumed[3]) continue
    pending.delete(resumed[1]!)
    finish(begin, `${pending.get(`${resumed[1]} rest`)?.path ?? ''}${resumed[4]}`, Number(resumed[2]))
  }
  return durable

  function finish({ call, path, startSeconds, sizeAtStart }: Pending, rest: string, endSeconds?: number): void {
    const result = Number(/= (-?\d+)/.exec(rest)?.[1] ?? -1)
    const took = Number(/<([\d.]+)>\s*$/.exec(rest)?.[1] ?? 0)
    if (result < 0) return
    if (call.includes('sync')) {
      if ((endSeconds ?? startSeconds + took) <= until) durable.set(path, Math.max(durable.get(path) ?? 0, sizeAtStart))
      return
    }
    if (call === 'ftruncate') {
      const size = Number(/^,\s*(\d+)/.exec(rest)?.[1] ?? 0)
      sizes.set(path, size)
      return
    }
    // pwrite names its offset last; the others append.
    const offset = call.startsWith('p') ? Number(/,\s*(\d+)\)\s*=/.exec(rest)?.[1] ?? 0) : (sizes.get(path) ?? 0)
    sizes.set(path, Math.max(sizes.get(path) ?? 0, offset + result))
    if (!durable.has(path)) durable.set(path, 0)
  }
}
