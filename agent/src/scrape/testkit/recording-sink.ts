import { ByteReader } from '@narthex/bytes/byte-reader'
import { Labels } from '@narthex/model/labels'
import { isStaleWords } from '@narthex/model/stale'
import { readHistogram } from '@narthex/wire/histogram-message'
import type { FrameSink, ScrapeBatch, SeriesLayout } from '../../store/frame.ts'

export interface RecordedSample {
  readonly series: string
  readonly timeMs: number
  /** 'stale' for the marker, a text for a histogram, else the number. */
  readonly value: number | string
  /** Only there if the sample has a start timestamp. */
  readonly startTimeMs?: number
}

/** A sink that turns batches back into label texts and numbers, for tests. */
export class RecordingSink implements FrameSink {
  samples: RecordedSample[] = []
  /** `series labels value@time`. */
  exemplars: string[] = []
  batches = 0
  layouts = new Set<number>()

  append(batch: ScrapeBatch): void {
    this.batches++
    this.layouts.add(batch.layout.id)
    const series = readSeries(batch.layout).map((labels) => labels.metricString())
    if (batch.indexes === undefined && batch.count !== batch.layout.seriesCount) {
      throw new Error(`want ${batch.layout.seriesCount} samples, got ${batch.count}`)
    }
    const values = new Float64Array(batch.words.buffer, batch.words.byteOffset)
    const histograms = readHistograms(batch)
    for (let i = 0; i < batch.count; i++) {
      const index = batch.indexes === undefined ? i : batch.indexes[i]!
      if (index >= series.length) throw new Error(`want a series below ${series.length}, got ${index}`)
      const isStale = isStaleWords(batch.words[2 * i]!, batch.words[2 * i + 1]!)
      const timeMs = typeof batch.times === 'number' ? batch.times : batch.times[i]!
      const startTimeMs = batch.startTimes?.[i] ?? 0
      const value = histograms.get(i) ?? (isStale ? 'stale' : values[i]!)
      this.samples.push({ series: series[index]!, timeMs, value, ...(startTimeMs === 0 ? {} : { startTimeMs }) })
    }
    this.#takeExemplars(batch, series)
  }

  #takeExemplars({ exemplars, indexes, count }: ScrapeBatch, series: readonly string[]): void {
    if (exemplars === undefined) return
    const values = new Float64Array(exemplars.words.buffer)
    for (let i = 0; i < exemplars.count; i++) {
      const position = exemplars.positions[i]!
      if (position >= count || (i > 0 && position < exemplars.positions[i - 1]!)) throw new Error(`want ascending samples, got ${position}`)
      const texts = new ByteReader(exemplars.bytes, exemplars.offsets[i], exemplars.offsets[i + 1])
      const labels: string[] = []
      while (texts.remaining > 0) labels.push(texts.utf8(texts.uvarint()))
      const name = series[indexes === undefined ? position : indexes[position]!]!
      this.exemplars.push(`${name} ${Labels.fromPairs(labels).toString()} ${values[i]}@${exemplars.times[i]}`)
    }
  }

  /** Takes all samples recorded since the last call, as `series value@time`, in the order of their series. */
  take(isWanted: (series: string) => boolean = () => true): string[] {
    const taken = this.samples.filter(({ series }) => isWanted(series)).map(({ series, value, timeMs }) => `${series} ${value}@${timeMs}`)
    this.samples = []
    return taken.sort()
  }
}

export function readSeries(layout: SeriesLayout): Labels[] {
  const symbols = ['']
  const reader = new ByteReader(layout.symbolBytes)
  for (let i = 0; i < layout.symbolCount; i++) {
    if (reader.u8() !== 0x22) throw new Error('want a symbol tag')
    symbols.push(reader.utf8(reader.uvarint()))
  }
  if (reader.remaining !== 0) throw new Error(`want no bytes behind the symbols, got ${reader.remaining}`)
  return Array.from({ length: layout.seriesCount }, (_, i) => {
    const refs = new ByteReader(layout.seriesRefs, layout.seriesRefOffsets[i], layout.seriesRefOffsets[i + 1])
    if (refs.u8() !== 0x0a) throw new Error('want a labels_refs tag')
    if (refs.uvarint() !== refs.remaining) throw new Error('want the length of the refs')
    const pairs: string[] = []
    while (refs.remaining > 0) pairs.push(symbols[refs.uvarint()]!)
    return Labels.fromPairs(pairs)
  })
}

/** Histograms by sample, as `{schema, count, sum, buckets}` of what they say. */
function readHistograms({ histograms, count }: ScrapeBatch): Map<number, string> {
  const found = new Map<number, string>()
  for (let i = 0; i < (histograms?.count ?? 0); i++) {
    const { positions, offsets, bytes } = histograms!
    const position = positions[i]!
    if (position >= count || (i > 0 && position <= positions[i - 1]!)) throw new Error(`want ascending samples, got ${position}`)
    const { histogram } = readHistogram(bytes, offsets[i]!, offsets[i + 1]!)
    const buckets = histogram.isFloat ? histogram.positiveCounts : histogram.positiveDeltas
    found.set(position, `{schema ${histogram.schema}, count ${histogram.count}, sum ${histogram.sum}, buckets ${buckets.join(' ')}}`)
  }
  return found
}
