import { HistogramCell } from '@narthex/service/metrics'
import { expect, it } from 'vitest'
import { chunkBounds, ChunkStatistics } from './chunk-statistics.ts'

it('chunks are counted by bytes, samples and time, and add up with others', () => {
  const statistics = new ChunkStatistics()
  const chunk = (samples: number, bytes: number, rangeMs: number) => {
    const data = new Uint8Array(bytes)
    data[0] = samples >> 8
    data[1] = samples & 255
    return { encoding: 1, minTimeMs: 1000, maxTimeMs: 1000 + rangeMs, data }
  }
  statistics.add([chunk(4, 32, 100), chunk(5, 33, 101)])
  statistics.add([chunk(300, 5000, 7_200_000)])
  const { bytes, samples, rangeMs } = statistics.counts()
  expect([bytes.sum, samples.sum, rangeMs.sum]).toEqual([5065, 309, 7_200_201])
  expect([[...bytes.counts.subarray(0, 2)], [...samples.counts.subarray(0, 2)], [...rangeMs.counts.subarray(0, 2)]]).toEqual([
    [1, 1],
    [1, 1],
    [1, 1],
  ])
  const cell = new HistogramCell(chunkBounds.samples)
  cell.merge(samples)
  cell.merge(samples)
  expect([cell.count, cell.sum, cell.counts[0]]).toEqual([6, 618, 2])
})
