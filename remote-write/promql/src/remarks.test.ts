import { describe, expect, it } from 'vitest'
import type { EngineOptions } from './engine.ts'
import { evaluateInstant, evaluateRange } from './engine.ts'
import type { QueryResult } from './query-result.ts'
import { loadSeries } from './testing/load-series.ts'
import type { MemoryStorage } from './testing/memory-storage.ts'

// What Prometheus 3.14 was seen to remark on, and where.

const minute = 60_000
const options: EngineOptions = { parse: { experimentalFunctions: true, binopFillModifiers: true } }

/** Series of one value a minute. */
const load = (...lines: readonly string[]): MemoryStorage => loadSeries(minute, lines)

const instant = (storage: MemoryStorage, query: string, minutes: number) => evaluateInstant(options, storage, query, minutes * minute)
const range = (storage: MemoryStorage, query: string, from: number, to: number) =>
  evaluateRange(options, storage, query, from * minute, to * minute, minute)

/** Values of floats, counts of histograms; NaN is as good as any. */
function valuesOf({ series }: QueryResult): number[] {
  return Array.from(series.values, (value, i) => series.histograms?.[i]?.count ?? value)
}

describe('the same remark on several places', () => {
  const storage = load('g 1 2 3', 'c_total 1 2 3')

  it.each([
    ['quantile(2, g) + quantile(2, c_total)', ['quantile value should be between 0 and 1, got 2 (1:27)']],
    [
      'quantile(2, g) + quantile(3, g)',
      ['quantile value should be between 0 and 1, got 2 (1:10)', 'quantile value should be between 0 and 1, got 3 (1:27)'],
    ],
    [
      'quantile(2, g) + quantile(2, c_total) + quantile(-1, g)',
      ['quantile value should be between 0 and 1, got 2 (1:27)', 'quantile value should be between 0 and 1, got -1 (1:50)'],
    ],
  ])('%s is made once', (query, wanted) => {
    expect(instant(storage, query, 2).warnings).toEqual(wanted.map((text) => `PromQL warning: ${text}`))
  })
})

const histograms = load(
  'h{x="a"} {{count:4 sum:4 buckets:[4]}} {{count:2 sum:2 buckets:[2]}} {{count:3 sum:3 buckets:[3]}}',
  'h{x="b"} {{count:4 sum:4 buckets:[4]}} {{count:5 sum:5 buckets:[5]}} {{count:6 sum:6 buckets:[6]}}',
  'f{x="a"} 1 2 3',
  'f{x="b"} 4 5 6',
)

describe('counter resets', () => {
  it('are told of histograms if no more than their statistics is asked for', () => {
    const conflict = (place: string) => [`PromQL warning: conflicting counter resets during histogram aggregation (${place})`]
    expect(instant(histograms, 'sum(h)', 1).warnings).toEqual([])
    const told = instant(histograms, 'histogram_count(sum(h))', 1)
    expect([valuesOf(told), told.warnings]).toEqual([[7], conflict('1:21')])
    for (const query of [
      'histogram_count(sum(h </ 5))',
      'histogram_quantile(0.5, sum(h)) + on () histogram_count(sum(last_over_time(h[1m:1m])))',
    ]) {
      expect(instant(histograms, query, 1).warnings).toEqual([])
    }
  })

  it('that are in conflict leave nothing of a sum of two', () => {
    const result = instant(histograms, 'histogram_count(h{x="a"} + on () h{x="b"})', 1)
    expect([valuesOf(result), result.warnings]).toEqual([
      [],
      ['PromQL warning: conflicting counter resets during histogram addition (1:17)'],
    ])
    expect(valuesOf(instant(histograms, 'histogram_count(h{x="a"} + on () h{x="b"})', 2))).toEqual([9])
  })
})

describe('operands that do not go together', () => {
  it('are no match: a value stands in for the missing one, and others may match', () => {
    expect(valuesOf(instant(histograms, 'f{x="a"} * on () fill_right (10) h{x="c"}', 0))).toEqual([10])
    const result = instant(histograms, 'f + on () h{x="a"}', 0)
    expect([valuesOf(result), result.infos]).toEqual([
      [],
      ['PromQL info: incompatible sample types encountered for binary operator "+": float + histogram (1:1)'],
    ])
    expect(() => instant(histograms, 'f * on () h{x="a"}', 0)).toThrow('multiple matches for labels')
  })

  it('may be several on one side, which is told before other matches are', () => {
    expect(() => instant(histograms, 'f + on () fill_right (0) f', 0)).toThrow('found duplicate series for the match group {}')
  })
})

