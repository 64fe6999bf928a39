import { findBound } from './bucket-bounds.ts'
import { customBucketsSchema, type BucketSpan } from './native-histogram.ts'
import { formatFloatG } from './number.ts'
import type { HistogramColumns } from './histogram-columns.ts'

/** Sample `i` as Prometheus prints a histogram: `{count:3, sum:1.5, [-0.001,0.001]:1, (1,2]:2}`; buckets without counts are left out. */
export function formatHistogram(histograms: HistogramColumns, i: number): string {
  const { schema, zeroThreshold, positiveSpans, negativeSpans, customValues, positiveBuckets, isFloat } = histograms.layout(i)
  const formatCount = isFloat ? formatFloatG : String
  const sum = histograms.isStale(i) ? NaN : histograms.sums[i]!
  let text = `{count:${formatCount(histograms.counts[i]!)}, sum:${formatFloatG(sum)}`
  const start = histograms.bucketStart(i)
  const negative: string[] = []
  forEachBucket(negativeSpans, histograms.buckets, start + positiveBuckets, (index, count) => {
    const lower = formatFloatG(-findBound(index, schema, customValues))
    negative.push(`, [${lower},${formatFloatG(-findBound(index - 1, schema, customValues))}):${formatCount(count)}`)
  })
  text += negative.reverse().join('')
  const zeroCount = histograms.zeroCounts[i]!
  if (zeroCount !== 0) text += `, [${formatFloatG(-zeroThreshold)},${formatFloatG(zeroThreshold)}]:${formatCount(zeroCount)}`
  forEachBucket(positiveSpans, histograms.buckets, start, (index, count) => {
    const opening = schema === customBucketsSchema && index === 0 ? '[' : '('
    const lower = formatFloatG(findBound(index - 1, schema, customValues))
    text += `, ${opening}${lower},${formatFloatG(findBound(index, schema, customValues))}]:${formatCount(count)}`
  })
  return `${text}}`
}

function forEachBucket(
  spans: readonly BucketSpan[],
  counts: Float64Array,
  start: number,
  visit: (index: number, count: number) => void,
): void {
  let index = 0
  let at = start
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++, index++, at++) if (counts[at] !== 0) visit(index, counts[at]!)
  }
}
