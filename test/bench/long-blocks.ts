import { SampleColumns } from '@narthex/model/sample-columns'
import { BlockWriter, type BlockChunk } from '@narthex/tsdb/block/block-writer'
import { makeUlid } from '@narthex/tsdb/block/ulid'
import { encodeXorChunk } from '@narthex/tsdb/chunk/xor-encoder'
import { queriedLabels } from './query-series.ts'
import { RemoteWriteLoad } from './remote-write-load.ts'
import type { PodLoadOptions } from './load-spec.ts'

const samplesPerChunk = 120
const xorEncoding = 1

export interface LongLoad {
  readonly options: PodLoadOptions
  readonly steps: number
}

/**
 * Writes the samples of a `queried` load into blocks of `rangeMs` below `directory`, with the chunks that a head would have cut: the same
 * samples that a program gets which is sent the load. In memory: the samples of one block.
 */
export async function writeLongBlocks(directory: string, { options, steps }: LongLoad, rangeMs: number): Promise<void> {
  const { seriesCount, samplesPerRequest, startMs, stepMs } = options
  const load = new RemoteWriteLoad(seriesCount, samplesPerRequest, startMs, { stepMs, labelsOf: queriedLabels })
  const labels = Array.from({ length: seriesCount }, (_, series) => queriedLabels(series).flat())
  const order = labels.map((_, series) => series).sort((a, b) => compareLabels(labels[a]!, labels[b]!))
  const symbols = [...new Set(labels.flat())].sort()
  const columns = labels.map(() => new SampleColumns(rangeMs / stepMs))
  for (let step = 0; step < steps;) {
    const blockMs = Math.floor((load.timeMs + stepMs) / rangeMs) * rangeMs
    for (const of of columns) of.clear()
    for (; step < steps && load.timeMs + stepMs < blockMs + rangeMs; step++) {
      load.step()
      for (let series = 0; series < seriesCount; series++) columns[series]!.pushNumber(load.timeMs, load.value(series))
    }
    const ulid = makeUlid(Date.now())
    const writer = new BlockWriter(directory, ulid)
    writer.symbols(symbols)
    for (const series of order) writer.addSeries(labels[series]!, encodeChunks(columns[series]!))
    await writer.finish({ minTimeMs: blockMs, maxTimeMs: blockMs + rangeMs, compaction: { level: 1, sources: [ulid] } })
  }
}

function encodeChunks(columns: SampleColumns): BlockChunk[] {
  const chunks: BlockChunk[] = []
  for (let from = 0; from < columns.length; from += samplesPerChunk) {
    const to = Math.min(columns.length, from + samplesPerChunk)
    const [minTimeMs, maxTimeMs] = [columns.times[from]!, columns.times[to - 1]!]
    chunks.push({ encoding: xorEncoding, minTimeMs, maxTimeMs, data: encodeXorChunk(columns, from, to) })
  }
  return chunks
}

/** Of texts in ASCII. */
function compareLabels(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1
  return 0
}
