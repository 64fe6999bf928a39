import { ByteReader } from '@narthex/bytes/byte-reader'
import { Labels } from '@narthex/model/labels'
import { isStaleWords } from '@narthex/model/stale'
import type { FrameSink, ScrapeBatch, SeriesLayout } from '../../store/frame.ts'

export interface RecordedSample {
  readonly series: string
  readonly timeMs: number
  /** 'stale' for the marker, else the number. */
  readonly value: number | 'stale'
}

/** A sink that turns batches back into label texts and numbers, for tests. */
export class RecordingSink implements FrameSink {
  samples: RecordedSample[] = []
  batches = 0
  layouts = new Set<number>()

  append(batch: ScrapeBatch): void {
    this.batches++
    this.layouts.add(batch.layout.id)
    const series = readSeries(batch.layout).map((labels) => labels.metricString())
    if (batch.indexes === undefined && batch.count !== batch.layout.seriesCount) {
      throw new Error(`want ${batch.layout.seriesCount} samples, got ${batch.count}`)
    }
    const values = new Float64Array(batch.words.buffer)
    for (let i = 0; i < batch.count; i++) {
      const index = batch.indexes === undefined ? i : batch.indexes[i]!
      if (index >= series.length) throw new Error(`want a series below ${series.length}, got ${index}`)
      const isStale = isStaleWords(batch.words[2 * i]!, batch.words[2 * i + 1]!)
      const timeMs = typeof batch.times === 'number' ? batch.times : batch.times[i]!
      this.samples.push({ series: series[index]!, timeMs, value: isStale ? 'stale' : values[i]! })
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