describe('aggregations', () => {
  it('tell of values that are no quantiles the furthest alone', () => {
    const storage = load('q -1 -2 3 2', 'a 1 1 1 1')
    const place = '(1:10)'
    expect(range(storage, 'quantile(scalar(q), a)', 0, 3).warnings).toEqual([
      `PromQL warning: quantile value should be between 0 and 1, got 3 ${place}`,
      `PromQL warning: quantile value should be between 0 and 1, got -2 ${place}`,
    ])
    expect(range(storage, 'limit_ratio(scalar(q), a)', 0, 3).warnings).toEqual([
      'PromQL warning: ratio value should be between -1 and 1, got 3, capping to 1 (1:13)',
      'PromQL warning: ratio value should be between -1 and 1, got -2, capping to -1 (1:13)',
    ])
  })

  it('look at nothing if none is asked for', () => {
    expect(instant(histograms, 'topk(0, h)', 0).infos).toEqual([])
    expect(instant(histograms, 'topk(1, h)', 0).infos).toEqual(['PromQL info: ignored histogram in topk aggregation (1:1)'])
    expect(valuesOf(instant(histograms, 'topk(-1e300, f)', 0))).toEqual([])
    expect(() => instant(histograms, 'limit_ratio(NaN, label_replace(f, "x", "", "", ""))', 0)).toThrow('the same labelset')
  })

  it('do not say of histograms that a float spoils already how they go together', () => {
    const custom = '{{schema:-53 count:1 sum:1 custom_values:[1] buckets:[1]}}'
    const storage = load('m{x="a"} 1', `m{x="b"} ${custom}`, 'm{x="c"} {{count:1 sum:1 buckets:[1]}}')
    const mixed = 'PromQL warning: encountered a mix of histograms and floats for aggregation (1:5)'
    expect(instant(storage, 'sum(m)', 0).warnings).toEqual([mixed])
    const schemas =
      'PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "m" (1:5)'
    const behind = load(`m{x="b"} ${custom}`, 'm{x="c"} {{count:1 sum:1 buckets:[1]}}', 'm{x="d"} 1')
    expect(instant(behind, 'sum(m)', 0).warnings).toEqual([schemas])
  })
})

describe('functions', () => {
  it('of a quantile over time warn where they have a value', () => {
    const warning = 'PromQL warning: quantile value should be between 0 and 1, got 2 (1:20)'
    expect(instant(histograms, 'quantile_over_time(2, nothing[1m])', 0).warnings).toEqual([])
    expect(instant(histograms, 'quantile_over_time(2, f[1m])', 0).warnings).toEqual([warning])
  })

  it('that sort warn where there are several steps', () => {
    const warning = (place: string) => [
      `PromQL warning: sort is ineffective for range queries since results are always ordered by labels (${place})`,
    ]
    expect(range(histograms, 'sort(f)', 0, 1).warnings).toEqual(warning('1:1'))
    expect(range(histograms, 'sort(f)', 1, 1).warnings).toEqual([])
    expect(range(histograms, 'sort(f @ 0)', 0, 1).warnings).toEqual([])
    expect(range(histograms, 'sort(timestamp(f @ end()))', 0, 1).warnings).toEqual([])
    expect(range(histograms, 'sort(vector(end()))', 0, 1).warnings).toEqual([])
    expect(instant(histograms, 'last_over_time(sort(f)[2m:1m])', 2).warnings).toEqual(warning('1:16'))
  })

  it('of buckets name no metric, whose name the result loses', () => {
    const storage = load('b{le="x"} 1', 'b{le="1"} 3', 'b{le="2"} 2', 'b{le="+Inf"} 2')
    const { warnings, infos } = instant(storage, 'histogram_quantile(0.9, b)', 0)
    expect(warnings).toEqual(['PromQL warning: bucket label "le" is missing or has a malformed value of "x" (1:25)'])
    expect(infos).toEqual([
      'PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/' +
        'querying/functions/#histogram_quantile), from buckets 2 to +Inf, with a max diff of 1, over 1 samples from 1970-01-01T00:00:00Z' +
        ' to 1970-01-01T00:00:00Z (1:25)',
    ])
    const delayed = evaluateInstant({ ...options, delayedNameRemoval: true }, storage, 'histogram_quantile(0.9, b)', 0)
    expect(delayed.warnings[0]).toContain('malformed value of "x" for metric name "b" (1:25)')
  })

  it('of several quantiles name each value that a quantile has, over a label that is there', () => {
    const storage = load('q 0 1', 'b{le="1", x="y"} 1 1', 'b{le="+Inf", x="y"} 2 2')
    const { series } = range(storage, 'histogram_quantiles(b, "x", scalar(q), 0.5)', 0, 1)
    expect(series.labels.map(String)).toEqual(['{x="0.0"}', '{x="0.5"}', '{x="1.0"}'])
    expect([...series.offsets]).toEqual([0, 1, 3, 4])
  })

  it('of mixed ranges are remarked on at the first argument', () => {
    const storage = load('m 1 {{count:1 sum:1 buckets:[1]}}')
    const text = 'ignored histograms in a range containing both floats and histograms for metric name "m"'
    expect(instant(storage, 'quantile_over_time(0.5, m[2m])', 1).infos).toEqual([`PromQL info: ${text} (1:20)`])
    expect(instant(storage, 'max_over_time(m[2m])', 1).infos).toEqual([`PromQL info: ${text} (1:15)`])
    expect(instant(storage, 'rate((m + 0)[2m:1m])', 1).infos.length).toBe(1)
    expect(instant(storage, 'rate(label_replace(m, "__name__", "", "", "")[2m:1m])', 1).warnings).toEqual([
      'PromQL warning: encountered a mix of histograms and floats for metric name "" (1:6)',
    ])
  })
})

