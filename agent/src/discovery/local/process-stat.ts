import type { ProcFiles } from './proc-files.ts'

export interface ProcessStat {
  readonly parentPid: number
  /** Start in clock ticks since the boot: with the pid it names one process for good. */
  readonly startTicks: number
  /** The same in milliseconds since 1970. */
  readonly startTimeMs: number
}

/** Ticks of the kernel's clock as programs see it: the same on every architecture that Node.js runs on. */
const ticksPerSecond = 100

let bootTimeMs: number | undefined

/** When a process started; undefined when it is gone. */
export function readStat(files: ProcFiles, pid: number): ProcessStat | undefined {
  const text = files.readText(`${pid}/stat`)
  if (text === undefined) return undefined
  // The second field is the name in brackets, which may hold anything, brackets and spaces too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const parentPid = Number(fields[1])
  const startTicks = Number(fields[19])
  if (!Number.isFinite(startTicks) || !Number.isFinite(parentPid)) return undefined
  bootTimeMs ??= Number(/^btime (\d+)$/m.exec(files.readText('stat') ?? '')?.[1] ?? 0) * 1000
  return { parentPid, startTicks, startTimeMs: bootTimeMs + (startTicks / ticksPerSecond) * 1000 }
}
