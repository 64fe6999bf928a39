// Chunks that a real Prometheus made of what it was sent: ours give the samples that its API answers, and are the same bytes.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { crc32c } from '@narthex/bytes/crc32c'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import { startPrometheus, type Service } from '@narthex/test/kit/services'
import { putHistogram } from '@narthex/wire/histogram-message'
import { compress } from '@narthex/wire/snappy'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { counterReset, gaugeHistogram, noReset, unknownReset } from '@narthex/model/reset-hint'
import { floatHistogramEncoding, histogramEncoding, xorEncoding } from './chunk-encoding.ts'
import { decodeChunk } from './decode-chunk.ts'
import { HistogramChunkAppender } from './histogram-chunk-appender.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { encodeXorChunk } from './xor-encoder.ts'

const sampleCount = 400
const stepMs = 1000
const resetAt = 200
/** Of integer counters: a stale marker, behind which the counting goes on. This Prometheus would store that of floats as an integer one. */
const staleAt = 300
const startMs = Math.floor(Date.now() / 1000) * 1000 - sampleCount * stepMs

interface Series {
  readonly name: string
  readonly encoding: number
  readonly histograms: readonly NativeHistogram[]
  /** Times end in this many ms, by which a chunk's series is known. */
  readonly mark: number
}

let seed = 4711
const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32
const floats = Array.from({ length: sampleCount }, (_, i) => (i % 5 === 0 ? i : Math.floor(random() * 1e6) / 8))

/** Growing counts (or moving ones, of a gauge); buckets come in later; one reset. */
function makeHistograms(isFloat: boolean, isGauge: boolean): NativeHistogram[] {
  let positive = Array.from({ length: 12 }, () => 0)
  let zeroCount = 0
  let sum = 0
  return Array.from({ length: sampleCount }, (_, i) => {
    if (i === resetAt || isGauge) {
      positive = positive.map(() => 0)
      zeroCount = 0
    }
    // Of 12 buckets every third shows up only at sample 50, 60, 70, 80 of its life.
    const age = isGauge ? i : i % resetAt
    positive = positive.map((count, k) => (k % 3 === 1 && age < 40 + 10 * Math.floor(k / 3) ? 0 : count + Math.ceil(random() * 9)))
    zeroCount += 1
    const scale = isFloat ? 0.5 : 1
    const shown = positive.map((count, k) => ({ index: k < 6 ? k - 2 : k + 3, count: count * scale })).filter(({ count }) => count > 0)
    sum += Math.floor(random() * 100) / 4
    const spans: { offset: number; length: number }[] = []
    let end = 0
    for (const { index } of shown) {
      if (spans.length > 0 && index === end) spans.at(-1)!.length++
      else spans.push({ offset: index - end, length: 1 })
      end = index + 1
    }
    const counts = shown.map(({ count }) => count)
    const negative = [3 * zeroCount * scale, zeroCount * scale]
    return {
      schema: 2,
      isFloat,
      count: [...counts, ...negative, zeroCount * scale].reduce((total, count) => total + count, 0),
      sum,
      zeroThreshold: 2 ** -128,
      zeroCount: zeroCount * scale,
      positiveSpans: spans,
      negativeSpans: [{ offset: -3, length: 2 }],
      positiveDeltas: isFloat ? [] : counts.map((count, k) => count - (counts[k - 1] ?? 0)),
      negativeDeltas: isFloat ? [] : [negative[0]!, negative[1]! - negative[0]!],
      positiveCounts: isFloat ? counts : [],
      negativeCounts: isFloat ? negative : [],
      customValues: [],
      isGauge,
    }
  })
}

const allSeries: readonly Series[] = [
  { name: 'f', encoding: xorEncoding, histograms: [], mark: 1 },
  { name: 'h', encoding: histogramEncoding, histograms: makeHistograms(false, false), mark: 2 },
  { name: 'fh', encoding: floatHistogramEncoding, histograms: makeHistograms(true, false), mark: 3 },
  { name: 'gh', encoding: histogramEncoding, histograms: makeHistograms(false, true), mark: 4 },
  { name: 'gfh', encoding: floatHistogramEncoding, histograms: makeHistograms(true, true), mark: 5 },
]

const hasStale = ({ encoding, histograms }: Series): boolean => encoding === histogramEncoding && !histograms[0]!.isGauge
const isStaleAt = (series: Series, i: number): boolean => i === staleAt && hasStale(series)

const timeOf = (series: Series, i: number): number => startMs + i * stepMs + series.mark

