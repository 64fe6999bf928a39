import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BucketSpan, NativeHistogram } from '@narthex/model/native-histogram'
import { limitHistogram, reduceResolution, schemaMax, schemaMin, schemaOfFactor } from './limit-histogram.ts'

/** Bucket index → count. */
type Buckets = ReadonlyMap<number, number>

function encode(buckets: Buckets): { spans: BucketSpan[]; counts: number[] } {
  const spans: { offset: number; length: number }[] = []
  const counts: number[] = []
  let next = 0
  for (const [index, count] of [...buckets].sort(([a], [b]) => a - b)) {
    if (spans.length > 0 && index === next) spans.at(-1)!.length++
    else spans.push({ offset: spans.length === 0 ? index : index - next, length: 1 })
    counts.push(count)
    next = index + 1
  }
  return { spans, counts }
}

function decode(spans: readonly BucketSpan[], counts: readonly number[]): Buckets {
  const buckets = new Map<number, number>()
  let index = 0
  let at = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) buckets.set(index++, counts[at++]!)
  }
  return buckets
}

const toDeltas = (counts: readonly number[]) => counts.map((count, i) => count - (counts[i - 1] ?? 0))
function toCounts(deltas: readonly number[]): number[] {
  let sum = 0
  return deltas.map((delta) => (sum += delta))
}

function make(schema: number, isFloat: boolean, positive: Buckets, negative: Buckets = new Map()): NativeHistogram {
  const plus = encode(positive)
  const minus = encode(negative)
  return {
    schema,
    isFloat,
    count: 0,
    sum: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    positiveSpans: plus.spans,
    negativeSpans: minus.spans,
    positiveDeltas: isFloat ? [] : toDeltas(plus.counts),
    negativeDeltas: isFloat ? [] : toDeltas(minus.counts),
    positiveCounts: isFloat ? plus.counts : [],
    negativeCounts: isFloat ? minus.counts : [],
    customValues: [],
    isGauge: false,
  }
}

function bucketsOf(h: NativeHistogram): { positive: Buckets; negative: Buckets } {
  return {
    positive: decode(h.positiveSpans, h.isFloat ? h.positiveCounts : toCounts(h.positiveDeltas)),
    negative: decode(h.negativeSpans, h.isFloat ? h.negativeCounts : toCounts(h.negativeDeltas)),
  }
}

/** The slow way: every bucket by its upper bound, base^index. */
function mergeByBounds(buckets: Buckets, schema: number, coarser: number): Buckets {
  const merged = new Map<number, number>()
  for (const [index, count] of buckets) {
    // Bucket i ends at 2^(i · 2^-schema); the coarser one is the first whose end is not before that.
    const target = Math.ceil(index * 2 ** (coarser - schema))
    merged.set(target, (merged.get(target) ?? 0) + count)
  }
  return new Map([...merged].sort(([a], [b]) => a - b))
}

const buckets = fc
  .uniqueArray(fc.tuple(fc.integer({ min: -200, max: 200 }), fc.nat({ max: 1000 })), { maxLength: 40, selector: ([index]) => index })
  .map((list): Buckets => new Map(list.sort(([a], [b]) => a - b)))

describe('reduceResolution', () => {
  test('puts every observation into the bucket that holds it', () => {
    const schemas = fc.tuple(fc.integer({ min: schemaMin, max: schemaMax }), fc.integer({ min: schemaMin, max: schemaMax }))
    fc.assert(
      fc.property(schemas, fc.boolean(), buckets, buckets, ([a, b], isFloat, positive, negative) => {
        const [coarser, finer] = [Math.min(a, b), Math.max(a, b)]
        const reduced = reduceResolution(make(finer, isFloat, positive, negative), coarser)
        expect(reduced.schema).toBe(coarser)
        expect(bucketsOf(reduced)).toEqual({
          positive: mergeByBounds(positive, finer, coarser),
          negative: mergeByBounds(negative, finer, coarser),
        })
      }),
      { numRuns: 300 },
    )
  })
})

describe('limitHistogram', () => {
  const four = new Map([1, 2, 3, 4].map((index) => [index, 1]))

  test('leaves a histogram alone that is within the limits', () => {
    const histogram = make(3, false, four)
    expect(limitHistogram(histogram, { bucketLimit: 4, schemaMax: 3 })).toBe(histogram)
    expect(limitHistogram(histogram, { bucketLimit: 0, schemaMax })).toBe(histogram)
  })

  test('counts positive and negative buckets together', () => {
    const histogram = make(3, true, four, four)
    expect(limitHistogram(histogram, { bucketLimit: 8, schemaMax })!.schema).toBe(3)
    expect(limitHistogram(histogram, { bucketLimit: 7, schemaMax })!.schema).toBe(2)
  })

  test('reduces to the finest schema that is allowed', () => {
    expect(limitHistogram(make(3, false, four), { bucketLimit: 0, schemaMax: 2 })!.schema).toBe(2)
  })

  test('gives up at the coarsest schema, and at once for bounds of its own', () => {
    expect(
      limitHistogram(
        make(
          schemaMin,
          false,
          new Map([
            [1, 1],
            [2, 1],
          ]),
        ),
        { bucketLimit: 1, schemaMax },
      ),
    ).toBeUndefined()
    const custom = { ...make(-53, false, four), customValues: [1, 2, 3] }
    expect(limitHistogram(custom, { bucketLimit: 3, schemaMax })).toBeUndefined()
    expect(limitHistogram(custom, { bucketLimit: 4, schemaMax: 0 })).toBe(custom)
  })
})

test.each([
  [0, 8],
  [1, 8],
  [1.00271, 8],
  [1.002712, 7],
  [1.1, 2],
  [2, 0],
  [2.1, -1],
  [65_536, -4],
  [1e300, -4],
])('a bucket factor of %d allows schema %d', (factor, schema) => {
  expect(schemaOfFactor(factor)).toBe(schema)
})
