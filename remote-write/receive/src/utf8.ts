import { isUtf8 } from 'node:buffer'

/** Whether [start, end) is UTF-8. Label texts are nearly always ASCII, which is known without a call. */
export function isUtf8Range(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! >= 0x80) return isUtf8(bytes.subarray(i, end))
  return true
}