function field(number: number, content: (out: ByteWriter) => void): Uint8Array {
  const inner = new ByteWriter()
  content(inner)
  const out = new ByteWriter()
  out.uvarint(number * 8 + 2)
  out.uvarint(inner.length)
  out.raw(inner.view())
  return out.view()
}

/** One request of remote write 1.0 with all samples. */
function encodeRequest(): Uint8Array {
  const request = new ByteWriter()
  for (const series of allSeries) {
    const message = field(1, (out) => {
      out.raw(
        field(1, (label) => {
          label.raw(field(1, (text) => void text.utf8('__name__')))
          label.raw(field(2, (text) => void text.utf8(series.name)))
        }),
      )
      for (let i = 0; i < sampleCount; i++) {
        const histogram = series.histograms[i]
        out.raw(
          field(histogram === undefined ? 2 : 4, (sample) => {
            if (histogram === undefined) {
              sample.u8(0x09)
              sample.f64le(floats[i]!)
              sample.u8(0x10)
            } else {
              if (isStaleAt(series, i)) putStale(sample)
              else putHistogram(sample, histogram)
              sample.u8(0x78)
            }
            sample.uvarint(timeOf(series, i))
          }),
        )
      }
    })
    request.raw(message)
  }
  return compress(request.view())
}

/** A count of 0, the stale marker as sum, a zero count of 0. */
function putStale(out: ByteWriter): void {
  out.u8(0x08)
  out.uvarint(0)
  out.u8(0x19)
  out.words64le(STALE_LOW, STALE_HIGH)
  out.u8(0x30)
  out.uvarint(0)
}

interface ApiHistogram {
  readonly count: string
  readonly sum: string
  readonly buckets: readonly (readonly [number, string, string, string])[]
}

interface ApiSeries {
  readonly values?: readonly (readonly [number, string])[]
  readonly histograms?: readonly (readonly [number, ApiHistogram])[]
}

interface HeadChunk {
  readonly encoding: number
  readonly minTimeMs: number
  readonly maxTimeMs: number
  readonly data: Uint8Array
}

const answers = new Map<string, ApiSeries>()
let chunks: HeadChunk[] = []
let prometheus: Service

beforeAll(async () => {
  prometheus = await startPrometheus({ config: '', args: ['--enable-feature=native-histograms', '--storage.tsdb.retention.time=100y'] })
  const headers = {
    'Content-Type': 'application/x-protobuf',
    'Content-Encoding': 'snappy',
    'X-Prometheus-Remote-Write-Version': '0.1.0',
  }
  const written = await fetch(`${prometheus.url}/api/v1/write`, { method: 'POST', headers, body: encodeRequest() as BodyInit })
  expect([written.status, await written.text()]).toEqual([204, ''])
  for (const { name } of allSeries) {
    const query = new URLSearchParams({ query: `${name}[1h]`, time: String(startMs / 1000 + sampleCount + 60) })
    const answer = (await (await fetch(`${prometheus.url}/api/v1/query?${query}`)).json()) as { data: { result: ApiSeries[] } }
    answers.set(name, answer.data.result[0]!)
  }
  await prometheus.process.stop()
  const folder = join(prometheus.directory, 'data', 'chunks_head')
  chunks = readdirSync(folder).flatMap((file) => readHeadChunks(readFileSync(join(folder, file))))
}, 30_000)
afterAll(() => prometheus.stop())

/** ┌ magic 4 B ┬ version 1 B ┬ 3 B ┐ then ┌ series u64 ┬ first and last time u64 ┬ encoding 1 B ┬ length uvarint ┬ data ┬ crc32c 4 B ┐ */
function readHeadChunks(bytes: Uint8Array): HeadChunk[] {
  const reader = new ByteReader(bytes)
  expect([reader.u32be(), reader.u8()]).toEqual([0x0130_bc91, 1])
  reader.raw(3)
  const found: HeadChunk[] = []
  while (reader.remaining > 0) {
    const start = reader.offset
    if (reader.u64be() === 0) break
    const minTimeMs = reader.u64be()
    const maxTimeMs = reader.u64be()
    const encoding = reader.u8()
    const data = reader.raw(reader.uvarint())
    expect(crc32c(bytes.subarray(start, reader.offset))).toBe(reader.u32be())
    found.push({ encoding, minTimeMs, maxTimeMs, data })
  }
  return found
}

function chunksOf(series: Series): HeadChunk[] {
  return chunks.filter(({ minTimeMs }) => (minTimeMs - startMs) % stepMs === series.mark).toSorted((a, b) => a.minTimeMs - b.minTimeMs)
}

