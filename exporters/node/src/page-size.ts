import { readFileSync } from 'node:fs'

const pageSizeTag = 6n

/** Bytes per memory page, from the auxiliary vector (pairs of native words, getauxval(3)); Node.js has no call for it. */
export function readPageBytes(): number {
  let bytes: Buffer
  try {
    bytes = readFileSync('/proc/self/auxv')
  } catch {
    return 4096
  }
  for (let offset = 0; offset + 16 <= bytes.length; offset += 16) {
    if (bytes.readBigUInt64LE(offset) === pageSizeTag) return Number(bytes.readBigUInt64LE(offset + 8))
  }
  return 4096
}