describe('anchored and smoothed ranges by themselves', () => {
  const storage = load('a 0 10 20 30 40')
  const show = (query: string, timeMs: number) => {
    const { series } = evaluateInstant(options, storage, query, timeMs)
    return Array.from(series.values, (value, i) => [series.times[i]! / 1000, value])
  }

  it('have a sample at either edge', () => {
    expect(show('a[90s] anchored', 150_000)).toEqual([
      [60, 10],
      [120, 20],
      [150, 20],
    ])
    expect(show('a[90s] smoothed', 140_000)).toEqual([
      [50, 50 / 6],
      [60, 10],
      [120, 20],
      [140, 20 + 20 / 6],
    ])
    expect(show('a[1m] anchored', 10 * minute)).toEqual([])
  })

  it('have none of histograms', () => {
    expect(() => instant(histograms, 'h[1m] anchored', 1)).toThrow('anchored modifier is not supported with histograms')
  })

  it('are what modifiers before the range make of it', () => {
    expect(show('a smoothed[90s]', 140_000)).toEqual(show('a[90s] smoothed', 140_000))
    expect(() => show('a @ end()[1m]', 150_000)).toThrow('no @ modifiers allowed before range')
  })
})

describe('labels of absent', () => {
  it('are those that only one condition, an equality, speaks of, whatever the order', () => {
    const labels = (query: string) => instant(histograms, query, 0).series.labels.map(String)
    expect(labels('absent(none{a!="b",a="b"})')).toEqual(['{}'])
    expect(labels('absent(none{a=~"b",a="b"})')).toEqual(['{a="b"}'])
    expect(labels('absent(none{a="b",a=~"b"})')).toEqual(['{}'])
    expect(labels('absent(none{a="",c="d"})')).toEqual(['{c="d"}'])
  })
})

describe('info series', () => {
  it('that are there twice are an error, even if no series has both of their labels', () => {
    const storage = load('f{job="a"} 1', 'target_info{job="a",instance="i",v="1"} 1', 'target_info{job="a",instance="i",v="2"} 1')
    expect(() => instant(storage, 'info(f)', 0)).toThrow('found duplicate series for info metric: existing {__name__="target_info"')
    expect(valuesOf(instant(storage, 'info(f{job="b"})', 0))).toEqual([])
  })

  it('are floats', () => {
    const storage = load('f{job="a"} 1', 'h_info{job="a"} {{count:1 sum:1 buckets:[1]}}')
    expect(() => instant(storage, 'info(f, {__name__="h_info"})', 0)).toThrow(
      'this should be an info metric, with float samples: {__name__="h_info", job="a"}',
    )
  })
})
