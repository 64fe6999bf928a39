import type { Matcher } from '@narthex/model/matcher'
import type { BlockReader } from '../block/block-reader.ts'
import { readChunkSampleCount } from '../block/chunk-format.ts'
import { BlockSeries } from '../block/series-entry.ts'
import { formatGoDuration } from './block-table.ts'
import { PairTotals } from './pair-totals.ts'

const samplesPerChunk = 120
const fullnessSteps = 10

export interface AnalyzeOptions {
  /** Items in each list. */
  readonly limit: number
  /** Also how full the chunks are, which reads all of them. */
  readonly isExtended: boolean
  /** Undefined: all series. */
  readonly matchers?: readonly Matcher[]
}

/**
 * What promtool prints about a block: churn, common pairs, cardinality. Items that count the same stand in the order of their names. Memory: a
 * few numbers for each pair of name and value, none for a series.
 */
export function* analyzeBlock(block: BlockReader, options: AnalyzeOptions): Generator<string> {
  const { matchers, limit } = options
  const { meta } = block
  const rangeMs = meta.maxTime - meta.minTime
  yield `Block ID: ${meta.ulid}\n`
  yield `Duration: ${formatGoDuration(rangeMs)}\n`
  yield `Total Series: ${meta.stats?.numSeries ?? 0}\n`
  const references = matchers === undefined ? block.index.allSeries() : block.select(matchers)
  if (matchers !== undefined) {
    yield `Matcher: [${matchers.map(String).join(' ')}]\n`
    yield `Matched series: ${references.length}\n`
  }
  const totals = new PairTotals(block.index.symbols)
  const series = new BlockSeries()
  for (const reference of references) {
    block.readSeries(reference, series)
    const { chunkCount } = series
    const coveredMs = chunkCount === 0 ? 0 : series.maxTimes[chunkCount - 1]! - series.minTimes[0]!
    totals.add(series, rangeMs - coveredMs)
  }
  yield `Label names: ${totals.nameCount}\n`
  yield `Postings (unique label pairs): ${totals.pairCount}\n`
  yield `Postings entries (total label pairs): ${totals.entries}\n`
  const shares = (uncovered: Float64Array): Float64Array => uncovered.map((ms) => Math.trunc(ms / rangeMs))
  yield formatList('Label pairs most involved in churning', totals.topPairs(shares(totals.pairUncovered()), limit))
  yield formatList('Label names most involved in churning', totals.topNames(shares(totals.nameUncovered()), limit))
  yield formatList('Most common label pairs', totals.topPairs(totals.pairCounts(), limit))
  yield formatList('Label names with highest cumulative label value length', totals.topNames(totals.valueBytes(), limit))
  yield formatList('Highest cardinality labels', totals.topNames(totals.valueCounts(), limit))
  yield formatList('Highest cardinality metric names', totals.topValues('__name__', limit))
  if (options.isExtended) yield formatFullness(countFullness(block, references))
}

function formatList(title: string, items: readonly (readonly [count: number, name: string])[]): string {
  return `\n${title}:\n${items.map(([count, name]) => `${count} ${name}\n`).join('')}`
}

/** Chunks by how full they are: up to 10 % of 120 samples, 20 %, … */
function countFullness(block: BlockReader, references: Uint32Array): number[] {
  const counts = new Array<number>(fullnessSteps).fill(0)
  const series = new BlockSeries()
  for (const reference of references) {
    block.readSeries(reference, series)
    for (let i = 0; i < series.chunkCount; i++) {
      const { encoding, data } = block.chunk(series.chunks[i]!)
      const samples = Math.min(readChunkSampleCount(encoding, data), samplesPerChunk)
      if (samples > 0) counts[Math.ceil((fullnessSteps * samples) / samplesPerChunk) - 1]!++
    }
  }
  return counts
}

function formatFullness(counts: readonly number[]): string {
  const total = counts.reduce((sum, count) => sum + count, 0)
  let text = '\nCompaction analysis:\nFullness: Amount of samples in chunks (100% is 120 samples)\n'
  for (const [i, count] of counts.entries()) {
    const percent = total === 0 ? 0 : Math.floor((100 * count) / total)
    text += `${String((i + 1) * (100 / fullnessSteps)).padStart(7)}%: ${'#'.repeat(percent)}\n`
  }
  return text
}