/** Counts of the buckets that are not empty, as the API lists them: from the lowest up. */
function listCounts(columns: HistogramColumns, i: number): number[] {
  const start = columns.bucketStart(i)
  const middle = start + columns.layout(i).positiveBuckets
  const negative = [...columns.buckets.subarray(middle, columns.bucketEnds[i])].toReversed()
  return [...negative, columns.zeroCounts[i]!, ...columns.buckets.subarray(start, middle)].filter((count) => count !== 0)
}

describe('the floats of a real Prometheus', () => {
  const series = allSeries[0]!

  it('are those that its API answers', () => {
    const columns = new SampleColumns()
    for (const { encoding, data } of chunksOf(series)) {
      expect(encoding).toBe(xorEncoding)
      decodeChunk(encoding, data, { floats: columns, histograms: new HistogramColumns() })
    }
    expect(columns.length).toBeGreaterThan(200)
    const { values } = answers.get(series.name)!
    for (let i = 0; i < columns.length; i++) {
      expect([columns.times[i]! / 1000, columns.values[i]]).toEqual([values![i]![0], Number(values![i]![1])])
    }
  })

  it('have the bytes that we write', () => {
    const columns = new SampleColumns()
    for (let i = 0; i < sampleCount; i++) columns.pushNumber(timeOf(series, i), floats[i]!)
    let at = 0
    for (const { data } of chunksOf(series)) {
      const count = (data[0]! << 8) | data[1]!
      expect(Buffer.from(encodeXorChunk(columns, at, at + count)).toString('hex')).toBe(Buffer.from(data).toString('hex'))
      at += count
    }
  })
})

describe.each(allSeries.slice(1))('the histograms $name of a real Prometheus', (series) => {
  const isFloat = series.encoding === floatHistogramEncoding

  it('are those that its API answers', () => {
    const columns = new HistogramColumns()
    for (const { encoding, data } of chunksOf(series)) {
      expect(encoding).toBe(series.encoding)
      decodeChunk(encoding, data, { floats: new SampleColumns(), histograms: columns })
    }
    expect(columns.length).toBeGreaterThan(200)
    // The API leaves stale markers out.
    const stale = Array.from({ length: columns.length }, (_, i) => i).filter((i) => columns.isStale(i))
    expect(stale).toEqual(hasStale(series) ? [staleAt] : [])
    const shown = Array.from({ length: columns.length }, (_, i) => i).filter((i) => !columns.isStale(i))
    const { histograms } = answers.get(series.name)!
    for (const [at, i] of shown.entries()) {
      const [seconds, answer] = histograms![at]!
      expect([columns.times[i]! / 1000, columns.counts[i], columns.sums[i]]).toEqual([seconds, Number(answer.count), Number(answer.sum)])
      expect(listCounts(columns, i)).toEqual(answer.buckets.map(([, , , count]) => Number(count)).filter((count) => count !== 0))
    }
  })

  it('are cut, counted as resets and written as ours', () => {
    const headers: number[] = []
    let appender: HistogramChunkAppender | undefined
    let at = 0
    for (const { data } of chunksOf(series)) {
      const end = at + ((data[0]! << 8) | data[1]!)
      const next = series.histograms[at]!
      if (appender === undefined) appender = new HistogramChunkAppender(isFloat)
      else {
        // Elsewhere it was the number of samples that ended the chunk.
        const isBehindStale = hasStale(series) && at === staleAt + 1
        const isReset = !next.isGauge && at === resetAt
        const header = appender.headerOfNext(next)
        if (isReset || isBehindStale) expect(appender.append(timeOf(series, at), next)).toBe(header)
        expect(header).toBe(next.isGauge ? gaugeHistogram : isReset ? counterReset : isBehindStale ? unknownReset : noReset)
        appender = new HistogramChunkAppender(isFloat, header)
      }
      for (; at < end; at++) {
        const timeMs = timeOf(series, at)
        const refusal = isStaleAt(series, at) ? appender.appendStale(timeMs) : appender.append(timeMs, series.histograms[at]!)
        expect(refusal).toBeUndefined()
      }
      headers.push(appender.header)
      expect(Buffer.from(appender.bytes()).toString('hex')).toBe(Buffer.from(data).toString('hex'))
    }
    if (first(series).isGauge) expect(headers.every((header) => header === gaugeHistogram)).toBe(true)
    else expect(headers).toEqual(expect.arrayContaining([counterReset, noReset, unknownReset]))
    expect(at).toBeGreaterThan(hasStale(series) ? staleAt : resetAt)
  })
})

function first(series: Series): NativeHistogram {
  return series.histograms[0]!
}
