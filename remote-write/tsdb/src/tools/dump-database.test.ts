import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { afterAll, describe, expect, test } from 'vitest'
import { BlockError } from '../block/block-error.ts'
import { encode } from '../block/block.test-blocks.ts'
import { BlockReader } from '../block/block-reader.ts'
import { BlockWriter } from '../block/block-writer.ts'
import type { BlockChunk } from '../block/block-writer.ts'
import { PageCache } from '../block/page-cache.ts'
import { Tombstones } from '../block/tombstones.ts'
import { makeUlid } from '../block/ulid.ts'
import { HistogramChunkAppender } from '../chunk/histogram-chunk-appender.ts'
import { RecordBuilder } from '../wal/record-builder.ts'
import { WalWriter } from '../wal/wal-writer.ts'
import { histogramSamplesRecord, samplesRecord, seriesRecord, tombstonesRecord } from '../wal/wal-format.ts'
import { dumpDatabase, formatOpenMetricsSeries, OpenMetricsFormat, PlainFormat, SeriesJsonFormat } from './dump-database.ts'
import type { DumpFormat } from './dump-database.ts'

const temporary = makeTemporaryDirectory()
afterAll(() => temporary.remove())
let count = 0

function makeDirectory(): string {
  const directory = join(temporary.path, String(++count))
  mkdirSync(directory)
  return directory
}

function dump(
  directory: string,
  options: { format?: DumpFormat; problems?: string[]; matchers?: Matcher[]; minTimeMs?: number; maxTimeMs?: number } = {},
): string[] {
  const { format = new PlainFormat(), problems = [], matchers = [], minTimeMs = -Infinity, maxTimeMs = Infinity } = options
  const request = { directory, selectors: [matchers], minTimeMs, maxTimeMs, memoryBytesMax: 64 * 2 ** 20 }
  return Buffer.concat([...dumpDatabase(request, format, problems)])
    .toString()
    .split('\n')
    .slice(0, -1)
}

function makeHistogram(observations: number): NativeHistogram {
  return {
    schema: 0,
    isFloat: false,
    count: observations,
    sum: observations * 2,
    zeroThreshold: 0,
    zeroCount: 0,
    positiveSpans: [{ offset: 1, length: 1 }],
    negativeSpans: [],
    positiveDeltas: [observations],
    negativeDeltas: [],
    positiveCounts: [],
    negativeCounts: [],
    customValues: [],
    isGauge: false,
  }
}

function encodeHistograms(samples: readonly (readonly [timeMs: number, observations: number])[]): BlockChunk {
  const appender = new HistogramChunkAppender(false)
  for (const [timeMs, observations] of samples) expect(appender.append(timeMs, makeHistogram(observations))).toBeUndefined()
  return { encoding: appender.encoding, minTimeMs: samples[0]![0], maxTimeMs: samples.at(-1)![0], data: appender.bytes() }
}

/** One series `a{x=…}` for each list of chunks. */
async function writeBlock(directory: string, series: Readonly<Record<string, readonly BlockChunk[]>>, maxTimeMs: number): Promise<string> {
  const writer = new BlockWriter(directory, makeUlid(1))
  writer.symbols(['__name__', 'a', 'x', ...Object.keys(series)].sort())
  for (const [x, chunks] of Object.entries(series)) writer.addSeries(['__name__', 'a', 'x', x], chunks)
  await writer.finish({ minTimeMs: 0, maxTimeMs, compaction: { level: 1, sources: [writer.ulid] } })
  return writer.directory
}

async function writeLog(
  directory: string,
  name: string,
  fill: (put: (type: number, put: (builder: RecordBuilder) => void) => void) => void,
): Promise<void> {
  mkdirSync(join(directory, name))
  const writer = new WalWriter({ directory: join(directory, name), firstSegment: 0, compresses: true })
  const builder = new RecordBuilder()
  fill((type, put) => {
    builder.begin(type)
    put(builder)
    writer.writeRecords([builder.view()])
  })
  await writer.close()
}

