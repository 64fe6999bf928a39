import { customBucketsSchema } from '@narthex/model/native-histogram'
import { unknownReset } from '@narthex/model/reset-hint'
import type { Labels } from '@narthex/model/labels'
import { parseGoFloat } from '@narthex/model/number'
import { FloatHistogram } from '@narthex/promql/histogram/float-histogram'
import { noBuckets } from '@narthex/promql/histogram/bucket-list'
import type { MemoryStorage } from '@narthex/promql/testing/memory-storage'
import type { SeriesDescription } from '@narthex/promql/testing/series-notation'

/** The numbers of one classic histogram at one time. */
interface Numbers {
  /** Cumulative counts by bound. */
  readonly buckets: Map<number, number>
  count: number | undefined
  sum: number
}

/** Adds to what was loaded the native histograms with custom buckets that its classic ones make. */
export function loadCustomBuckets(storage: MemoryStorage, series: readonly SeriesDescription[], stepMs: number): void {
  const histograms = new Map<string, { labels: Labels; times: Map<number, Numbers> }>()
  for (const { labels, values } of series) {
    const [, base, suffix] = /^(.*)(_bucket|_count|_sum)$/.exec(labels.get('__name__')) ?? []
    if (base === undefined) continue
    const own = labels.without('le').with('__name__', base)
    const histogram = histograms.get(own.key()) ?? { labels: own, times: new Map<number, Numbers>() }
    histograms.set(own.key(), histogram)
    values.forEach((value, i) => {
      if (typeof value !== 'number') return
      const numbers = histogram.times.get(i) ?? { buckets: new Map<number, number>(), count: undefined, sum: 0 }
      histogram.times.set(i, numbers)
      if (suffix === '_count') numbers.count = value
      else if (suffix === '_sum') numbers.sum = value
      else {
        const bound = parseGoFloat(labels.get('le'))
        if (bound !== undefined) numbers.buckets.set(bound, value)
      }
    })
  }
  for (const { labels, times } of histograms.values()) {
    for (const [i, numbers] of [...times].sort(([a], [b]) => a - b)) {
      const histogram = makeHistogram(numbers)
      if (histogram !== undefined) storage.series(labels).appendHistogram(i * stepMs, histogram)
    }
  }
}

/** undefined: buckets that fall. */
function makeHistogram({ buckets, count, sum }: Numbers): FloatHistogram | undefined {
  const bounds = [...buckets.keys()].sort((a, b) => a - b)
  if (bounds.at(-1) !== Infinity) {
    bounds.push(Infinity)
    buckets.set(Infinity, count ?? buckets.get(bounds.at(-2)!) ?? 0)
  }
  const counts = bounds.map((bound, i) => buckets.get(bound)! - (i === 0 ? 0 : buckets.get(bounds[i - 1]!)!))
  if (counts.some((one) => one < 0)) return undefined
  return new FloatHistogram({
    schema: customBucketsSchema,
    zeroThreshold: 0,
    zeroCount: 0,
    count: count ?? buckets.get(Infinity)!,
    sum,
    positive: { indexes: Int32Array.from(counts, (_, i) => i), counts: Float64Array.from(counts) },
    negative: noBuckets,
    customValues: bounds.slice(0, -1),
    hint: unknownReset,
  })
}
