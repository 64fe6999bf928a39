// Against Debian's prometheus and promtool: both read our blocks, we read theirs, and the same series make the same bytes.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { formatFloatG } from '@narthex/model/number'
import { SampleColumns } from '@narthex/model/sample-columns'
import { findFreePort, startProcess, waitFor } from '@narthex/test/kit/process'
import { HistogramChunkAppender } from '../chunk/histogram-chunk-appender.ts'
import { decodeXorChunk } from '../chunk/xor-chunk.ts'
import { BlockReader } from './block-reader.ts'
import { BlockWriter } from './block-writer.ts'
import type { BlockChunk } from './block-writer.ts'
import { readLines, writeBlock } from './block.test-blocks.ts'
import type { Sample, TestSeries } from './block.test-blocks.ts'
import { PageCache } from './page-cache.ts'
import { BlockSeries } from './series-entry.ts'
import { Tombstones } from './tombstones.ts'
import { makeUlid } from './ulid.ts'

const run = promisify(execFile)
const startMs = 1_700_006_400_000
let data = ''

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'narthex-block-'))
  // promtool wants one to dump.
  mkdirSync(join(data, 'wal'))
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

async function promtool(...args: string[]): Promise<string> {
  const { stdout } = await run('promtool', ['tsdb', ...args], { maxBuffer: 2 ** 28 })
  return stdout
}

async function dump(): Promise<string[]> {
  return (await promtool('dump', data)).split('\n').filter((line) => line !== '')
}

/** 120 series over two hours, with values that need quoting, more than UTF-16's plane, and 3 chunks each. */
function someSeries(): TestSeries[] {
  return Array.from({ length: 120 }, (_, i) => ({
    labels: [
      '__name__',
      `metric_${i % 3}`,
      'i',
      String(i).padStart(3, '0'),
      ...(i % 2 === 0 ? ['text', ['é"\\\n', '\u{1f525}', '\uffee'][i % 3]!] : []),
    ],
    chunks: [0, 1, 2].map((chunk) =>
      Array.from({ length: 40 }, (__, j): Sample => [startMs + chunk * 2_400_000 + j * 60_000 + i, j === 7 ? NaN : (i * j) / 7]),
    ),
  }))
}

/** As `promtool tsdb dump` prints it, deleted samples left out. */
function ourDump(block: BlockReader): string[] {
  const series = new BlockSeries()
  const lines: string[] = []
  for (const reference of block.select([])) {
    block.readSeries(reference, series)
    const columns = new SampleColumns()
    for (let i = 0; i < series.chunkCount; i++) decodeXorChunk(block.chunk(series.chunks[i]!).data, columns)
    block.tombstones.apply(reference, columns)
    const labels = block.labels(series).toString()
    for (let i = 0; i < columns.length; i++) lines.push(`${labels} ${formatFloatG(columns.values[i]!)} ${columns.times[i]}`)
  }
  return lines
}

/** Prometheus on the directory, ready; `count` gives the first value of a query two hours after the start of the blocks. */
async function serve(...args: string[]) {
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  writeFileSync(join(data, 'prometheus.yml'), '')
  const prometheus = startProcess('prometheus', [
    `--config.file=${join(data, 'prometheus.yml')}`,
    `--storage.tsdb.path=${data}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--storage.tsdb.retention.time=100y',
    ...args,
  ])
  const ask = async (path: string, parameters: Record<string, string>, method = 'GET'): Promise<unknown> => {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`, { method })
    return response.status === 204 ? undefined : ((await response.json()) as { data: unknown }).data
  }
  const count = async (query: string): Promise<unknown> => {
    const answer = (await ask('query', { query, time: String(startMs / 1000 + 7200) })) as { result: { value: [number, string] }[] }
    return answer.result[0]?.value[1]
  }
  try {
    await waitFor('prometheus', async () => (await fetch(`${url}/-/ready`)).ok, { process: prometheus })
  } catch (error) {
    await prometheus.stop()
    throw error
  }
  return { prometheus, ask, count }
}

