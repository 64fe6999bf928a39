import { SampleColumns } from '@narthex/model/sample-columns'
import { decodeXorChunk } from '@narthex/tsdb/chunk/xor-chunk'
import { RemoteWrite1Reader } from '@narthex/wire/remote-write-1'
import { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { compress, uncompress } from '@narthex/wire/snappy'
import { RemoteWriteLoad } from '../../bench/remote-write-load.ts'
import { encode, ensure, type FuzzTarget } from '../fuzz-target.ts'

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

export const wireTargets: readonly FuzzTarget[] = [
  {
    name: 'snappy',
    seeds: [compress(request1).slice(), compress(encode('a')).slice(), compress(new Uint8Array(70_000)).slice()],
    refusals: ['SnappyError'],
    read: (bytes) => ensure(uncompress(bytes, unpackedBytesMax).length <= unpackedBytesMax, 'more was unpacked than is wanted'),
  },
  { name: 'remote-write-1', seeds: [request1], refusals: ['WireError'], read: (bytes) => reader1.read(bytes) },
  { name: 'remote-write-2', seeds: [request2], refusals: ['WireError'], read: (bytes) => reader2.read(bytes) },
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
