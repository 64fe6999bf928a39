// Blocks for tests: described as plain values, written by our writer, read back as plain values.
import { SampleColumns } from '@narthex/model/sample-columns'
import { encodeXorChunk } from '../chunk/xor-encoder.ts'
import { decodeXorChunk } from '../chunk/xor-chunk.ts'
import type { BlockReader } from './block-reader.ts'
import { BlockWriter } from './block-writer.ts'
import type { BlockChunk, BlockWriterOptions } from './block-writer.ts'
import { compareBytes, toBytes } from './byte-order.ts'
import { BlockSeries } from './series-entry.ts'
import { makeUlid } from './ulid.ts'

export type Sample = readonly [timeMs: number, value: number]

export interface TestSeries {
  /** name, value, … in ascending order of names. */
  readonly labels: readonly (string | Uint8Array)[]
  readonly chunks: readonly (readonly Sample[])[]
}

export function encode(samples: readonly Sample[]): BlockChunk {
  const columns = new SampleColumns()
  for (const [timeMs, value] of samples) columns.pushNumber(timeMs, value)
  return {
    encoding: 1,
    minTimeMs: samples[0]![0],
    maxTimeMs: samples.at(-1)![0],
    data: encodeXorChunk(columns, 0, columns.length),
  }
}

export function compareLabels(a: readonly (string | Uint8Array)[], b: readonly (string | Uint8Array)[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareBytes(toBytes(a[i]!), toBytes(b[i]!))
    if (order !== 0) return order
  }
  return a.length - b.length
}

export function symbolsOf(series: readonly TestSeries[]): Uint8Array[] {
  const sorted = series.flatMap(({ labels }) => labels.map(toBytes)).sort(compareBytes)
  return sorted.filter((symbol, i) => i === 0 || compareBytes(symbol, sorted[i - 1]!) !== 0)
}

/** Sorts the series, writes them as a block of level 1 below `parent` and gives its directory. */
export async function writeBlock(parent: string, series: readonly TestSeries[], options: BlockWriterOptions = {}): Promise<string> {
  const ulid = makeUlid(Date.now())
  const writer = new BlockWriter(parent, ulid, options)
  writer.symbols(symbolsOf(series))
  let first = Infinity
  let last = -Infinity
  for (const { labels, chunks } of [...series].sort((a, b) => compareLabels(a.labels, b.labels))) {
    writer.addSeries(labels, chunks.map(encode))
    first = Math.min(first, chunks[0]![0]![0])
    last = Math.max(last, chunks.at(-1)!.at(-1)![0])
  }
  await writer.finish({ minTimeMs: first, maxTimeMs: last + 1, compaction: { level: 1, sources: [ulid] } })
  return writer.directory
}

/** One line a series: labels as hex, then the samples of each chunk. */
export function readLines(block: BlockReader, references = block.select([])): string[] {
  const series = new BlockSeries()
  return Array.from(references, (reference) => {
    block.readSeries(reference, series)
    const labels = Array.from({ length: series.labelCount * 2 }, (_, i) => Buffer.from(block.symbol(series.labels[i]!)))
    const chunks = Array.from({ length: series.chunkCount }, (_, i) => {
      const { encoding, data } = block.chunk(series.chunks[i]!)
      const columns = new SampleColumns()
      decodeXorChunk(data, columns)
      return describeChunk(encoding, series.minTimes[i]!, series.maxTimes[i]!, columns)
    })
    return `${labels.map((label) => label.toString('hex')).join(' ')} ${chunks.join(' ')}`
  })
}

/** What `readLines` must give for these series. */
export function describeSeries(series: readonly TestSeries[]): string[] {
  return [...series]
    .sort((a, b) => compareLabels(a.labels, b.labels))
    .map(({ labels, chunks }) => {
      const texts = chunks.map((samples) => {
        const columns = new SampleColumns()
        for (const [timeMs, value] of samples) columns.pushNumber(timeMs, value)
        return describeChunk(1, samples[0]![0], samples.at(-1)![0], columns)
      })
      return `${labels.map((label) => Buffer.from(toBytes(label)).toString('hex')).join(' ')} ${texts.join(' ')}`
    })
}

function describeChunk(encoding: number, minTimeMs: number, maxTimeMs: number, columns: SampleColumns): string {
  const samples = Array.from(
    { length: columns.length },
    (_, i) => `${columns.times[i]}=${columns.words[2 * i]}/${columns.words[2 * i + 1]}`,
  )
  return `[${encoding} ${minTimeMs}-${maxTimeMs}: ${samples.join(',')}]`
}