/** A chunk of 20 histograms of one bucket each side of 1, whose counts are 2, 4, 6 … */
function histogramChunk(isFloat: boolean): BlockChunk {
  const chunk = new HistogramChunkAppender(isFloat)
  for (let i = 1; i <= 20; i++) {
    const buckets = isFloat ? { positiveCounts: [i, i], positiveDeltas: [] } : { positiveCounts: [], positiveDeltas: [i, 0] }
    chunk.append(startMs + i * 60_000, {
      schema: 0,
      isFloat,
      count: 2 * i,
      sum: i * 1.5,
      zeroThreshold: 0.001,
      zeroCount: 0,
      positiveSpans: [{ offset: 0, length: 2 }],
      negativeSpans: [],
      negativeDeltas: [],
      negativeCounts: [],
      customValues: [],
      isGauge: false,
      ...buckets,
    })
  }
  return { encoding: chunk.encoding, minTimeMs: startMs + 60_000, maxTimeMs: startMs + 1_200_000, data: chunk.bytes() }
}

function openBlock(directory: string): BlockReader {
  return BlockReader.open(directory, new PageCache())
}

describe('our block', () => {
  it('is listed, analyzed and dumped by promtool with every sample but the deleted ones', async () => {
    const directory = await writeBlock(data, someSeries(), { chunkFileBytesMax: 30_000 })
    expect(readdirSync(join(directory, 'chunks')).length).toBeGreaterThan(2)
    let block = openBlock(directory)
    expect(await promtool('list', data)).toMatch(new RegExp(`${basename(directory)} .* 14400 +360 +120 `))
    const analysis = await promtool('analyze', data)
    expect(analysis).toMatch(
      /Series: 120\nLabel names: 3\nPostings \(unique label pairs\): 126\nPostings entries \(total label pairs\): 300\n/,
    )
    const whole = await dump()
    expect(whole).toHaveLength(14_400)
    expect(whole).toEqual(ourDump(block))
    const stones = new Tombstones()
    const references = block.select([new Matcher('=', '__name__', 'metric_1')])
    for (const reference of references) stones.add(reference, startMs + 100_000, startMs + 3_000_000)
    stones.add(references[0]!, startMs, startMs + 10_000_000)
    writeFileSync(join(directory, 'tombstones'), stones.encode())
    block.close()
    block = openBlock(directory)
    const rest = await dump()
    expect(rest.length).toBeLessThan(whole.length - 1900)
    expect(rest).toEqual(ourDump(block))
    expect(block.verify()).toEqual([])
    block.close()
  })

  it('is served by prometheus, and what is deleted there is deleted for us', async () => {
    const directory = await writeBlock(data, someSeries())
    const { prometheus, ask, count } = await serve('--web.enable-admin-api')
    try {
      expect(await count('sum(count_over_time({__name__=~"metric_.*"}[3h]))')).toBe('14400')
      expect(await count('sum(count_over_time({text="\u{1f525}"}[3h]))')).toBe('2400')
      expect(await count('count(last_over_time(metric_0{text=""}[3h]))')).toBe('20')
      expect(await ask('label/text/values', { start: '0' })).toEqual(['é"\\\n', '\uffee', '\u{1f525}'])
      await ask(
        'admin/tsdb/delete_series',
        { 'match[]': 'metric_2', start: String(startMs / 1000 + 600), end: String(startMs / 1000 + 1200) },
        'POST',
      )
      await waitFor('tombstones', () => Tombstones.read(join(directory, 'tombstones')).count === 40)
      const block = openBlock(directory)
      expect(ourDump(block).filter((line) => line.includes('metric_2'))).toHaveLength(4800 - 40 * 10)
      expect(await count('sum(count_over_time(metric_2[3h]))')).toBe(String(4800 - 40 * 10))
      block.close()
    } finally {
      await prometheus.stop()
    }
  })
})

