import { formatFloatG } from '@narthex/model/number'
import { listStoredBuckets } from './bucket-table.ts'
import type { FloatHistogram } from './float-histogram.ts'

/** As Prometheus prints it: `{count:3, sum:1.5, [-0.001,0.001]:1, (1,2]:2}`. */
export function formatHistogram(histogram: FloatHistogram): string {
  const parts = [`count:${formatFloatG(histogram.count)}`, `sum:${formatFloatG(histogram.sum)}`]
  for (const { lower, upper, count, lowerInclusive, upperInclusive } of listStoredBuckets(histogram)) {
    const range = `${lowerInclusive ? '[' : '('}${formatFloatG(lower)},${formatFloatG(upper)}${upperInclusive ? ']' : ')'}`
    parts.push(`${range}:${formatFloatG(count)}`)
  }
  return `{${parts.join(', ')}}`
}
