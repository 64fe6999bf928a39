import { describe, expect, it } from 'vitest'
import type { EngineOptions } from './engine.ts'
import { evaluateInstant, evaluateRange } from './engine.ts'
import { loadSeries } from './testing/load-series.ts'
import type { MemoryStorage } from './testing/memory-storage.ts'

// Where Prometheus 3.15 and 3.16 answer otherwise than 3.14, and were seen to.

const minute = 60_000
const options: EngineOptions = { parse: { experimentalFunctions: true } }

/** Series of one value a minute. */
const load = (...lines: readonly string[]): MemoryStorage => loadSeries(minute, lines)

const ask = (storage: MemoryStorage, query: string, minutes = 0) => evaluateInstant(options, storage, query, minutes * minute)
const valuesOf = (storage: MemoryStorage, query: string, minutes = 0) => [...ask(storage, query, minutes).series.values]

it('degrees and radians do not overflow on the way', () => {
  expect(valuesOf(load(), 'rad(vector(1e308))')).toEqual([1e308 * (Math.PI / 180)])
  expect(valuesOf(load(), 'deg(vector(1e306))')).toEqual([1e306 * (180 / Math.PI)])
})

it('buckets whose bound is NaN are passed over with a warning', () => {
  const storage = load('b{le="1"} 2', 'b{le="+Inf"} 4', 'b{le="NaN"} 9')
  const { series, warnings } = ask(storage, 'histogram_quantile(0.25, b)')
  expect([[...series.values], warnings]).toEqual([
    [0.5],
    ['PromQL warning: bucket label "le" is missing or has a malformed value of "NaN" (1:26)'],
  ])
})

it('what is told of native histograms is told at their place', () => {
  const storage = load('h {{schema:0 sum:NaN count:5 buckets:[2 2]}}')
  expect(ask(storage, 'histogram_quantile(1, h)').infos).toEqual([expect.stringMatching(/\(1:23\)$/)])
  expect(ask(storage, 'histogram_fraction(0, 1, h)').infos).toEqual([expect.stringMatching(/\(1:26\)$/)])
})

describe('histograms of which only count or sum is asked for', () => {
  const storage = load(
    'a {{schema:0 sum:10 count:4 buckets:[1 2 1]}} {{schema:0 sum:10 count:4 buckets:[2 1 1]}}',
    'b {{schema:0 sum:10 count:4 buckets:[2 1 1]}}',
  )

  it('are compared with their buckets', () => {
    expect(valuesOf(storage, 'histogram_count(a == b)')).toEqual([])
    expect(valuesOf(storage, 'histogram_sum(a != b)')).toEqual([10])
    expect(valuesOf(storage, 'histogram_count(a and changes(a[5m]) > 0)', 1)).toEqual([4])
    expect(valuesOf(storage, 'histogram_count(a and on () count(count_values("v", {__name__=~"a|b"})) > 1)')).toEqual([4])
  })
})

describe('types and units in labels', () => {
  const storage = load(
    'm{__type__="counter",a="1"} 1 2 _ _',
    'm{__type__="gauge",__unit__="s",a="1"} _ _ 3 4',
    'm{a="2"} 5x3',
    'twice{__type__="counter"} 1',
    'twice{__type__="gauge"} 2',
  )
  // No sample lasts until the next one.
  const short: EngineOptions = { ...options, lookbackMs: minute }
  const describeAll = (query: string, minutes = 0) => {
    const { labels, values } = evaluateInstant(short, storage, query, minutes * minute).series
    return labels.map((set, i) => `${set.toString()} ${values[i]}`).sort()
  }

  it('go with the name, whether they are asked for or not', () => {
    expect(describeAll('-m')).toEqual(['{a="1"} -1', '{a="2"} -5'])
    expect(describeAll('m + 1', 3)).toEqual(['{a="1"} 5', '{a="2"} 6'])
    expect(describeAll('m / m', 3)).toEqual(['{a="1"} 1', '{a="2"} 1'])
    expect(describeAll('m')).toEqual(['{__name__="m", __type__="counter", a="1"} 1', '{__name__="m", a="2"} 5'])
  })

  it('make one series of what differs in them alone, at different steps only', () => {
    const { labels, offsets } = evaluateRange(short, storage, 'm * 2', 0, 3 * minute, minute).series
    expect([labels.map(String), [...offsets]]).toEqual([
      ['{a="1"}', '{a="2"}'],
      [0, 4, 8],
    ])
    expect(evaluateRange(short, storage, 'max_over_time(m[1m])', 0, 3 * minute, minute).series.labels.map(String)).toEqual([
      '{a="1"}',
      '{a="2"}',
    ])
    expect(() => ask(storage, 'abs(twice)')).toThrow('vector cannot contain metrics with the same labelset')
    expect(() => ask(storage, 'max_over_time(twice[1m])')).toThrow('vector cannot contain metrics with the same labelset')
  })
})

describe('an anchored window of floats and histograms', () => {
  const one = '{{schema:0 sum:1 count:1 buckets:[1]}}'
  const two = '{{schema:0 sum:2 count:2 buckets:[2]}}'
  const storage = load(`fh 1 2 3 ${one}`, `hf ${one} ${two} ${two} 5`, `hhff ${one} ${two} 5 2 3`, `late _ _ _ ${one} 2`)

  it.each([
    ['fh', 3, 1, 1],
    ['hf', 3, 1, 1],
    ['hhff', 3, 1, 1],
    ['hhff', 4, 0, 1],
    ['late', 4, 1, 1],
  ])('%s at %i min has %i resets and %i changes', (name, minutes, resets, changes) => {
    expect(valuesOf(storage, `resets(${name}[1m] anchored)`, minutes)).toEqual([resets])
    expect(valuesOf(storage, `changes(${name}[1m] anchored)`, minutes)).toEqual([changes])
  })

  it('has no value where nothing lies inside, and no rate', () => {
    expect(valuesOf(storage, 'resets(hf[1m] anchored)', 5)).toEqual([])
    expect(ask(storage, 'rate(fh[1m] anchored)', 3)).toMatchObject({
      series: { labels: [] },
      warnings: [expect.stringContaining('mix of histograms and floats')],
    })
  })
})
