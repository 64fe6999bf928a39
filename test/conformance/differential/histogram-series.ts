import { ByteWriter } from '@narthex/bytes/byte-writer'
import { customBucketsSchema, type BucketSpan, type NativeHistogram } from '@narthex/model/native-histogram'
import { putHistogram, putStaleHistogram } from '@narthex/wire/histogram-message'
import type { WriteSeries } from '../../kit/remote-write.ts'
import { makeRandom } from './random.ts'
import { firstMs, intervalMs, sampleCount } from './series.ts'

// The native histograms of the differential test with a Prometheus 3, every 15 s on the second.

type Message = Uint8Array | undefined

/** What a series of histograms is made by. */
interface Shape {
  readonly schema: number
  readonly bounds?: readonly number[]
  readonly isFloat?: boolean
  readonly isGauge?: boolean
  /** Observations that are not a number, which are in no bucket. */
  readonly hasNaN?: boolean
}

const jobs = ['a', 'b', 'c']

/** Counters and gauges, of integers and floats, exponential and custom buckets, with resets, gaps, markers and layouts that change. */
export function makeHistogramSeries(): readonly WriteSeries[] {
  const random = makeRandom(20_260_106)
  const all: WriteSeries[] = []
  const add = (name: string, labels: Readonly<Record<string, string>>, next: (i: number) => Message): void => {
    const histograms: (readonly [number, Uint8Array])[] = []
    for (let i = 0; i < sampleCount; i++) {
      const message = next(i)
      if (message !== undefined) histograms.push([firstMs + i * intervalMs, message])
    }
    all.push({ labels: { __name__: name, ...labels }, samples: [], histograms })
  }
  for (const [number, job] of jobs.entries()) {
    const counter = new Observations(random, { schema: [0, 2, -1][number]! })
    add('nh', { job, instance: 'i0' }, (i) => counter.next(i % 211 === 100 + number))
    const finer = new Observations(random, { schema: 3 })
    add('nh', { job, instance: 'i1' }, (i) => (i % 61 > 40 && i % 61 < 50 ? undefined : i % 61 === 40 ? stale(false) : finer.next(false)))
    const gauge = new Observations(random, { schema: 1, isFloat: number === 0, isGauge: true })
    add('nhg', { job }, () => gauge.next(true))
    const floats = new Observations(random, { schema: number, isFloat: true })
    add('nhf', { job }, (i) => floats.next(i % 97 === 50))
    const [few, many] = [
      [0.5, 1, 5],
      [0.1, 0.5, 1, 2.5, 5],
    ]
    const custom = new Observations(random, { schema: customBucketsSchema, bounds: number === 0 ? few : many })
    const other = new Observations(random, { schema: customBucketsSchema, bounds: few })
    add('nhcb', { job }, (i) => (number === 2 && i % 80 > 39 ? other : custom).next(false))
    const odd = new Observations(random, { schema: 0, hasNaN: true })
    add('nhnan', { job }, () => odd.next(false))
    const before = new Observations(random, { schema: 1 })
    const after =
      number === 0 ? new Observations(random, { schema: customBucketsSchema, bounds: few }) : new Observations(random, { schema: 2 })
    add('nhchange', { job }, (i) => (i % 90 < 45 ? before : after).next(false))
  }
  return [...all, ...makeMixed(random), ...makeInfos()]
}

/** What info() joins with: each instance has one version after another. */
function makeInfos(): WriteSeries[] {
  const samplesOf = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => [firstMs + (from + i) * intervalMs, 1] as const)
  return jobs.flatMap((job) =>
    ['i0', 'i1', 'i2'].flatMap((instance, number) => {
      const labels = { job, instance }
      return [
        { labels: { __name__: 'target_info', ...labels, version: '1', zone: 'south' }, samples: samplesOf(0, 300) },
        { labels: { __name__: 'target_info', ...labels, version: '2' }, samples: samplesOf(290, sampleCount) },
        { labels: { __name__: 'build_info', ...labels, odd: String(number) }, samples: samplesOf(100, 800) },
      ]
    }),
  )
}

