import { constants, zstdCompressSync } from 'node:zlib'
import { createHeader, headerBytes, putHeader } from '@narthex/agent/store/frame-header'
import type { ScrapeBatch } from '@narthex/agent/store/frame'
import { FrameScanner } from '@narthex/agent/store/frame-scanner'
import { LayoutBuilder } from '@narthex/agent/store/layout-builder'
import { putLayoutFrame } from '@narthex/agent/store/layout-frame'
import { columnsOf, putSampleFrame, sampleFrameBytesMax } from '@narthex/agent/store/sample-frame'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { encode } from './fuzz-target.ts'

// A small segment of the agent's log with every kind of frame and column, and the same as bare records.

const timeMs = 1_700_000_000_000
const run = 77
const packedBit = 128

const builder = new LayoutBuilder()
const family = { name: 'up', type: 'gauge', help: 'Whether.', unit: '' } as const
builder.addPairs(['__name__', 'up', 'job', 'a'], family)
builder.addPairs(['__name__', 'x_total', 'job', 'a', 'path', '/ä'])
builder.addPairs(['__name__', 'h', 'job', 'a'])
const layout = builder.build(3)

const words = new Uint32Array(Float64Array.from([1, 0.25, 1e300]).buffer)
const plain: ScrapeBatch = { layout, indexes: undefined, times: timeMs, words, count: 3 }
const rare: ScrapeBatch = {
  layout,
  indexes: Uint32Array.from([2, 0, 1]),
  times: Float64Array.from([timeMs + 5, timeMs, timeMs + 300]),
  words,
  count: 3,
  startTimes: Float64Array.from([timeMs - 60_000, 0, 1]),
  histograms: { count: 1, positions: Uint32Array.from([0]), offsets: Uint32Array.from([0, 4]), bytes: Uint8Array.from([8, 1, 16, 2]) },
  exemplars: {
    count: 2,
    positions: Uint32Array.from([1, 1]),
    words,
    times: Float64Array.from([timeMs - 1, timeMs + 1]),
    offsets: Uint32Array.from([0, 5, 5]),
    bytes: Uint8Array.from([1, 0x69, 2, ...encode('jk')]),
  },
}

function makeSegment(): Uint8Array {
  const out = new ByteWriter(4096)
  putLayoutFrame(out, 1, run, layout)
  for (const [index, batch] of [plain, rare, plain].entries()) {
    out.reserve(sampleFrameBytesMax(batch))
    out.length = putSampleFrame(out.bytes, out.length, index + 1, run, batch)
    if (index === 0) putLayoutFrame(out, 2, run, layout)
  }
  return out.bytes.slice(0, out.length)
}

export const segmentSeed: Uint8Array = makeSegment()

// ┌ kind 1 ┬ columns 1 ┬ count 1 ┬ payload bytes 2 ┬ payload ┐ …
const recordHeadBytes = 5

function makeRecords(): Uint8Array {
  const out = new ByteWriter(4096)
  const put = (kind: number, columns: number, count: number, payload: Uint8Array): void => {
    for (const byte of [kind, columns, count, payload.length & 0xff, payload.length >> 8]) out.u8(byte)
    out.raw(payload)
  }
  const scanner = new FrameScanner(segmentSeed, 0, () => undefined)
  while (scanner.next()) {
    const { kind, columns, count } = scanner.header
    const payload = segmentSeed.subarray(scanner.start, scanner.end)
    put(kind, columns, count, payload)
    if (columns === columnsOf(rare)) put(kind, columns | packedBit, count, pack(payload))
  }
  return out.bytes.slice(0, out.length)
}

function pack(payload: Uint8Array): Uint8Array {
  const packed = zstdCompressSync(payload, { params: { [constants.ZSTD_c_windowLog]: 17 } })
  const out = new Uint8Array(4 + packed.length)
  new DataView(out.buffer).setUint32(0, payload.length, true)
  out.set(packed, 4)
  return out
}

export const packedPayload: Uint8Array = pack(segmentSeed)
export const segmentRecords: Uint8Array = makeRecords()

/** A segment of frames with right checksums from records; a record that is cut has a shorter payload. All name one layout. */
export function sealRecords(records: Uint8Array): Uint8Array {
  const out = new Uint8Array(records.length * (1 + Math.ceil(headerBytes / recordHeadBytes)))
  const header = createHeader()
  let length = 0
  for (let at = 0, sequence = 2; at + recordHeadBytes <= records.length; sequence++) {
    const payloadEnd = Math.min(records.length, at + recordHeadBytes + records[at + 3]! + records[at + 4]! * 256)
    const payload = records.subarray(at + recordHeadBytes, payloadEnd)
    Object.assign(header, {
      kind: records[at]!,
      columns: records[at + 1]!,
      count: records[at + 2]!,
      sequence,
      minTimeMs: timeMs,
      maxTimeMs: timeMs,
    })
    const end = length + headerBytes + payload.length
    out.set(payload, length + headerBytes)
    putHeader(out, length, end, header)
    length = end
    at = payloadEnd
  }
  return out.slice(0, length)
}
