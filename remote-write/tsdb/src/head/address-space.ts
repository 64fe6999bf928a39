import { readFileSync } from 'node:fs'

const pageBytes = 4096
// What the rest of the process may still want to map: heaps of workers, thread stacks, code.
const keptFreeBytes = 2 ** 30

/**
 * Bytes of address space that may be reserved under a limit (`ulimit -v`), Infinity without one. Reserving until the system refuses
 * is no way to find out: the runtime's own next allocation would end the process.
 */
export function measureAddressSpace(): number {
  try {
    // Max address space     8192000000           8192000000           bytes
    const limit = /^Max address space\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    if (limit === undefined) return Infinity
    const mapped = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0]) * pageBytes
    return Math.max(0, Number(limit) - mapped - keptFreeBytes)
  } catch {
    return Infinity
  }
}