/** Series whose samples are floats for a while, then histograms; each run by itself, or a request would have all floats before the histograms. */
function makeMixed(random: () => number): WriteSeries[] {
  return jobs.flatMap((job, number) => {
    const observed = new Observations(random, { schema: 0 })
    const labels = { __name__: 'mixed', job }
    const runs: WriteSeries[] = []
    for (let from = 0; from < sampleCount;) {
      const isFloat = runs.length % 2 === 0
      const to = Math.min(from + (isFloat ? 20 : 20 + 10 * number), sampleCount)
      const numbers = Array.from({ length: to - from }, (_, i) => from + i)
      const samples = isFloat ? numbers.map((i) => [firstMs + i * intervalMs, i] as const) : []
      const histograms = isFloat ? [] : numbers.map((i) => [firstMs + i * intervalMs, observed.next(false)] as const)
      runs.push({ labels, samples, histograms })
      from = to
    }
    return runs
  })
}

function stale(isFloat: boolean): Uint8Array {
  const out = new ByteWriter(64)
  putStaleHistogram(out, isFloat)
  return out.view().slice()
}

/** A histogram that grows. */
class Observations {
  readonly #random: () => number
  readonly #shape: Shape
  readonly #positive: number[]
  readonly #negative: number[]
  #zero = 0
  #nan = 0
  #sum = 0

  constructor(random: () => number, shape: Shape) {
    this.#random = random
    this.#shape = shape
    this.#positive = Array.from({ length: shape.bounds === undefined ? 8 : shape.bounds.length + 1 }, () => 0)
    this.#negative = Array.from({ length: shape.bounds === undefined ? 3 : 0 }, () => 0)
  }

  next(isAnew: boolean): Uint8Array {
    if (isAnew) this.#clear()
    const { schema, isFloat = false, isGauge = false, bounds = [], hasNaN = false } = this.#shape
    const some = () => (this.#random() < 0.4 ? Math.floor(this.#random() * 7) * (isFloat ? 0.5 : 1) : 0)
    for (const buckets of [this.#positive, this.#negative]) for (let i = 0; i < buckets.length; i++) buckets[i]! += some()
    if (schema !== customBucketsSchema) this.#zero += some()
    if (hasNaN && this.#random() < 0.05) this.#nan++
    this.#sum = this.#nan > 0 ? NaN : this.#sum + this.#random() * 20
    const positive = makeRuns(this.#positive, schema === customBucketsSchema ? 0 : -2)
    const negative = makeRuns(this.#negative, 0)
    const total = (counts: readonly number[]) => counts.reduce((sum, one) => sum + one, 0)
    const histogram: NativeHistogram = {
      ...{ schema, isFloat, isGauge, sum: this.#sum, customValues: bounds, zeroCount: this.#zero },
      zeroThreshold: schema === customBucketsSchema ? 0 : 0.001,
      count: total(this.#positive) + total(this.#negative) + this.#zero + this.#nan,
      positiveSpans: positive.spans,
      negativeSpans: negative.spans,
      positiveDeltas: isFloat ? [] : toDeltas(positive.counts),
      negativeDeltas: isFloat ? [] : toDeltas(negative.counts),
      positiveCounts: isFloat ? positive.counts : [],
      negativeCounts: isFloat ? negative.counts : [],
    }
    const out = new ByteWriter(256)
    putHistogram(out, histogram)
    return out.view().slice()
  }

  #clear(): void {
    this.#positive.fill(0)
    this.#negative.fill(0)
    this.#zero = 0
    this.#nan = 0
    this.#sum = 0
  }
}

/** Runs of buckets that are not empty; the first of `counts` has the index `first`. */
function makeRuns(counts: readonly number[], first: number): { spans: BucketSpan[]; counts: number[] } {
  const spans: { offset: number; length: number }[] = []
  let end = 0
  counts.forEach((count, i) => {
    if (count === 0) return
    const last = spans.at(-1)
    const index = first + i
    if (last !== undefined && index === end) last.length++
    else spans.push({ offset: last === undefined ? index : index - end, length: 1 })
    end = index + 1
  })
  return { spans, counts: counts.filter((count) => count !== 0) }
}

function toDeltas(counts: readonly number[]): number[] {
  return counts.map((count, i) => (i === 0 ? count : count - counts[i - 1]!))
}
