import type { ByteReader } from '@narthex/bytes/byte-reader'
import { putUvarint } from '@narthex/wire/sample-field'

/** A start timestamp is a whole number of milliseconds from 1 to here: varints of distances stay exact. */
export const startTimeMsMax = 2 ** 48

/** Longest encoding of one start timestamp. */
export const startTimeBytesMax = 8

/**
 * Writes start timestamps as FORMAT.md, "Start timestamps", says: 0 for none, else 1 + the zigzag distance from the last one that was there,
 * at first from `baseMs`. Returns the offset behind the column.
 */
export function putStartTimes(bytes: Uint8Array, at: number, startTimes: Float64Array, count: number, baseMs: number): number {
  let next = at
  let previous = baseMs
  for (let i = 0; i < count; i++) {
    const time = startTimes[i]!
    if (time === 0) {
      bytes[next++] = 0
      continue
    }
    const step = time - previous
    previous = time
    next = putUvarint(bytes, next, 1 + (step < 0 ? -step * 2 - 1 : step * 2))
  }
  return next
}

/** Reads `count` start timestamps into `startTimes`. Throws RangeError if the column ends early or holds what no writer wrote. */
export function readStartTimes(reader: ByteReader, startTimes: Float64Array, count: number, baseMs: number): void {
  let previous = baseMs
  for (let i = 0; i < count; i++) {
    const code = reader.uvarint()
    if (code === 0) {
      startTimes[i] = 0
      continue
    }
    const step = (code - 1) % 2 === 0 ? (code - 1) / 2 : -code / 2
    previous += step
    if (!(previous > 0 && previous <= startTimeMsMax)) throw new RangeError(`cannot read start timestamp ${i}: got ${previous}`)
    startTimes[i] = previous
  }
}
