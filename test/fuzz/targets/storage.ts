import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { SampleColumns } from '@narthex/model/sample-columns'
import { formatBlockMeta, parseBlockMeta } from '@narthex/tsdb/block/block-meta'
import { ChunkFiles } from '@narthex/tsdb/block/chunk-files'
import { IndexReader } from '@narthex/tsdb/block/index-reader'
import { PageCache } from '@narthex/tsdb/block/page-cache'
import { BlockSeries } from '@narthex/tsdb/block/series-entry'
import { Tombstones } from '@narthex/tsdb/block/tombstones'
import { encodeXorChunk } from '@narthex/tsdb/chunk/xor-encoder'
import { putChunkEntry } from '@narthex/tsdb/head-chunks/chunk-entry'
import { createFileHeader } from '@narthex/tsdb/head-chunks/head-chunk-format'
import { replayHeadChunks } from '@narthex/tsdb/head-chunks/replay-head-chunks'
import { FragmentWriter } from '@narthex/tsdb/wal/fragment-writer'
import { readRecord } from '@narthex/tsdb/wal/read-record'
import { readSegment } from '@narthex/tsdb/wal/read-segments'
import { RecordBuilder } from '@narthex/tsdb/wal/record-builder'
import { RecordEntries } from '@narthex/tsdb/wal/record-entries'
import { histogramOf } from '@narthex/tsdb/wal/wal.test-histograms'
import { resealChunks, resealIndex, resealTombstones } from '../block-seals.ts'
import { decode, encode, ensure, type FuzzTarget } from '../fuzz-target.ts'

// The files of a Prometheus data directory. Those with checksums are read twice: as they are, and with the checksums made right, which is what
// a writer's bug or another version would leave.

/** Inputs of `npm test` for what goes through files. */
const fileShare = 200

let directory = ''

function writeAt(folder: string, name: string, bytes: Uint8Array): string {
  if (directory === '') directory = mkdtempSync(join(tmpdir(), 'narthex-fuzz-storage-'))
  const path = join(directory, folder)
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, name), bytes)
  return path
}

function removeDirectory(): void {
  if (directory !== '') rmSync(directory, { recursive: true, force: true })
  directory = ''
}

function record(type: number, fill: (builder: RecordBuilder) => void): Uint8Array {
  const builder = new RecordBuilder()
  builder.begin(type)
  fill(builder)
  return builder.view().slice()
}

const histogram = histogramOf(false)
const floatHistogram = histogramOf(true, { customValues: [0.5, 1] })
const records = [
  record(1, (builder) => {
    builder.addSeries(1, ['__name__', 'up', 'job', 'a'])
    builder.addSeries(2, ['__name__', 'down'])
  }),
  record(2, (builder) => {
    builder.addSample(1, 1_700_000_000_000, 0, 0x3ff00000)
    builder.addSample(2, 1_700_000_000_100, 2, 0x7ff00000)
  }),
  record(3, (builder) => builder.addTombstone(1, -5, 1_700_000_000_000)),
  record(4, (builder) => builder.addExemplar(1, 1000, 0, 0x40000000, ['trace', 'x'])),
  record(5, (builder) => builder.addMarker(1, 3, 800)),
  record(7, (builder) => builder.addHistogram(1, 1000, histogram)),
  record(10, (builder) => builder.addHistogram(2, 1000, floatHistogram)),
  record(11, (builder) => {
    builder.addSample(1, 2000, 0, 0x3ff00000, 1000)
    builder.addSample(2, 2001, 0, 0x3ff00000, 1000)
  }),
  record(12, (builder) => builder.addHistogram(1, 1000, histogram, 900)),
  record(128, (builder) => builder.addHighestReference(77)),
]

function segmentOf(compresses: boolean): Uint8Array {
  const fragments = new FragmentWriter(128 * 1024, compresses)
  for (const one of records) {
    fragments.prepare(one, one.length)
    fragments.put()
  }
  return fragments.bytes.slice(0, fragments.length)
}

const entries = new RecordEntries()

