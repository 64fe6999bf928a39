import { customBucketsSchema } from '@narthex/model/native-histogram'
import type { BucketList } from '../histogram/bucket-list.ts'
import type { HistogramFields } from '../histogram/float-histogram.ts'
import { FloatHistogram } from '../histogram/float-histogram.ts'

/** Buckets `first`, `first + 1`, …. */
export function buckets(first: number, ...counts: number[]): BucketList {
  return { indexes: Int32Array.from(counts, (_, i) => first + i), counts: Float64Array.from(counts) }
}

/** An empty histogram of schema 0 but for what is given. */
export function histogram(fields: Partial<HistogramFields>): FloatHistogram {
  return FloatHistogram.empty.with(fields)
}

/** Its buckets as `index=count`, empty ones too. */
export function show({ indexes, counts }: BucketList): string {
  return Array.from(indexes, (index, i) => `${index}=${counts[i]}`).join(' ')
}

/** 0 ≤ next(n) < n, the same for the same seed. */
export function makeDice(seed: number): (sides: number) => number {
  let state = seed >>> 0
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

/** Some histogram whose count is that of its buckets. */
export function rollHistogram(dice: (sides: number) => number, isCustom = dice(3) === 0): FloatHistogram {
  const roll = (first: number) => {
    const indexes: number[] = []
    for (let index = first, i = dice(8); i > 0; i--) {
      indexes.push(index)
      index += 1 + (dice(3) === 0 ? dice(4) : 0)
    }
    return { indexes: Int32Array.from(indexes), counts: Float64Array.from(indexes, () => dice(20)) }
  }
  const bounds = [-3, -1, 0, 2, 5, 9, 14, 20].filter(() => dice(3) > 0)
  const custom = Float64Array.from({ length: bounds.length + 1 }, () => dice(20))
  const positive = isCustom ? { indexes: Int32Array.from(custom, (_, i) => i), counts: custom } : roll(dice(6) - 3)
  const negative = isCustom ? buckets(0) : roll(dice(6) - 3)
  const zeroCount = isCustom ? 0 : dice(10)
  const total = [...positive.counts, ...negative.counts].reduce((sum, count) => sum + count, zeroCount)
  return histogram({
    schema: isCustom ? customBucketsSchema : dice(5) - 1,
    zeroThreshold: isCustom ? 0 : [0, 0.001, 0.3, 1][dice(4)]!,
    zeroCount,
    count: total,
    sum: dice(1000) - 300,
    positive,
    negative,
    customValues: isCustom ? bounds : [],
  })
}
