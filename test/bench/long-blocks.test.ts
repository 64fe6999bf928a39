import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { SampleColumns } from '@narthex/model/sample-columns'
import { parseExpression } from '@narthex/promql/parse/parse'
import { BlockReader } from '@narthex/tsdb/block/block-reader'
import { PageCache } from '@narthex/tsdb/block/page-cache'
import { BlockSeries } from '@narthex/tsdb/block/series-entry'
import { decodeXorChunk } from '@narthex/tsdb/chunk/xor-chunk'
import { expect, test } from 'vitest'
import { makeTemporaryDirectory } from '../kit/process.ts'
import { writeLongBlocks } from './long-blocks.ts'
import { nodeDashboard } from './node-dashboard.ts'
import { queriedLabels } from './query-series.ts'
import { RemoteWriteLoad } from './remote-write-load.ts'

const rangeMs = 2 * 3600_000
const stepMs = 60_000

test('long blocks have the samples that a program gets which is sent the load, each block those of its range', async () => {
  const temporary = makeTemporaryDirectory()
  try {
    // Three ranges, the first of which begins in its middle.
    const options = { seriesCount: 25, samplesPerRequest: 10, startMs: 100 * rangeMs + rangeMs / 2 + 7_000 - stepMs, stepMs }
    const steps = 300
    await writeLongBlocks(temporary.path, { options, steps }, rangeMs)
    const found = new Map<string, SampleColumns>()
    const ranges: unknown[][] = []
    const readers = readdirSync(temporary.path).map((name) => BlockReader.open(join(temporary.path, name), new PageCache()))
    for (const reader of readers.sort((a, b) => a.meta.minTime - b.meta.minTime)) {
      ranges.push([reader.meta.minTime, reader.meta.maxTime, reader.meta.stats?.numSamples])
      readBlock(reader, found)
      reader.close()
    }
    expect(ranges).toEqual([100, 101, 102].map((range, i) => [range * rangeMs, (range + 1) * rangeMs, [60, 120, 120][i]! * 25]))
    const load = new RemoteWriteLoad(25, 10, options.startMs, { stepMs, labelsOf: queriedLabels })
    expect(found.size).toBe(25)
    for (let step = 0; step < steps; step++) {
      load.step()
      for (let series = 0; series < 25; series++) {
        const columns = found.get(queriedLabels(series).flat().join('\n'))!
        expect([columns.times[step], columns.values[step]]).toEqual([load.timeMs, load.value(series)])
      }
    }
  } finally {
    temporary.remove()
  }
})

test('the dashboard of a host has twenty queries, each of that host alone', () => {
  const queries = nodeDashboard('instance="a",job="node"')
  expect(new Set(queries).size).toBe(20)
  for (const query of queries) {
    expect(() => parseExpression(query)).not.toThrow()
    expect(query.split('node_').length).toBe(query.split('instance="a",job="node"').length)
  }
})

function readBlock(reader: BlockReader, into: Map<string, SampleColumns>): void {
  const series = new BlockSeries()
  for (const reference of reader.select([])) {
    reader.readSeries(reference, series)
    const labels = Array.from({ length: series.labelCount * 2 }, (_, i) => Buffer.from(reader.symbol(series.labels[i]!)).toString())
    const columns = into.get(labels.join('\n')) ?? new SampleColumns()
    into.set(labels.join('\n'), columns)
    for (let i = 0; i < series.chunkCount; i++) decodeXorChunk(reader.chunk(series.chunks[i]!).data, columns)
  }
}
