import { customBucketsSchema } from '@narthex/model/native-histogram'
import { formatFloatG } from '@narthex/model/number'
import type { HistogramColumns } from '../chunk/histogram-columns.ts'
import type { BucketSpan } from '@narthex/model/native-histogram'

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

/** The upper bound of bucket `index`: base ^ index, where base is 2 ^ (2 ^ -schema). */
function findBound(index: number, schema: number, customValues: readonly number[]): number {
  if (schema === customBucketsSchema) return index < 0 ? -Infinity : (customValues[index] ?? Infinity)
  if (schema <= 0) return 2 ** (index * 2 ** -schema)
  const steps = 2 ** schema
  // Finer than any that is written: a table would be too long.
  if (schema > schemaMax) return 2 ** (index / steps)
  const part = ((index % steps) + steps) % steps
  const bound = findBounds(schema)[part]! * 2 * 2 ** ((index - part) / steps)
  // The last bucket ends at the largest number instead of beyond it.
  return bound === Infinity && index === 1024 * steps ? Number.MAX_VALUE : bound
}

const boundsBySchema: Float64Array[] = [Float64Array.of(0.5), Float64Array.of(0.5, 0.7071067811865475)]
const schemaMax = 8

/**
 * Bounds in [0.5, 1) as Prometheus has them in a table: not all are the nearest doubles. Every second one is of the coarser schema, each other
 * the one before it times the base.
 */
function findBounds(schema: number): Float64Array {
  const known = boundsBySchema[schema]
  if (known !== undefined) return known
  const coarser = findBounds(schema - 1)
  const base = 2 ** (2 ** -schema)
  const bounds = new Float64Array(2 ** schema)
  for (let i = 0; i < bounds.length; i++) bounds[i] = i % 2 === 0 ? coarser[i / 2]! : bounds[i - 1]! * base
  boundsBySchema[schema] = bounds
  return bounds
}