/** Every entry of a record is paid for by its bytes. */
function ensureEntries(bytes: Uint8Array): void {
  ensure(entries.length <= bytes.length, `${entries.length} entries in ${bytes.length} bytes`)
  for (let i = 0; i < entries.length; i++) {
    ensure(entries.refs[i]! >= 0 && Number.isSafeInteger(entries.refs[i]), `reference ${entries.refs[i]}`)
  }
}

function readSegmentTwice(bytes: Uint8Array, isNewest: boolean): void {
  // What was set aside before would have to be passed over.
  if (directory !== '') rmSync(join(directory, 'wal'), { recursive: true, force: true })
  const path = join(writeAt('wal', '00000000', bytes), '00000000')
  let count = 0
  const first = readSegment(path, isNewest, entries, (_type, one) => {
    count++
    ensureEntries(one)
  })
  let end = 0
  for (const damage of first.damages) {
    ensure(damage.offset >= end && damage.bytes >= 0 && damage.offset + damage.bytes <= bytes.length, 'damage lies outside the segment')
    end = damage.offset + damage.bytes
  }
  let again = 0
  const second = readSegment(path, isNewest, entries, () => again++)
  ensure(second.damages.length === 0, 'a segment that was repaired is damaged')
  ensure(again === count, `${count} records were read, and ${again} after the repair`)
}

function readIndex(bytes: Uint8Array): void {
  const path = join(writeAt('block', 'index', bytes), 'index')
  const index = IndexReader.open(path, new PageCache(0))
  try {
    const series = new BlockSeries()
    let lists = 0
    for (const name of index.table.names()) {
      index.table.forEach(name, (value, list) => {
        lists++
        index.table.find(name, value)
        index.postings(list)
      })
    }
    ensure(lists <= bytes.length, `${lists} lists in ${bytes.length} bytes`)
    for (const reference of index.allSeries()) {
      index.readSeries(reference, series)
      ensure(series.labelCount + series.chunkCount <= bytes.length, 'a series has more than its bytes')
      for (let i = 0; i < series.labelCount * 2; i++) index.symbols.text(series.labels[i]!)
    }
  } finally {
    index.close()
  }
}

function readChunkFile(bytes: Uint8Array): void {
  const path = writeAt('chunks', '000001', bytes)
  const files = ChunkFiles.open(path, new PageCache(0))
  try {
    for (let offset = 8; offset < bytes.length;) {
      const { data } = files.read(offset)
      ensure(data.length < bytes.length, 'a chunk is longer than its file')
      const reader = new ByteReader(bytes, offset)
      reader.uvarint()
      offset = reader.offset + 1 + data.length + 4
    }
  } finally {
    files.close()
  }
}

function readTombstones(bytes: Uint8Array): void {
  const stones = Tombstones.decode(bytes, 'tombstones')
  ensure(stones.count <= bytes.length, `${stones.count} intervals in ${bytes.length} bytes`)
  for (const reference of stones.references()) {
    const intervals = stones.intervals(reference)!
    for (let i = 0; i < intervals.length; i++) {
      ensure(i === 0 || intervals[i]! >= intervals[i - 1]!, 'intervals are not in order')
    }
  }
}

function tombstonesSeed(): Uint8Array {
  const stones = new Tombstones()
  stones.add(3, 1000, 2000)
  stones.add(3, -5, 10)
  stones.add(4_000_000_000, 1_700_000_000_000, 1_700_000_100_000)
  return stones.encode()
}

const meta = {
  ...{ ulid: '01ARZ3NDEKTSV4RRFFQ69G5FAV', minTime: 0, maxTime: 7_200_000 },
  stats: { numSamples: 12, numFloatSamples: 12, numSeries: 3, numChunks: 3, numTombstones: 1 },
  compaction: {
    ...{ level: 2, sources: ['01ARZ3NDEKTSV4RRFFQ69G5FAV'], deletable: false, failed: true, hints: ['from-out-of-order'] },
    parents: [{ ulid: '01ARZ3NDEKTSV4RRFFQ69G5FAV', minTime: 0, maxTime: 7_200_000 }],
  },
  ...{ version: 1, thanos: { labels: { a: 'b' }, files: [{ rel_path: 'index', size_bytes: 12_345_678_901_234_567_890n.toString() }] } },
}

