import type { SampleColumns } from '@narthex/model/sample-columns'
import { BitWriter } from './bit-writer.ts'
import { XorFields } from './xor-fields.ts'

/** What the count of a chunk can say. */
export const chunkSamplesMax = 0xffff

const writer = new BitWriter()
const value = new XorFields(1)

/**
 * The samples [from, to) of `columns` as Prometheus' XOR chunk (FORMAT.md, "XOR chunk"), the same bytes that its writer gives; how many
 * samples a chunk should have is for the caller to say. Throws a RangeError if there are more than 65,535, or if times fall.
 */
export function encodeXorChunk(columns: SampleColumns, from: number, to: number): Uint8Array {
  const count = to - from
  if (count < 0 || count > chunkSamplesMax) {
    throw new RangeError(`cannot encode chunk: want at most ${chunkSamplesMax} samples, got ${count}`)
  }
  if (count === 0) return Uint8Array.of(0, 0)
  const { times, words } = columns
  if (!Number.isSafeInteger(times[from]) || !Number.isSafeInteger(times[to - 1])) {
    throw new RangeError(`cannot encode chunk: want times in whole ms, got ${times[from]} to ${times[to - 1]}`)
  }
  writer.reset()
  value.reset(1)
  writer.put(count, 16)
  let timeMs = 0
  let delta = 0
  for (let i = from; i < to; i++) {
    const next = times[i]!
    const low = words[2 * i]!
    const high = words[2 * i + 1]!
    if (i === from) {
      writer.putVarint(next)
      value.putFirst(writer, 0, low, high)
    } else {
      const nextDelta = next - timeMs
      if (nextDelta < 0) throw new RangeError(`cannot encode chunk: want rising times, got ${next} after ${timeMs}`)
      if (i === from + 1) writer.putUvarint(nextDelta)
      else putTimeChange(nextDelta - delta)
      delta = nextDelta
      value.put(writer, 0, low, high)
    }
    timeMs = next
  }
  return writer.finish()
}

// The range of n bits reaches from -(2^(n-1) - 1) to 2^(n-1).
function putTimeChange(change: number): void {
  if (change === 0) writer.put(0, 1)
  else if (change >= -8191 && change <= 8192) writer.put(0x8000 | (change & 0x3fff), 16)
  else if (change >= -65535 && change <= 65536) writer.put(0xc0000 | (change & 0x1ffff), 20)
  else if (change >= -524287 && change <= 524288) writer.put(0xe00000 | (change & 0xfffff), 24)
  else {
    writer.put(0xf, 4)
    writer.put(Math.floor(change / 0x1_0000_0000) >>> 0, 32)
    writer.put(change >>> 0, 32)
  }
}
