import { findBound } from '@narthex/model/bucket-bounds'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { customBucketsSchema } from '@narthex/model/native-histogram'
import { unknownReset } from '@narthex/model/reset-hint'
import { noBuckets, type BucketList } from '@narthex/promql/histogram/bucket-list'
import { FloatHistogram } from '@narthex/promql/histogram/float-histogram'
import { nativeOfHistogram } from '@narthex/promql/histogram/native-of-histogram'

// Answers of the API tell the bounds of buckets instead of schema and indexes, and only of buckets with observations. Exponential bounds say which schema they
// are of; of custom ones those that stand in a series' answer are taken, which is where there are observations.

/** A histogram of an answer, read. */
export interface AnsweredHistogram {
  readonly timeMs: number
  readonly count: number
  readonly sum: number
  readonly buckets: readonly AnsweredBucket[]
}

export interface AnsweredBucket {
  readonly lower: number
  readonly upper: number
  readonly count: number
  /** Both ends belong to it. */
  readonly isClosed: boolean
}

const schemaMin = -4
const schemaMax = 8
/** Of histograms without observations, when the series has no others. */
const presetSchema = 0

/** The histograms of one series, in order of time, as float histograms. Throws if a zero bucket stands among custom ones. */
export function storeAnsweredHistograms(histograms: readonly AnsweredHistogram[]): HistogramColumns {
  const columns = new HistogramColumns(16, 256)
  const schemas = histograms.some(({ buckets }) => buckets.some(isCustom)) ? undefined : findSchemas(histograms)
  const customValues = schemas === undefined ? listBounds(histograms) : []
  histograms.forEach((histogram, i) => {
    const made = schemas === undefined ? makeCustom(histogram, customValues) : makeExponential(histogram, schemas[i]!)
    columns.pushHistogram(histogram.timeMs, 0, nativeOfHistogram(made))
  })
  return columns
}

function isZero({ lower, upper, isClosed }: AnsweredBucket): boolean {
  return isClosed && lower === -upper
}

/** Exponential buckets do not reach infinity, or across zero. */
function isCustom(bucket: AnsweredBucket): boolean {
  const { lower, upper } = bucket
  return !Number.isFinite(lower) || !Number.isFinite(upper) || (!isZero(bucket) && lower < 0 && upper > 0)
}

/** By histogram; undefined: the bounds are of no schema. One without observations outside the zero bucket has that of its neighbours. */
function findSchemas(histograms: readonly AnsweredHistogram[]): number[] | undefined {
  const schemas: (number | undefined)[] = []
  let last: number | undefined
  for (const { buckets } of histograms) {
    const outside = buckets.filter((bucket) => !isZero(bucket))
    if (outside.length === 0) {
      schemas.push(last)
      continue
    }
    const schema = [...(last === undefined ? [] : [last]), ...allSchemas].find((one) =>
      outside.every((bucket) => isOf(one, bucket, outside)),
    )
    if (schema === undefined) return undefined
    last = schema
    schemas.push(schema)
  }
  const first = schemas.find((schema) => schema !== undefined) ?? presetSchema
  return schemas.map((schema) => schema ?? first)
}

const allSchemas = Array.from({ length: schemaMax - schemaMin + 1 }, (_, i) => schemaMax - i)

/** The buckets next to zero may be cut off by the zero bucket. */
function isOf(schema: number, bucket: AnsweredBucket, outside: readonly AnsweredBucket[]): boolean {
  const [near, far] = [Math.min(Math.abs(bucket.lower), Math.abs(bucket.upper)), Math.max(Math.abs(bucket.lower), Math.abs(bucket.upper))]
  const index = indexOf(schema, far)
  if (findBound(index, schema, []) !== far) return false
  const inner = findBound(index - 1, schema, [])
  const isNearest = !outside.some(
    (other) => Math.sign(other.upper) === Math.sign(bucket.upper) && Math.abs(other.upper) < Math.abs(bucket.upper),
  )
  return near === inner || (isNearest && near > inner)
}

/** Of the bucket that ends at `bound`, if one of the schema does. */
function indexOf(schema: number, bound: number): number {
  return bound === Number.MAX_VALUE ? 1024 * 2 ** schema : Math.round(Math.log2(bound) * 2 ** schema)
}

function makeExponential({ count, sum, buckets }: AnsweredHistogram, schema: number): FloatHistogram {
  const zero = buckets.find(isZero)
  const positive = buckets.filter((bucket) => !isZero(bucket) && bucket.upper > 0)
  const negative = buckets.filter((bucket) => !isZero(bucket) && bucket.upper <= 0).toReversed()
  return FloatHistogram.empty.with({
    ...{ schema, count, sum, zeroThreshold: zero?.upper ?? 0, zeroCount: zero?.count ?? 0, hint: unknownReset },
    positive: makeList(positive, ({ upper }) => indexOf(schema, upper)),
    negative: makeList(negative, ({ lower }) => indexOf(schema, -lower)),
  })
}

function listBounds(histograms: readonly AnsweredHistogram[]): number[] {
  const bounds = new Set<number>()
  for (const { buckets } of histograms) {
    for (const { lower, upper } of buckets) for (const bound of [lower, upper]) if (Number.isFinite(bound)) bounds.add(bound)
  }
  return [...bounds].sort((a, b) => a - b)
}

function makeCustom({ count, sum, buckets }: AnsweredHistogram, customValues: readonly number[]): FloatHistogram {
  const indexes = new Map([...customValues, Infinity].map((bound, i) => [bound, i]))
  const positive = makeList(buckets, ({ upper }) => indexes.get(upper)!)
  return FloatHistogram.empty.with({ schema: customBucketsSchema, count, sum, customValues, positive, hint: unknownReset })
}

function makeList(buckets: readonly AnsweredBucket[], indexOfBucket: (bucket: AnsweredBucket) => number): BucketList {
  if (buckets.length === 0) return noBuckets
  return { indexes: Int32Array.from(buckets, indexOfBucket), counts: Float64Array.from(buckets, ({ count }) => count) }
}
