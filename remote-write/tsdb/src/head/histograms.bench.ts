// node src/head/histograms.bench.ts [series] [rounds] [bytes for open chunks]: CPU microseconds and bytes per native histogram of append and commit.
import { Labels } from '@narthex/model/labels'
import { HistogramWalk, makeDice } from '../chunk/testdata/histogram-walk.ts'
import { Head } from './head.ts'

const seriesCount = Number(process.argv[2] ?? 2000)
const rounds = Number(process.argv[3] ?? 120)
const openHistogramBytesMax = Number(process.argv[4] ?? 64 * 2 ** 20)
const head = new Head({ memoryBytesMax: 2 ** 31, openHistogramBytesMax })
const refs = Array.from({ length: seriesCount }, (_, i) => head.refByLabels(Labels.from({ __name__: 'h', i: String(i) })))
const walks = Array.from({ length: 50 }, (_, i) => new HistogramWalk(makeDice(i + 1)))
const startMs = Date.now() - rounds * 15_000
const seriesBytes = head.usedBytes
let ns = 0
for (let round = 0; round < rounds; round++) {
  const histograms = walks.map((walk) => walk.next())
  const before = process.threadCpuUsage()
  for (let i = 0; i < seriesCount; i++) head.appendHistogram(refs[i]!, startMs + round * 15_000, histograms[i % 50]!)
  head.commit()
  const { user, system } = process.threadCpuUsage(before)
  ns += (user + system) * 1000
}
const count = seriesCount * rounds
const { usedBytesByFamily, chunks } = head.stats()
console.log(`${(ns / count / 1000).toFixed(2)} µs a histogram`)
console.log(`${((head.usedBytes - seriesBytes) / count).toFixed(1)} bytes a histogram, ${(count / chunks).toFixed(1)} a chunk`)
console.log(`open chunks: ${(usedBytesByFamily['openHistograms']! / seriesCount).toFixed(0)} bytes a series`)
