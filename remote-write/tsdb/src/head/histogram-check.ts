import { customBucketsSchema } from '@narthex/model/native-histogram'
import type { BucketSpan, NativeHistogram } from '@narthex/model/native-histogram'
import { reduceSchema } from '../wal/reduce-schema.ts'

/** More buckets on one side, runs of buckets or custom bounds than any source has; a chunk of the fewest samples stays below 2 MiB with them. */
export const bucketsPerSideMax = 8192
/** So that changes of changes of counts are exact in doubles. */
const countMax = 2 ** 50
const schemaMin = -4
const schemaMax = 8
/** Finer schemas than 8 up to this one are known, and reduced; coarser ones than -4 down to this one are only read. */
const reservedSchemaMax = 52
const reservedSchemaMin = -9

// Prometheus' texts.
const countMismatch = "histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)"
const countTooSmall = "histogram's observation count should be at least the number of observations found in the buckets"
const negativeCount = 'histogram has a bucket whose observation count is negative'
const negativeOffset = 'histogram has a span whose offset is negative'
const bucketMismatch = 'histogram spans specify different number of buckets than provided'
const boundsTooFew = 'histogram custom bounds are too few'
const boundsNotRising = 'histogram custom bounds must be in strictly increasing order'
const boundsInfinite = 'histogram custom bounds must be finite'

/**
 * The histogram as it is stored, or why it is not. `takesCustom`: whether those with custom buckets are. Of a log it was checked before, so all that
 * can be read is taken.
 */
export function acceptHistogram(histogram: NativeHistogram, takesCustom: boolean, isLogged = false): NativeHistogram | string {
  const { schema } = histogram
  if (schema === customBucketsSchema && !takesCustom && !isLogged) {
    return 'native histograms with custom buckets are off, as Prometheus before 3.0 cannot read them'
  }
  const isFiner = schema > schemaMax && schema <= reservedSchemaMax
  // Before the check of the schema, but spans and buckets must fit for it.
  if (isFiner) {
    const problem = checkHistogram({ ...histogram, schema: schemaMax }, isLogged)
    return problem ?? reduceSchema(histogram, schemaMax)
  }
  return checkHistogram(histogram, isLogged) ?? histogram
}

/** What stands in the place of a histogram where a series ended. */
export function emptyHistogram(isFloat: boolean): NativeHistogram {
  return isFloat ? emptyFloats : emptyIntegers
}

const emptyIntegers: NativeHistogram = {
  schema: 0,
  isFloat: false,
  count: 0,
  sum: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  positiveSpans: [],
  negativeSpans: [],
  positiveDeltas: [],
  negativeDeltas: [],
  positiveCounts: [],
  negativeCounts: [],
  customValues: [],
  isGauge: false,
}
const emptyFloats: NativeHistogram = { ...emptyIntegers, isFloat: true }

/** Why a histogram cannot be stored, in Prometheus' words where it is Prometheus' rule; undefined: it can. Stale markers are not checked. */
function checkHistogram(histogram: NativeHistogram, isLogged: boolean): string | undefined {
  const { isFloat, schema, positiveSpans, negativeSpans, customValues } = histogram
  const positive = isFloat ? histogram.positiveCounts : histogram.positiveDeltas
  const negative = isFloat ? histogram.negativeCounts : histogram.negativeDeltas
  const sizeProblem = checkSizes(histogram, positive, negative)
  if (sizeProblem !== undefined) return sizeProblem
  if (schema === customBucketsSchema) {
    const problem = checkBounds(customValues, positiveSpans, positive.length)
    if (problem !== undefined) return `custom buckets: ${problem}`
    if (histogram.zeroCount !== 0) return 'custom buckets: must have zero count of 0'
    if (histogram.zeroThreshold !== 0) return 'custom buckets: must have zero threshold of 0'
    if (negativeSpans.length > 0) return 'custom buckets: must not have negative spans'
    if (negative.length > 0) return 'custom buckets: must not have negative buckets'
  } else {
    if (schema < (isLogged ? reservedSchemaMin : schemaMin) || schema > schemaMax) return `histogram has an invalid schema: ${schema}`
    const problem =
      prefix('positive', checkSpans(positiveSpans, positive.length)) ?? prefix('negative', checkSpans(negativeSpans, negative.length))
    if (problem !== undefined) return problem
    if (customValues.length > 0) return 'histogram with exponential schema must not have custom bounds'
  }
  const problem = prefix('negative', checkBuckets(negative, isFloat)) ?? prefix('positive', checkBuckets(positive, isFloat))
  if (problem !== undefined || isLogged) return problem
  return isFloat ? checkFloatCounts(histogram) : checkCounts(histogram)
}