function headChunkFile(): Uint8Array {
  const writer = new ByteWriter()
  writer.raw(createFileHeader())
  for (let series = 1; series < 5; series++) {
    const samples = new SampleColumns()
    for (let i = 0; i < 20; i++) samples.pushNumber(1000 * i, series * i)
    const data = encodeXorChunk(samples, 0, samples.length)
    putChunkEntry(writer, { seriesRef: series, minTimeMs: 0, maxTimeMs: 19_000, encoding: 1, isOutOfOrder: series === 2, data })
  }
  return writer.view().slice()
}

function readHeadChunkFiles(bytes: Uint8Array): void {
  if (directory !== '') rmSync(join(directory, 'chunks_head'), { recursive: true, force: true })
  writeAt('chunks_head', '000001', bytes)
  const path = writeAt('chunks_head', '000002', headChunkFile())
  const first = replayHeadChunks(
    path,
    ({ data }) => ensure(data.length <= bytes.length + 1000, 'a chunk is longer than its file'),
    () => undefined,
  )
  const second = replayHeadChunks(
    path,
    () => undefined,
    () => undefined,
  )
  ensure(second.damages.length === 0, 'files that were repaired are damaged')
  ensure(second.chunks === first.chunks, `${first.chunks} chunks were read, and ${second.chunks} after the repair`)
}

const indexSeed = readFileSync(join(import.meta.dirname, '..', 'seeds', 'block-index'))
const chunksSeed = readFileSync(join(import.meta.dirname, '..', 'seeds', 'block-chunks'))

export const storageTargets: readonly FuzzTarget[] = [
  {
    name: 'wal-records',
    seeds: records,
    refusals: ['CorruptionError'],
    read(bytes) {
      readRecord(bytes, entries)
      ensureEntries(bytes)
    },
  },
  {
    name: 'wal-segment',
    seeds: [segmentOf(false), segmentOf(true)],
    refusals: [],
    share: fileShare,
    read: (bytes) => readSegmentTwice(bytes, (bytes[0] ?? 0) % 2 === 0),
    close: removeDirectory,
  },
  { name: 'block-index', seeds: [indexSeed], refusals: ['BlockError'], share: fileShare, read: readIndex, close: removeDirectory },
  {
    name: 'sealed-block-index',
    seeds: [indexSeed],
    refusals: ['BlockError'],
    share: fileShare,
    read: (bytes) => readIndex(resealIndex(bytes)),
    close: removeDirectory,
  },
  { name: 'block-chunks', seeds: [chunksSeed], refusals: ['BlockError'], share: fileShare, read: readChunkFile, close: removeDirectory },
  {
    name: 'sealed-block-chunks',
    seeds: [chunksSeed],
    refusals: ['BlockError'],
    share: fileShare,
    read: (bytes) => readChunkFile(resealChunks(bytes)),
    close: removeDirectory,
  },
  { name: 'tombstones', seeds: [tombstonesSeed(), new Tombstones().encode()], refusals: ['BlockError'], read: readTombstones },
  {
    name: 'sealed-tombstones',
    seeds: [tombstonesSeed()],
    refusals: ['BlockError'],
    read: (bytes) => readTombstones(resealTombstones(bytes)),
  },
  {
    name: 'block-meta',
    seeds: [encode(JSON.stringify(meta, null, '\t'))],
    isJson: true,
    refusals: ['BlockError'],
    read(bytes) {
      const parsed = parseBlockMeta(decode(bytes), 'meta.json')
      ensure(Number.isSafeInteger(parsed.minTime) && parsed.minTime <= parsed.maxTime, `times ${parsed.minTime} and ${parsed.maxTime}`)
      parseBlockMeta(formatBlockMeta(parsed), 'meta.json')
    },
  },
  { name: 'head-chunk-file', seeds: [headChunkFile()], refusals: [], share: fileShare, read: readHeadChunkFiles, close: removeDirectory },
]
