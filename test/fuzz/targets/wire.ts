import { ByteWriter } from '@narthex/bytes/byte-writer'
import { crc32c } from '@narthex/bytes/crc32c'
import { SampleColumns } from '@narthex/model/sample-columns'
import { decodeXorChunk } from '@narthex/tsdb/chunk/xor-chunk'
import { readChunkFrames } from '@narthex/wire/remote-read-chunks'
import { ChunkFrameWriter } from '@narthex/wire/remote-read-chunks-writer'
import { encodeReadRequest, readMatchersMax, readQueriesMax, readReadRequest } from '@narthex/wire/remote-read-request'
import { readReadResponse } from '@narthex/wire/remote-read-samples'
import { RemoteWrite1Reader } from '@narthex/wire/remote-write-1'
import { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { compress, readDeclaredBytes, SnappyError, uncompress, useUncompressed } from '@narthex/wire/snappy'
import { drawElements, makeBlock, readElements } from '@narthex/wire/testdata/snappy-reference'
import { RemoteWriteLoad } from '../../bench/remote-write-load.ts'
import { encode, ensure, type FuzzTarget } from '../fuzz-target.ts'
import { Random } from '../mutate.ts'

const load = new RemoteWriteLoad(40, 20, 1_700_000_000_000)
const request1 = Uint8Array.from(load.encode(0))
const reader1 = new RemoteWrite1Reader()
const reader2 = new RemoteWrite2Reader()
const columns = new SampleColumns()
/** As a receiver bounds what it unpacks. */
const unpackedBytesMax = 2 ** 20

/** symbols ["", "__name__", "up", "job", "a"], one series of two samples. */
const request2 = Uint8Array.from([
  ...[0x22, 0, 0x22, 8, ...encode('__name__'), 0x22, 2, ...encode('up'), 0x22, 3, ...encode('job'), 0x22, 1, ...encode('a')],
  ...[0x2a, 34, 0x0a, 4, 1, 2, 3, 4, 0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0xe8, 0x07],
  ...[0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0x00, 0x40, 0x10, 0xd0, 0x0f],
])

/** Two queries, one of them with every field. */
const readRequest = encodeReadRequest({
  queries: [
    {
      startMs: -1,
      endMs: 1_700_000_000_000,
      matchers: [
        { type: '=', name: '__name__', value: 'up' },
        { type: '!~', name: 'job', value: 'a|b' },
      ],
      hints: { function: 'rate', startMs: 5, endMs: 7 },
    },
    { startMs: 0, endMs: 1, matchers: [] },
  ],
  acceptedResponses: [1, 0],
})

/** One result: series up{job="a"} of two samples, and an empty result. */
const readResponse = Uint8Array.from([
  ...[0x0a, 53, 0x0a, 51, 0x0a, 14, 0x0a, 8, ...encode('__name__'), 0x12, 2, ...encode('up'), 0x0a, 8, 0x0a, 3, ...encode('job')],
  ...[0x12, 1, ...encode('a'), 0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0xe8, 0x07],
  ...[0x12, 9, 0x09, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0x0a, 0],
])

function makeFrames(): Uint8Array {
  const writer = new ChunkFrameWriter(60)
  for (const query of [0, 1]) {
    writer.openSeries(query, ['__name__', 'up'])
    for (let i = 0; i < 3; i++) writer.addChunk(i * 1000, i * 1000 + 999, 1, new Uint8Array(20))
    writer.closeSeries()
  }
  return writer.take()
}

const framesBytes = makeFrames()
/** The message of the first frame, and as that of another query. */
const frameMessage = framesBytes.subarray(5, 5 + framesBytes[0]!)

function readFrames(bytes: Uint8Array): void {
  readChunkFrames(bytes, (_query, labels, chunks) => {
    ensure(labels.length % 2 === 0, 'a label has a name and a value')
    for (const { data } of chunks) ensure(data.length === 0 || data.buffer === bytes.buffer, 'data are a view of what was read')
  })
}

/** A frame around a message, so that its checksum is right whatever it says. */
function makeFrame(message: Uint8Array): Uint8Array {
  const out = new ByteWriter()
  out.uvarint(message.length)
  out.u32be(crc32c(message))
  out.raw(message)
  return out.view()
}

const elementsOf = (block: Uint8Array): Uint8Array => {
  let at = 0
  while (block[at]! >= 0x80) at++
  return block.slice(at + 1)
}

function makeBelow(seed: number): (bound: number) => number {
  const random = new Random(seed)
  return (bound) => random.below(bound)
}

/** Elements behind a head that says what they give, and behind one that says one byte more: the same bytes or refusal as of a plain reader. */
function readSnappyElements(bytes: Uint8Array): void {
  const plain = readElements(bytes, unpackedBytesMax)
  for (const more of [0, 1]) {
    const block = makeBlock((plain?.length ?? 500) + more, bytes)
    let isSame = true
    try {
      isSame = useUncompressed(block, unpackedBytesMax, (got) => more === 0 && plain !== undefined && Buffer.compare(got, plain) === 0)
    } catch (error) {
      if (!(error instanceof SnappyError)) throw error
      isSame = more === 1 || plain === undefined || readDeclaredBytes(block) > unpackedBytesMax
    }
    ensure(isSame, `a block ${more === 0 ? 'with an honest size' : 'that says one byte more'} is read as by a plain reader`)
  }
}

export const wireTargets: readonly FuzzTarget[] = [
  {
    name: 'snappy',
    seeds: [compress(request1).slice(), compress(encode('a')).slice(), compress(new Uint8Array(70_000)).slice()],
    refusals: ['SnappyError'],
    read: (bytes) => ensure(uncompress(bytes, unpackedBytesMax).length <= unpackedBytesMax, 'more was unpacked than is wanted'),
  },
  {
    name: 'snappy-elements',
    seeds: [...[1, 2, 3].map((seed) => drawElements(makeBelow(seed))), elementsOf(compress(request1)), elementsOf(compress(encode('a')))],
    refusals: [],
    read: readSnappyElements,
  },
  { name: 'remote-write-1', seeds: [request1], refusals: ['WireError'], read: (bytes) => reader1.read(bytes) },
  { name: 'remote-write-2', seeds: [request2], refusals: ['WireError'], read: (bytes) => reader2.read(bytes) },
  {
    name: 'remote-read-request',
    seeds: [readRequest],
    refusals: ['WireError'],
    read: (bytes) => {
      const { queries } = readReadRequest(bytes)
      ensure(queries.length <= readQueriesMax, 'more queries than there may be')
      ensure(queries.reduce((sum, { matchers }) => sum + matchers.length, 0) <= readMatchersMax, 'more matchers than there may be')
    },
  },
  {
    name: 'remote-read-samples',
    seeds: [readResponse],
    refusals: ['WireError'],
    read: (bytes) => {
      readReadResponse(bytes, (_query, labels, samples) => {
        ensure(labels.length % 2 === 0, 'a label has a name and a value')
        ensure(2 * samples.length <= bytes.length, 'more samples than their bytes')
      })
    },
  },
  { name: 'remote-read-frames', seeds: [framesBytes], refusals: ['WireError'], read: readFrames },
  {
    name: 'remote-read-chunks',
    seeds: [frameMessage, Uint8Array.from([...frameMessage, 0x10, 1])],
    refusals: ['WireError'],
    read: (bytes) => readFrames(makeFrame(bytes)),
  },
  {
    name: 'xor-chunk',
    // One sample (1000 ms, 1); two samples 15 s apart of the same value, whose difference is a single 0 bit.
    seeds: [
      Uint8Array.from([0, 1, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
      Uint8Array.from([0, 2, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x98, 0x75, 0]),
    ],
    refusals: ['ChunkError'],
    read: (bytes) => {
      columns.clear()
      decodeXorChunk(bytes, columns)
    },
  },
]