describe('a dump', () => {
  test('has floats and histograms of a series in the order of time', async () => {
    const directory = makeDirectory()
    const histograms = encodeHistograms([
      [200, 1],
      [300, 3],
    ])
    await writeBlock(directory, { 1: [encode([[100, 1]]), histograms, encode([[400, -0]])] }, 500)
    expect(dump(directory)).toEqual([
      '{__name__="a", x="1"} 1 100',
      '{__name__="a", x="1"} {count:1, sum:2, (1,2]:1} 200',
      '{__name__="a", x="1"} {count:3, sum:6, (1,2]:3} 300',
      '{__name__="a", x="1"} -0 400',
    ])
    const format = new OpenMetricsFormat()
    expect(dump(directory, { format })).toEqual(['a{x="1"} 1 0.100', 'a{x="1"} -0 0.400', '# EOF'])
    expect(format.histogramsLeftOut).toBe(2)
    expect(dump(directory, { format: new SeriesJsonFormat() })).toEqual(['{"__name__":"a","x":"1"}'])
  })

  test('of series alone has each once, with its labels as Go encodes them', async () => {
    const directory = makeDirectory()
    const chunks = [encode([[100, 1]]), encode([[300, 1]]), encodeHistograms([[400, 1]])]
    await writeBlock(directory, { '<a> & "b\\é\u2028': chunks, b: [encode([[100, 1]])] }, 500)
    const format = () => new SeriesJsonFormat()
    const first = '{"__name__":"a","x":"\\u003ca\\u003e \\u0026 \\"b\\\\é\\u2028"}'
    expect(dump(directory, { format: format() })).toEqual([first, '{"__name__":"a","x":"b"}'])
    expect(dump(directory, { format: format(), minTimeMs: 200 })).toEqual([first])
    expect(dump(directory, { format: format(), minTimeMs: 401 })).toEqual([])
    expect(dump(directory, { format: format(), matchers: [new Matcher('=', 'x', 'b')] })).toEqual(['{"__name__":"a","x":"b"}'])
  })

  test('leaves out what was deleted, floats and histograms', async () => {
    const directory = makeDirectory()
    const histograms = encodeHistograms([
      [200, 1],
      [300, 3],
      [350, 4],
    ])
    const floats = encode([
      [100, 1],
      [110, 2],
    ])
    const block = await writeBlock(directory, { 1: [floats, histograms], 2: [floats] }, 500)
    const before = dump(directory)
    const tombstones = new Tombstones()
    const reader = BlockReader.open(block, new PageCache())
    tombstones.add(reader.select([new Matcher('=', 'x', '1')])[0]!, 110, 300)
    reader.close()
    writeFileSync(join(block, 'tombstones'), tombstones.encode())
    expect(dump(directory)).toEqual(before.filter((line) => !/x="1"\} (2 110|.* 200|.* 300)$/.test(line)))
    expect(dump(directory)).toHaveLength(before.length - 3)
  })

  test('takes the log from the end of the last block on, with histograms, deletions and late samples', async () => {
    const directory = makeDirectory()
    await writeBlock(directory, { 1: [encode([[100, 1]])], 3: [encode([[100, 3]])] }, 200)
    await writeLog(directory, 'wal', (put) => {
      put(seriesRecord, (builder) => {
        builder.addSeries(7, ['__name__', 'a', 'x', '2'])
        builder.addSeries(9, ['__name__', 'a', 'x', '1'])
      })
      put(samplesRecord, (builder) => {
        for (const timeMs of [199, 200, 250, 300]) builder.addSample(9, timeMs, 0, 0x40000000)
        builder.addSample(8, 300, 0, 0)
      })
      put(histogramSamplesRecord, (builder) => {
        for (const timeMs of [150, 260, 270])
          builder.addHistogram(7, timeMs, { histogram: makeHistogram(5), resetHint: 0, sumLow: 0, sumHigh: 0x40240000 })
      })
      put(tombstonesRecord, (builder) => {
        builder.addTombstone(9, 250, 260)
        builder.addTombstone(7, 270, 270)
      })
    })
    await writeLog(directory, 'wbl', (put) => {
      put(samplesRecord, (builder) => {
        for (const timeMs of [290, 100, 210, 150, 300]) builder.addSample(9, timeMs, 0, 0x3ff00000)
      })
      put(histogramSamplesRecord, (builder) => {
        const late = { resetHint: 0, sumLow: 0, sumHigh: 0x40240000 } as const
        for (const timeMs of [265, 120, 270, 260]) builder.addHistogram(7, timeMs, { histogram: makeHistogram(6), ...late })
        builder.addHistogram(7, 120, { histogram: makeHistogram(7), ...late })
      })
    })
    const problems: string[] = []
    expect(dump(directory, { problems })).toEqual([
      '{__name__="a", x="1"} 1 100',
      '{__name__="a", x="1"} 1 150',
      '{__name__="a", x="1"} 2 200',
      '{__name__="a", x="1"} 1 210',
      '{__name__="a", x="1"} 1 290',
      '{__name__="a", x="1"} 2 300',
      '{__name__="a", x="2"} {count:6, sum:10, (1,2]:6} 120',
      '{__name__="a", x="2"} {count:5, sum:10, (1,2]:5} 260',
      '{__name__="a", x="2"} {count:6, sum:10, (1,2]:6} 265',
      '{__name__="a", x="3"} 3 100',
    ])
    expect(problems).toEqual(['1 samples of the log belong to no series'])
    expect(dump(directory, { matchers: [new Matcher('=', 'x', '1')], minTimeMs: 290 })).toHaveLength(2)
    // Late samples count where blocks have the whole range.
    expect(dump(directory, { maxTimeMs: 199 })).toEqual([
      '{__name__="a", x="1"} 1 100',
      '{__name__="a", x="1"} 1 150',
      '{__name__="a", x="2"} {count:6, sum:10, (1,2]:6} 120',
      '{__name__="a", x="3"} 3 100',
    ])
  })

  test('reads a damaged log up to the damage and says where that is', async () => {
    const directory = makeDirectory()
    await writeLog(directory, 'wal', (put) => {
      put(seriesRecord, (builder) => builder.addSeries(1, ['__name__', 'a']))
      put(samplesRecord, (builder) => builder.addSample(1, 5, 0, 0))
    })
    const segment = join(directory, 'wal', '00000000')
    appendFileSync(segment, Buffer.from([1, 0, 9, 1, 2, 3, 4, 5]))
    const before = readFileSync(segment)
    const problems: string[] = []
    expect(dump(directory, { problems })).toEqual(['{__name__="a"} 0 5'])
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(/wal\/00000000 is damaged at offset \d+, its rest is left out: /)
    expect(readFileSync(segment)).toEqual(before)
    expect(readdirSync(directory)).toEqual(['wal'])
  })

  test('ends at a damaged chunk with an error that names the file', async () => {
    const directory = makeDirectory()
    const block = await writeBlock(directory, { 1: [encode([[100, 1]])] }, 200)
    const path = join(block, 'chunks', '000001')
    const bytes = readFileSync(path)
    bytes[bytes.length - 6]! ^= 1
    writeFileSync(path, bytes)
    expect(() => dump(directory)).toThrow(BlockError)
    expect(() => dump(directory)).toThrow(path)
  })
})

test.each([
  [{ __name__: 'up' }, 'up{}'],
  [{ __name__: 'up', job: 'a', b: 'é"\\\n' }, 'up{b="é\\"\\\\\\n",job="a"}'],
  [{ __name__: 'not.legacy', 'b c': '1' }, '{"not.legacy","b c"="1"}'],
  [{ a: '1' }, '{a="1"}'],
])('%j is %s in OpenMetrics', (record, text) => {
  expect(formatOpenMetricsSeries(Labels.from(record))).toBe(text)
})
