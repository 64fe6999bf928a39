import type { SampleColumns } from '@narthex/model/sample-columns'
import { isStaleWords, STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import type { BitReader } from './bit-reader.ts'
import type { StartTimeColumn } from './start-time-column.ts'
import { StartTimeReader } from './start-time-reader.ts'
import { XorFields } from './xor-fields.ts'

const field = new XorFields(1)

/**
 * Appends the samples of an XOR2 chunk (FORMAT.md, "XOR2 chunk"), of which `reader` has read the count, with
 * minTimeMs ≤ time ≤ maxTimeMs; stops at the first sample after `maxTimeMs`.
 */
export function readXor2(
  reader: BitReader,
  count: number,
  into: SampleColumns,
  startTimes: StartTimeColumn | undefined,
  minTimeMs: number,
  maxTimeMs: number,
): void {
  const starts = new StartTimeReader(reader.bits(8))
  let timeMs = 0
  let delta = 0
  field.reset(1)
  for (let i = 0; i < count; i++) {
    const previousTimeMs = timeMs
    let isStale = false
    if (i === 0) {
      timeMs = reader.varint()
      field.readFirst(reader, 0)
      isStale = isStaleWords(field.low[0]!, field.high[0]!)
      // A stale marker is never what a later value is compared with.
      if (isStale) field.reset(1)
    } else if (i === 1) {
      delta = reader.uvarint()
      timeMs += delta
      isStale = readValue(reader)
    } else {
      const kind = reader.prefix(5)
      if (kind >= 2 && kind <= 4) delta += readTimeChange(reader, kind)
      timeMs += delta
      if (kind === 1) {
        if (reader.bit() === 0) field.readInWindow(reader, 0)
        else field.readWithWindow(reader, 0)
      } else if (kind === 5) isStale = true
      else if (kind !== 0) isStale = readValue(reader)
    }
    starts.read(reader, i, i === 0 ? timeMs : previousTimeMs)
    if (timeMs > maxTimeMs) return
    if (timeMs < minTimeMs) continue
    if (isStale) into.push(timeMs, STALE_LOW, STALE_HIGH)
    else into.push(timeMs, field.low[0]!, field.high[0]!)
    startTimes?.push(starts.startTimeMs)
  }
}

/** Whether the value is a stale marker. */
function readValue(reader: BitReader): boolean {
  const kind = reader.prefix(3)
  if (kind === 1) field.readInWindow(reader, 0)
  else if (kind === 2) field.readWithWindow(reader, 0)
  return kind === 3
}

/** Unlike elsewhere these are plain two's complement. */
function readTimeChange(reader: BitReader, kind: number): number {
  if (kind === 2) return (reader.bits(13) << 19) >> 19
  if (kind === 3) return (reader.bits(20) << 12) >> 12
  const high = reader.bits(32) | 0
  return high * 0x1_0000_0000 + reader.bits(32)
}