function prefix(side: string, problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `${side} side: ${problem}`
}

/** What our memory asks, and numbers that JavaScript cannot hold. */
function checkSizes(histogram: NativeHistogram, positive: readonly number[], negative: readonly number[]): string | undefined {
  const { positiveSpans, negativeSpans, customValues, isFloat } = histogram
  for (const list of [positive, negative, positiveSpans, negativeSpans, customValues]) {
    if (list.length > bucketsPerSideMax) return `want at most ${bucketsPerSideMax} buckets, spans or bounds a histogram, got ${list.length}`
  }
  if (isFloat) return undefined
  const isExact = (number: number): boolean => Number.isInteger(number) && Math.abs(number) <= countMax
  if (isExact(histogram.count) && isExact(histogram.zeroCount) && positive.every(isExact) && negative.every(isExact)) return undefined
  return 'want whole counts of at most 2^50 in a histogram of integers, got others'
}

function checkSpans(spans: readonly BucketSpan[], buckets: number): string | undefined {
  let count = 0
  for (const [i, { offset, length }] of spans.entries()) {
    if (i > 0 && offset < 0) return `span number ${i + 1} with offset ${offset}: ${negativeOffset}`
    count += length
  }
  return count === buckets ? undefined : `spans need ${count} buckets, have ${buckets} buckets: ${bucketMismatch}`
}

function checkBounds(bounds: readonly number[], spans: readonly BucketSpan[], buckets: number): string | undefined {
  let previous = -Infinity
  for (const bound of bounds) {
    if (!(bound > previous)) return `previous bound is ${previous.toFixed(6)} and current is ${bound.toFixed(6)}: ${boundsNotRising}`
    previous = bound
  }
  if (previous === Infinity) return `last +Inf bound must not be explicitly defined: ${boundsInfinite}`
  let end = 0
  let count = 0
  for (const [i, { offset, length }] of spans.entries()) {
    if (offset < 0) return `span number ${i + 1} with offset ${offset}: ${negativeOffset}`
    count += length
    end += length + offset
  }
  if (count !== buckets) return `spans need ${count} buckets, have ${buckets} buckets: ${bucketMismatch}`
  // The bound of the last bucket is +Inf.
  return bounds.length + 1 < end
    ? `only ${bounds.length} custom bounds defined which is insufficient to cover total span length of ${end}: ${boundsTooFew}`
    : undefined
}

function checkBuckets(buckets: readonly number[], isFloat: boolean): string | undefined {
  let count = 0
  for (let i = 0; i < buckets.length; i++) {
    count = isFloat ? buckets[i]! : count + buckets[i]!
    if (count < 0) return `bucket number ${i + 1} has observation count of ${count}: ${negativeCount}`
  }
  return undefined
}

function checkCounts(histogram: NativeHistogram): string | undefined {
  const found = sumDeltas(histogram.positiveDeltas) + sumDeltas(histogram.negativeDeltas) + histogram.zeroCount
  const isNaNSum = histogram.sum !== histogram.sum
  if (isNaNSum ? found <= histogram.count : found === histogram.count) return undefined
  const text = `${found} observations found in buckets, but the Count field is ${histogram.count}`
  return `${text}: ${isNaNSum ? countTooSmall : countMismatch}`
}

function checkFloatCounts({ count, zeroCount }: NativeHistogram): string | undefined {
  if (zeroCount < 0) return `zero bucket has observation count of ${zeroCount}: ${negativeCount}`
  return count < 0 ? `observation count is ${count}: ${negativeCount}` : undefined
}

function sumDeltas(deltas: readonly number[]): number {
  let count = 0
  let sum = 0
  for (const delta of deltas) {
    count += delta
    sum += count
  }
  return sum
}
