// node src/chunk/chunks.bench.ts: nanoseconds per sample to decode and encode chunks of 120, as a ratio to the XOR decoder and to the
// head's encoder.
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { SharedArena } from '../head/shared-arena.ts'
import * as encodings from './chunk-encoding.ts'
import { decodeChunk } from './decode-chunk.ts'
import { HistogramChunkAppender } from './histogram-chunk-appender.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { OpenChunkWriter } from './open-chunk.ts'
import { StartTimeColumn } from './start-time-column.ts'
import { writeHistograms, writeXor2, type HistogramSample } from './testdata/chunk-writer.ts'
import { encodeXorChunk } from './xor-encoder.ts'

const chunkCount = 200
const perChunk = 120
const bucketCount = 20
const startMs = 1_700_000_000_000

let seed = 4711
const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32

const columns = new SampleColumns(chunkCount * perChunk)
for (let chunk = 0; chunk < chunkCount; chunk++) {
  let counter = 0
  for (let i = 0; i < perChunk; i++) {
    // Seven of ten series count, the others measure; times are those of a scrape.
    if (chunk % 10 < 7) counter += Math.floor(random() * 50)
    else counter = random() * 1e6
    columns.pushNumber(startMs + i * 15_000 + Math.floor(random() * 5), counter)
  }
}

const histograms = Array.from({ length: perChunk }, () => new Array<number>(bucketCount))
{
  const counts = new Array<number>(bucketCount).fill(1000)
  for (const row of histograms) {
    for (let k = 0; k < bucketCount; k++) row[k] = counts[k]! += random() < 0.3 ? Math.floor(random() * 5) : 0
  }
}
const sums = histograms.map((row) => row.reduce((sum, count) => sum + count, 0))
const spans = [{ offset: -5, length: bucketCount }]

function makeHistogram(i: number, isFloat: boolean): NativeHistogram {
  const counts = histograms[i]!
  return {
    ...{ schema: 3, isFloat, count: sums[i]!, sum: sums[i]! / 7, zeroThreshold: 2 ** -128, zeroCount: 0, isGauge: false },
    ...{ positiveSpans: spans, negativeSpans: [], negativeDeltas: [], negativeCounts: [], customValues: [] },
    positiveDeltas: isFloat ? [] : counts.map((count, k) => count - (counts[k - 1] ?? 0)),
    positiveCounts: isFloat ? counts : [],
  }
}

const view = new DataView(new ArrayBuffer(8))
function bitsOf(value: number): bigint {
  view.setFloat64(0, value)
  return view.getBigUint64(0)
}

const xorChunks = Array.from({ length: chunkCount }, (_, chunk) => encodeXorChunk(columns, chunk * perChunk, (chunk + 1) * perChunk))
const xor2Chunks = xorChunks.map((_, chunk) =>
  writeXor2(
    Array.from({ length: perChunk }, (__, i) => {
      const at = chunk * perChunk + i
      return { time: BigInt(columns.times[at]!), start: BigInt(startMs), bits: bitsOf(columns.values[at]!) }
    }),
  ),
)
const samples: HistogramSample[] = histograms.map((positive, i) => ({
  ...{ time: BigInt(startMs + i * 15_000), start: BigInt(startMs), count: sums[i]!, zeroCount: 0, sum: bitsOf(sums[i]! / 7) },
  ...{ positive, negative: [] },
}))
const layout = { schema: 3, zeroThreshold: 2 ** -128, positiveSpans: spans, negativeSpans: [], customValues: [] }

const floats = new SampleColumns(perChunk)
const startTimes = new StartTimeColumn(perChunk)
const decoded = new HistogramColumns(perChunk, perChunk * bucketCount)
const into = { floats, startTimes, histograms: decoded }

function decodeAll(encoding: number, chunks: readonly Uint8Array[]): void {
  for (const chunk of chunks) {
    floats.clear()
    startTimes.clear()
    decoded.clear()
    decodeChunk(encoding, chunk, into)
  }
}

const arena = SharedArena.reserve(8 * 2 ** 20)
const openWriter = new OpenChunkWriter(arena)
const state = new Uint32Array(4)

function appendToHead(): void {
  const { times, words } = columns
  for (let from = 0; from < chunkCount * perChunk; from += perChunk) {
    const chunk = openWriter.start(state, 0, 0, 0, times[from]!, words[2 * from]!, words[2 * from + 1]!)
    for (let i = from + 1; i < from + perChunk; i++) {
      const low = words[2 * i]!
      const high = words[2 * i + 1]!
      openWriter.append(state, 0, times[i]!, low, high, times[i - 1]!, words[2 * i - 2]!, words[2 * i - 1]!)
    }
    openWriter.free(chunk)
  }
}

function encodeAll(): void {
  for (let from = 0; from < chunkCount * perChunk; from += perChunk) encodeXorChunk(columns, from, from + perChunk)
}

function appendHistograms(source: HistogramColumns, isFloat: boolean): void {
  for (let chunk = 0; chunk < chunkCount / 10; chunk++) {
    const appender = new HistogramChunkAppender(isFloat)
    for (let i = 0; i < perChunk; i++) appender.appendFrom(source, i)
    appender.bytes()
  }
}

const all = chunkCount * perChunk
const baselineNs = run('decode XOR', all, () => decodeAll(encodings.xorEncoding, xorChunks))
run('decode XOR2, start times', all, () => decodeAll(encodings.xor2Encoding, xor2Chunks), baselineNs)
for (const encoding of [encodings.histogramEncoding, encodings.floatHistogramEncoding, encodings.histogramStEncoding]) {
  const isFloat = encoding === encodings.floatHistogramEncoding
  const chunk = writeHistograms(samples, layout, { isFloat, hasStartTimes: encoding === encodings.histogramStEncoding, header: 1 })
  const chunks = new Array<Uint8Array>(chunkCount / 10).fill(chunk)
  const name = `decode ${encodings.nameOfEncoding(encoding)}, ${bucketCount} buckets`
  run(name, all / 10, () => decodeAll(encoding, chunks), baselineNs)
}
const headNs = run('encode XOR in the head', all, appendToHead)
run('encode XOR from columns', all, encodeAll, headNs)
for (const isFloat of [false, true]) {
  const source = new HistogramColumns()
  for (let i = 0; i < perChunk; i++) source.pushHistogram(startMs + i * 15_000, 0, makeHistogram(i, isFloat))
  const name = `encode ${isFloat ? 'float' : ''}histogram, ${bucketCount} buckets`
  run(name, all / 10, () => appendHistograms(source, isFloat), headNs)
}

/** The best of many short rounds: what others do on the machine meanwhile misses some of them. */
function run(name: string, count: number, work: () => void, baseNs?: number): number {
  for (let i = 0; i < 30; i++) work()
  let best = Infinity
  for (let round = 0; round < 150; round++) {
    const started = process.hrtime.bigint()
    work()
    best = Math.min(best, Number(process.hrtime.bigint() - started) / count)
  }
  const ratio = baseNs === undefined ? '' : ` ${(best / baseNs).toFixed(2)}×`
  console.log(`${name.padEnd(36)} ${best.toFixed(1).padStart(7)} ns/sample${ratio}`)
  return best
}