describe('our block of native histograms', () => {
  it('is served by prometheus', async () => {
    const writer = new BlockWriter(data, makeUlid(Date.now()))
    writer.symbols(['__name__', 'floats', 'integers'])
    writer.addSeries(['__name__', 'floats'], [histogramChunk(true)])
    writer.addSeries(['__name__', 'integers'], [histogramChunk(false)])
    const meta = await writer.finish({
      minTimeMs: startMs,
      maxTimeMs: startMs + 7_200_000,
      compaction: { level: 1, sources: [writer.ulid] },
    })
    expect(meta.stats).toEqual({ numSamples: 40, numHistogramSamples: 40, numSeries: 2, numChunks: 2 })
    const block = openBlock(writer.directory)
    expect(block.verify()).toEqual([])
    block.close()
    const { prometheus, count } = await serve('--enable-feature=native-histograms')
    try {
      for (const name of ['integers', 'floats']) {
        expect(await count(`count_over_time(${name}[2h])`)).toBe('20')
        expect(await count(`histogram_count(${name} offset 98m)`)).toBe('40')
        expect(await count(`histogram_sum(${name} offset 98m)`)).toBe('30')
      }
    } finally {
      await prometheus.stop()
    }
  })
})

describe("promtool's block", () => {
  it('is read with every sample, and written again with the same bytes but for the label indices that are written no more', async () => {
    const series = someSeries()
    const lines = ['# TYPE metric_0 gauge', '# TYPE metric_1 gauge', '# TYPE metric_2 gauge']
    for (const { labels, chunks } of [...series].sort((a, b) => (a.labels[1]! < b.labels[1]! ? -1 : 1))) {
      const text = Labels.fromPairs(labels as string[]).metricString()
      // promtool reads times as seconds in floating point and cuts them off: whole seconds stay what they are.
      for (const [timeMs, value] of chunks.flat())
        lines.push(`${text.replaceAll(', ', ',')} ${formatFloatG(value)} ${Math.floor(timeMs / 1000)}`)
    }
    writeFileSync(join(data, 'input.om'), `${lines.join('\n')}\n# EOF\n`)
    const theirs = join(data, 'theirs')
    await promtool('create-blocks-from', 'openmetrics', join(data, 'input.om'), theirs)
    const [name] = readdirSync(theirs)
    const block = openBlock(join(theirs, name!))
    expect(block.verify()).toEqual([])
    const samples = series.flatMap(({ labels, chunks }) => {
      const text = Labels.fromPairs(labels as string[]).toString()
      return chunks.flat().map(([timeMs, value]) => `${text} ${formatFloatG(value)} ${timeMs - (timeMs % 1000)}`)
    })
    expect(ourDump(block).sort()).toEqual(samples.sort())

    const writer = new BlockWriter(data, name!)
    writer.symbols(block.symbols())
    const read = new BlockSeries()
    for (const reference of block.select([])) {
      block.readSeries(reference, read)
      const chunks = Array.from({ length: read.chunkCount }, (_, i) => {
        return { ...block.chunk(read.chunks[i]!), minTimeMs: read.minTimes[i]!, maxTimeMs: read.maxTimes[i]! }
      })
      writer.addSeries(read.labels.subarray(0, read.labelCount * 2), chunks)
    }
    await writer.finish({ minTimeMs: block.meta.minTime, maxTimeMs: block.meta.maxTime, compaction: block.meta.compaction })
    const ours = openBlock(writer.directory)
    for (const file of ['chunks/000001', 'tombstones']) {
      expect(readFileSync(join(writer.directory, file)).equals(readFileSync(join(theirs, name!, file))), file).toBe(true)
    }
    expect(upToSeries(ours).equals(upToSeries(block))).toBe(true)
    expect(postings(ours).equals(postings(block))).toBe(true)
    expect(readLines(ours)).toEqual(readLines(block))
    const { numFloatSamples: _, ...stats } = ours.meta.stats!
    expect(stats).toEqual(block.meta.stats)
    ours.close()
    block.close()
  })
})

/** Header, symbols and series. */
function upToSeries({ index }: BlockReader): Buffer {
  return readFileSync(index.file.path).subarray(0, index.sections.labelIndices)
}

/** All lists, from the first one's aligned offset. */
function postings({ index }: BlockReader): Buffer {
  const { postings: start, labelIndicesTable } = index.sections
  return readFileSync(index.file.path).subarray(Math.ceil(start / 4) * 4, labelIndicesTable)
}
