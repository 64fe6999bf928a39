import { totalmem } from 'node:os'
import { readMemoryLimit } from './memory-limit.ts'

const otherBytes = 192 * 1024 * 1024
/** What is left to the system's own buffers of the process, which nobody counts. */
const shareOfLimit = 0.9

/** What a process should take at most: nine tenths of its limit, and half of the machine where it has none. */
export function defaultProcessBytesMax(limitBytes: number | undefined = readMemoryLimit(), totalBytes: number = totalmem()): number {
  return Math.floor(limitBytes !== undefined && limitBytes < totalBytes ? limitBytes * shareOfLimit : totalBytes / 2)
}

/**
 * The default ceiling for the head's own memory where nothing else plans the memory of the process. In a limited container it is nine tenths of
 * the limit less 192 MiB for the rest of the process, but never below 40 % of it; elsewhere it is half of the machine.
 */
export function defaultMemoryBytesMax(limitBytes: number | undefined = readMemoryLimit(), totalBytes: number = totalmem()): number {
  if (limitBytes === undefined || limitBytes >= totalBytes) return Math.floor(totalBytes / 2)
  return Math.floor(Math.max(limitBytes * shareOfLimit - otherBytes, limitBytes * 0.4))
}
