import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'

const otherBytes = 192 * 1024 * 1024
const unlimitedBytes = 2 ** 60

/**
 * The default ceiling for the head's own memory. In a limited container it is nine tenths of the limit less 192 MiB for the rest of
 * the process and its queries, but never below 40 % of it; elsewhere it is half of the machine.
 */
export function defaultMemoryBytesMax(limitBytes: number | undefined = readCgroupLimit(), totalBytes: number = totalmem()): number {
  if (limitBytes !== undefined && limitBytes < totalBytes) return Math.floor(Math.max(limitBytes * 0.9 - otherBytes, limitBytes * 0.4))
  return Math.floor(totalBytes / 2)
}

/** The memory limit of this process's control group in bytes, if it has one. */
function readCgroupLimit(): number | undefined {
  for (const path of ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes']) {
    try {
      const limit = Number(readFileSync(path, 'utf8'))
      if (limit > 0 && limit < unlimitedBytes) return limit
    } catch {
      // The other version, or no control groups at all.
    }
  }
  return undefined
}
