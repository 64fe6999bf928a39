import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { Head } from '../head/head.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import { HeadReader } from './head-reader.ts'

const words = new Uint32Array(2)
const doubles = new Float64Array(words.buffer)

function put(head: Head, ref: number, timeMs: number): void {
  doubles[0] = timeMs
  expect(head.append(ref, timeMs, words[0]!, words[1]!)).toBe(0)
}

/** Its time as its sum, and as the count of one of its buckets. */
function putHistogram(head: Head, ref: number, timeMs: number): void {
  const histogram: NativeHistogram = {
    schema: 0,
    isFloat: true,
    count: timeMs,
    sum: timeMs,
    zeroThreshold: 0,
    zeroCount: 0,
    positiveSpans: [{ offset: 0, length: 1 + (Math.floor(timeMs / 10) % 40) }],
    negativeSpans: [],
    positiveDeltas: [],
    negativeDeltas: [],
    positiveCounts: new Array<number>(1 + (Math.floor(timeMs / 10) % 40)).fill(timeMs),
    negativeCounts: [],
    customValues: [],
    isGauge: false,
  }
  expect(head.appendHistogram(ref, timeMs, histogram)).toBe(0)
}

function makeHead(): Head {
  const head = new Head({ memoryBytesMax: 2 ** 28, now: () => 1e9 })
  head.late.windows = { receivedMs: 1e9, ownMs: 0 }
  return head
}

it.each([
  { kind: 'floats', series: 100, putOne: put },
  { kind: 'histograms', series: 20, putOne: putHistogram },
])(
  'a reader in another thread sees whole commits of $kind, while late ones come, are sealed and dropped',
  async ({ kind, series, putOne }) => {
    const head = makeHead()
    const refs = Array.from({ length: series }, (_, i) => head.refByLabels(Labels.from({ __name__: 'm', i: String(i) })))
    const worker = new Worker(new URL('./late-reader.test-worker.ts', import.meta.url), { workerData: { head: head.descriptor(), kind } })
    let hasAnswered = false
    const answer = once(worker, 'message').finally(() => (hasAnswered = true))
    const putAll = (timeMs: number): void => {
      for (const ref of refs) putOne(head, ref, timeMs)
    }
    for (let k = 1; !hasAnswered; k++) {
      if (k % 17 === 5) {
        putAll(10 * k)
        // None of its time is there, and none is before 0.
        if (k > 205) putAll(10 * k + 5 - 1000 * (1 + (k % 2)))
        else if (k > 3) putAll(10 * (k - 3) - 5)
        head.rollback()
      }
      putAll(10 * k)
      if (k > 3) putAll(10 * (k - 3) - 5)
      head.commit()
      if (k % 50 === 0) head.sealLate()
      if (k % 50 === 25 && head.late.samples.hasSealed) {
        head.dropSealedLate()
        while (head.freeLate());
      }
      // As many as it takes until the other thread has read often enough; not too many while it starts.
      if (k % 20 === 0) await new Promise((resolve) => setTimeout(resolve, k > 1000 ? 10 : 0))
    }
    const [{ queries, lateSamples, failure }] = (await answer) as [{ queries: number; lateSamples: number; failure: string }]
    expect(failure).toBe('')
    expect(queries).toBeGreaterThan(20)
    expect(lateSamples).toBeGreaterThan(100)
    // Dropped memory is used again.
    expect(head.memory.late.usedBytes).toBeLessThan(4 * 2 ** 20)
  },
  20_000,
)

it('a query keeps the late histograms that it began with; their memory is used again behind it', () => {
  const head = makeHead()
  const ref = head.refByLabels(Labels.from({ __name__: 'm' }))
  putHistogram(head, ref, 1_000_000)
  head.commit()
  const putMany = (fromMs: number): number[] => {
    const times = Array.from({ length: 200 }, (_, i) => fromMs + 10 * ((i * 77) % 200))
    for (const timeMs of times) putHistogram(head, ref, timeMs)
    head.commit()
    return times.sort((a, b) => a - b)
  }
  const drop = (): void => {
    head.sealLate()
    head.dropSealedLate()
    while (head.freeLate());
  }
  const times = putMany(1000)
  const reader = new HeadReader(head.descriptor())
  const set = reader.select([new Matcher('=', '__name__', 'm')], 0, 900_000)
  expect(set.next()).toBe(true)
  drop()
  putMany(2005)
  const columns = new HistogramColumns()
  set.histograms?.(columns)
  expect(Array.from(columns.times.subarray(0, columns.length))).toEqual(times)
  expect(Array.from(columns.sums.subarray(0, columns.length))).toEqual(times)
  reader.release()
  head.reclaim()
  const { usedWords } = head.memory.late
  for (let round = 0; round < 20; round++) {
    drop()
    putMany(3000)
  }
  expect(head.memory.late.usedWords).toBe(usedWords)
})

it('late samples stand in the chunks of a series, and in the selected time', () => {
  const head = makeHead()
  const ref = head.refByLabels(Labels.from({ __name__: 'm' }))
  for (let i = 0; i < 300; i++) put(head, ref, 1000 + 10 * i)
  head.commit()
  for (let i = 299; i > 0; i--) put(head, ref, 995 + 10 * i)
  head.commit()
  const set = new HeadReader(head.descriptor()).select([new Matcher('=', '__name__', 'm')], 1500, 2000)
  expect(set.next()).toBe(true)
  const columns = new SampleColumns()
  set.samples(columns)
  expect(Array.from(columns.times.subarray(0, columns.length))).toEqual(Array.from({ length: 101 }, (_, i) => 1500 + 5 * i))
  const decoded = new SampleColumns()
  for (const { encoding, data } of set.chunks!()!) decodeChunk(encoding, data, { floats: decoded, histograms: new HistogramColumns() })
  expect(Array.from(decoded.times.subarray(0, decoded.length))).toEqual(Array.from(columns.times.subarray(0, columns.length)))
})

it('all late samples of one time are found, however many, and each is kept once', () => {
  const head = makeHead()
  const ref = head.refByLabels(Labels.from({ __name__: 'm' }))
  put(head, ref, 1_000_000)
  head.commit()
  const times = Array.from({ length: 1000 }, (_, i) => ((i * 7919) % 1000) * 3)
  for (let from = 0; from < times.length; from += 90) {
    for (const time of times.slice(from, from + 90)) put(head, ref, time)
    head.commit()
  }
  for (const time of times) put(head, ref, time)
  head.commit()
  expect(head.counters.lateAppended).toBe(1000)
  const set = new HeadReader(head.descriptor()).select([new Matcher('=', '__name__', 'm')], 0, 2997)
  set.next()
  const columns = new SampleColumns()
  set.samples(columns)
  expect(Array.from(columns.times.subarray(0, columns.length))).toEqual(Array.from({ length: 1000 }, (_, i) => 3 * i))
})

it('commit numbers that start again leave late samples visible', () => {
  const head = makeHead()
  const ref = head.refByLabels(Labels.from({ __name__: 'm' }))
  put(head, ref, 100)
  head.commit()
  head.continueCommitNumbersFrom(0x7ffefffe)
  for (let k = 0; k < 8; k++) {
    put(head, ref, 50 + k)
    put(head, ref, 200 + k)
    head.commit()
    const set = new HeadReader(head.descriptor()).select([new Matcher('=', '__name__', 'm')], 0, 1e6)
    set.next()
    const columns = new SampleColumns()
    set.samples(columns)
    expect(columns.length).toBe(1 + 2 * (k + 1))
  }
})
