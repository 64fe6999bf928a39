import { Labels } from '@narthex/model/labels'
import type { SeriesShape } from './answer-shape.ts'

// How many buckets of histograms have observations, as `promtool query analyze` tells it.

/** Buckets with observations over the samples of one histogram, and how many buckets there are. */
interface BucketUse {
  readonly min: number
  readonly average: number
  readonly max: number
  readonly total: number
}

/** The same over several histograms. */
class Spread {
  min = Number.MAX_SAFE_INTEGER
  max = 0
  #average = 0
  count = 0

  add(value: number): void {
    this.min = Math.min(this.min, value)
    this.max = Math.max(this.max, value)
    this.count++
    this.#average += value / this.count - this.#average / this.count
  }

  describe(): string {
    return `${this.min}/${this.#average.toFixed(3)}/${this.max}`
  }
}

/** Of all histograms of one kind. */
class SpreadOfUses {
  readonly #min = new Spread()
  readonly #average = new Spread()
  readonly #max = new Spread()
  readonly #total = new Spread()

  add({ min, average, max, total }: BucketUse): void {
    this.#min.add(min)
    this.#average.add(Math.trunc(average))
    this.#max.add(max)
    this.#total.add(total)
  }

  get count(): number {
    return this.#min.count
  }

  describe(kind: string): string {
    const rows = [
      `${kind} histogram series (${this.count} in total):`,
      `- min populated: ${this.#min.describe()}`,
      `- avg populated: ${this.#average.describe()}`,
      `- max populated: ${this.#max.describe()}`,
    ]
    const total = `- total: ${this.#total.describe()}`
    return (this.#max.describe() === this.#total.describe() ? rows : [...rows, total]).join('\n')
  }
}

const header = `Bucket stats for each histogram series over time
------------------------------------------------
First the min, avg, and max number of populated buckets, followed by the total
number of buckets (only if different from the max number of populated buckets
which is typical for classic but not native histograms).`

const footer = `Aggregated bucket stats
-----------------------
Each line shows min/avg/max over the series above.`

/**
 * The lines about a range vector for each selector, which is asked for when its turn comes. Throws if the buckets of a classic histogram do not
 * stand at the same times, behind the lines so far.
 */
export async function* describeHistogramUsage(answers: AsyncIterable<readonly SeriesShape[]>): AsyncGenerator<string> {
  const [native, classic] = [new SpreadOfUses(), new SpreadOfUses()]
  yield `${header}\n`
  for await (const answer of answers) {
    const buckets = new Map<string, SeriesShape[]>()
    for (const series of answer) {
      if ((series.values?.length ?? 0) > 0) addBucket(buckets, series)
      else {
        const use = readNative(series)
        if (use === undefined) continue
        yield `- ${Labels.from(series.metric).metricString()} (native): ${describeUse(use)}`
        native.add(use)
      }
    }
    for (const [name, series] of buckets) {
      const use = readClassic(series)
      if (use === undefined) continue
      yield `- ${name} (classic): ${describeUse(use)}`
      classic.add(use)
    }
  }
  yield `\n${footer}`
  if (native.count > 0) yield `\n${native.describe('Native')}`
  if (classic.count > 0) yield `\n${classic.describe('Classic')}`
}

function describeUse({ min, average, max, total }: BucketUse): string {
  const use = `${min}/${average.toFixed(3)}/${max}`
  return max === total ? use : `${use}/${total}`
}

/** undefined: not two samples. */
function readNative({ histograms = [] }: SeriesShape): BucketUse | undefined {
  if (histograms.length < 2) return undefined
  const counts = histograms.map(([, { buckets = [] }]) => buckets.length)
  const bounds = new Set(histograms.flatMap(([, { buckets = [] }]) => buckets.map((bucket) => bucket.slice(0, 3).join(' '))))
  return summarize(counts, bounds.size)
}

function addBucket(into: Map<string, SeriesShape[]>, series: SeriesShape): void {
  const { __name__: name = '', le, ...others } = series.metric
  if (le === undefined || !name.endsWith('_bucket')) return
  const key = `${name}${Labels.from(others).toString()}`
  const known = into.get(key)
  if (known === undefined) into.set(key, [series])
  else known.push(series)
}

/** Of the buckets of one classic histogram; undefined: not two samples. */
function readClassic(unsorted: readonly SeriesShape[]): BucketUse | undefined {
  const series = unsorted.toSorted((a, b) => boundOf(a) - boundOf(b))
  // As promtool, which looks at the first one before it sorts them.
  const samples = unsorted[0]!.values?.length ?? 0
  if (samples < 2) return undefined
  return summarize(
    Array.from({ length: samples }, (_, at) => countPopulated(series, at)),
    series.length,
  )
}

/** Buckets that hold more than the one below; from the first that has no sample there on, none. */
function countPopulated(series: readonly SeriesShape[], at: number): number {
  let populated = 0
  let below: readonly [number, string] | undefined
  for (const [i, { values = [] }] of series.entries()) {
    const sample = values[at]
    if (sample === undefined) break
    if (below !== undefined && sample[0] !== below[0]) throw new Error('matrix result is not time aligned')
    const count = i === 0 ? Number(sample[1]) : Number(sample[1]) - Number(below![1])
    if (Math.trunc(count) !== 0) populated++
    below = sample
  }
  return populated
}

function boundOf({ metric }: SeriesShape): number {
  const { le = '' } = metric
  return le === '+Inf' ? Infinity : Number(le)
}

function summarize(counts: readonly number[], total: number): BucketUse {
  let [min, max, sum] = [Number.MAX_SAFE_INTEGER, 0, 0]
  for (const count of counts) {
    min = Math.min(min, count)
    max = Math.max(max, count)
    sum += count
  }
  return { min, average: sum / counts.length, max, total }
}
