import { Labels } from '@narthex/model/labels'
import { describe, expect, it } from 'vitest'
import { evaluateInstant, evaluateRange } from '../engine.ts'
import { nativeOfHistogram } from '../histogram/native-of-histogram.ts'
import type { Queryable } from '../storage.ts'
import { buckets, histogram } from '../testing/histograms.ts'

const one = nativeOfHistogram(histogram({ count: 100, positive: buckets(0, ...new Array<number>(100).fill(1)) }))

/** A storage of one series with so many histograms or floats, a millisecond apart; counts those that were asked of it. */
function listMany(count: number, kind: 'histograms' | 'floats') {
  const made = { count: 0 }
  const queryable: Queryable = {
    select: () => {
      let at = -1
      return {
        next: () => ++at < 1,
        labels: () => Labels.from({ __name__: 'h' }),
        samples: (into) => {
          for (let i = 0; i < count && kind === 'floats'; i++, made.count++) into.pushNumber(i, 1)
        },
        histograms: (into) => {
          for (let i = 0; i < count && kind === 'histograms'; i++, made.count++) into.pushHistogram(i, 0, one)
        },
      }
    },
    labelNames: () => [],
    labelValues: () => [],
  }
  return { queryable, made }
}

describe('a query that may not hold so many bytes ends before a series is read', () => {
  it.each([
    ['count_over_time(h[10m])', 'histograms'],
    ['h', 'histograms'],
    ['count_over_time(h[10m])', 'floats'],
    ['h', 'floats'],
  ] as const)('%s of %s', (query, kind) => {
    const { queryable, made } = listMany(100_000, kind)
    const evaluate = () => evaluateRange({ bytesMax: 512 * 1024 }, queryable, query, 0, 60_000, 1000)
    expect(evaluate).toThrow('query processing would load too many samples into memory in query execution: one query may hold 524288 bytes')
    expect(made.count).toBeGreaterThan(100)
    expect(made.count).toBeLessThan(50_000)
  })
})

it('objects of histograms count as long as their series is the one that is read', () => {
  const { queryable } = listMany(1000, 'histograms')
  const few = evaluateInstant({}, queryable, 'h', 999).statistics.peakBytes
  const all = evaluateInstant({}, queryable, 'count_over_time(h[10m])', 999).statistics.peakBytes
  expect(all - few).toBeGreaterThan(1000 * (100 * 8 + 300))
})
