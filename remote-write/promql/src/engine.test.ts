import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EngineOptions } from './engine.ts'
import { evaluateInstant, evaluateRange } from './engine.ts'
import { QueryError } from './query-error.ts'
import { ResultBuffers, type QueryResult } from './query-result.ts'
import type { Queryable } from './storage.ts'
import type { ListedValue } from './testing/listed-series.ts'
import { listSeries } from './testing/listed-series.ts'

const minute = 60_000

/** `{labels}: value value …`, one line a series. */
function show({ series }: QueryResult): string[] {
  return series.labels.map(
    (labels, i) => `${labels.toString()}: ${series.values.subarray(series.offsets[i]!, series.offsets[i + 1]!).join(' ')}`,
  )
}

function errorOf(run: () => unknown): QueryError {
  try {
    run()
  } catch (error) {
    if (error instanceof QueryError) return error
    throw error
  }
  throw new Error('no error')
}

function instant(storage: Queryable, query: string, timeMs: number, options: EngineOptions = {}): string[] {
  return show(evaluateInstant(options, storage, query, timeMs))
}

function range(storage: Queryable, query: string, startMs: number, endMs: number, stepMs: number, options: EngineOptions = {}): string[] {
  return show(evaluateRange(options, storage, query, startMs, endMs, stepMs))
}

describe('a selector behind a plus', () => {
  const storage = listSeries(minute, { 'up{job="a"}': [1, 2] })

  it.each([
    ['timestamp((up))', ['{job="a"}: 60']],
    ['timestamp(+up)', ['{job="a"}: 90']],
    ['timestamp((+(up)))', ['{job="a"}: 90']],
    ['absent((down{job="a"}))', ['{job="a"}: 1']],
    ['absent(+down{job="a"})', ['{}: 1']],
    ['+up', ['{__name__="up", job="a"}: 2']],
  ])('is a vector like any other: %s', (query, wanted) => {
    expect(instant(storage, query, 1.5 * minute)).toEqual(wanted)
  })
})

describe('the order of selected series', () => {
  it.each([
    ['sum(up)', true],
    ['count(rate(up[2m]))', true],
    ['max(abs(-up))', true],
    ['sum(sum by (job) (up))', true],
    ['avg without (job) (up)', false],
    ['sum by (job) (up)', false],
    ['topk(1, up)', false],
    ['quantile(0.5, up)', true],
    ['sum(up + 1)', true],
    ['up + 1', false],
    ['up', false],
    ['rate(up[2m])', false],
  ])('matters, or not: %s', (query, anyOrder) => {
    const storage = listSeries(minute, { 'up{job="a"}': [1, 2, 3], 'up{job="b"}': [10, undefined, 30] })
    const asked: (boolean | undefined)[] = []
    const spy: Queryable = {
      select(matchers, minTimeMs, maxTimeMs, hints) {
        asked.push(hints?.anyOrder)
        return storage.select(matchers, minTimeMs, maxTimeMs, hints)
      },
      labelNames: (...args) => storage.labelNames(...args),
      labelValues: (...args) => storage.labelValues(...args),
    }
    instant(spy, query, 2 * minute)
    expect(asked).toEqual([anyOrder])
  })
})

describe('results', () => {
  const storage = listSeries(minute, { 'up{job="a"}': [1, 2, 3], 'up{job="b"}': [10, undefined, 30], 'down{job="a"}': [5, 5, 5] })

  it('are vectors, scalars, strings and matrices', () => {
    expect(evaluateInstant({}, storage, 'up', 0).type).toBe('vector')
    expect(evaluateInstant({}, storage, '1 + 1', 0)).toMatchObject({ type: 'scalar', series: { values: Float64Array.of(2) } })
    expect(evaluateInstant({}, storage, '"text"', 0)).toMatchObject({ type: 'string', text: 'text' })
    expect(evaluateInstant({}, storage, 'up[2m]', minute).type).toBe('matrix')
    expect(evaluateRange({}, storage, 'up', 0, minute, minute).type).toBe('matrix')
  })

  it('of range queries are sorted by labels and hold no series without values', () => {
    expect(range(storage, '{job=~"a|b"} > 4', 0, 2 * minute, minute)).toEqual([
      '{__name__="down", job="a"}: 5 5 5',
      '{__name__="up", job="b"}: 10 10 30',
    ])
  })

  it('count what was read', () => {
    const { statistics } = evaluateRange({}, storage, 'sum_over_time(up[2m])', minute, 2 * minute, minute)
    expect(statistics).toMatchObject({ totalQueryableSamples: 6, samplesRead: 5, series: 2, samplesPerStep: undefined })
    const perStep = (query: string) => [
      ...evaluateRange({ countsPerStep: true }, storage, query, 0, 2 * minute, minute).statistics.samplesPerStep!,
    ]
    const looked = perStep('sum_over_time(up[2m])')
    expect(looked).toHaveLength(3)
    expect(looked.slice(1).reduce((sum, count) => sum + count)).toBe(6)
    const [first] = perStep('up @ 0')
    expect(perStep('up @ 0')).toEqual([first, first, first])
    // Of a subquery its own steps count: where a sample is missing, the one before it is there.
    expect(perStep('max_over_time(up[2m:1m])')).toEqual([2, 4, 4])
  })
})

describe('staleness', () => {
  const storage = listSeries(minute, { m: [1, 'stale', undefined, NaN] })

  it('is decided by the bits of the marker: another NaN is a value', () => {
    expect(range(storage, 'm', 0, 3 * minute, minute)).toEqual(['{__name__="m"}: 1 NaN'])
    expect(instant(storage, 'count_over_time(m[10m])', 3 * minute)).toEqual(['{}: 2'])
  })

  it('sets in when the lookback has passed, the left edge not counting', () => {
    const once = listSeries(minute, { m: [1] })
    expect(instant(once, 'm', 5 * minute - 1)).toHaveLength(1)
    expect(instant(once, 'm', 5 * minute)).toHaveLength(0)
    expect(instant(once, 'm', 5 * minute, { lookbackMs: 5 * minute + 1 })).toHaveLength(1)
  })
})

describe('names', () => {
  const storage = listSeries(minute, { 'a_total{x="1"}': [1, 2], 'b_total{x="1"}': [undefined, undefined, undefined, 3, 4] })

  it('that are dropped leave no two series with the same labels at a step', () => {
    const { kind, message } = errorOf(() => instant(storage, 'abs({x="1"})', 4 * minute))
    expect([kind, message]).toEqual(['execution', 'vector cannot contain metrics with the same labelset'])
  })

  it('that are dropped let series join that do not overlap', () => {
    expect(range(storage, '-{x="1"}', minute, 3 * minute, 2 * minute, { lookbackMs: minute })).toEqual(['{x="1"}: -2 -3'])
  })

  it('are still there for label_replace with delayed removal', () => {
    const query = 'label_replace(-a_total, "was", "$1", "__name__", "(.*)")'
    expect(instant(storage, query, minute)).toEqual(['{was="", x="1"}: -2'.replace('was="", ', '')])
    expect(instant(storage, query, minute, { delayedNameRemoval: true })).toEqual(['{was="a_total", x="1"}: -2'])
  })

  it('take metadata labels along', () => {
    const typed = listSeries(minute, { 'm{__type__="gauge",__unit__="s",x="1"}': [1] })
    expect(instant(typed, '-m', 0, { typeAndUnitLabels: true })).toEqual(['{x="1"}: -1'])
    expect(instant(typed, '-m', 0)).toEqual(['{x="1"}: -1'])
  })
})

describe('limits', () => {
  const storage = listSeries(1000, { m: Array.from({ length: 5000 }, (_, i) => i), 'n{x="1"}': [1, 2, 3] })
  const tooMany = 'query processing would load too many samples into memory in query execution'

  it('end a query that holds too many samples', () => {
    expect(errorOf(() => instant(storage, 'm[2h]', 5_000_000, { samplesMax: 4999 })).message).toBe(tooMany)
    expect(instant(storage, 'm[2h]', 5_000_000, { samplesMax: 5000 })).toHaveLength(1)
    expect(errorOf(() => range(storage, 'm + m', 0, 4_000_000, 1000, { samplesMax: 8000 })).message).toBe(tooMany)
  })

  it('end a query that holds too many bytes', () => {
    expect(errorOf(() => range(storage, 'm + m', 0, 4_000_000, 1000, { bytesMax: 60_000 })).message).toBe(
      `${tooMany}: one query may hold 60000 bytes`,
    )
  })

  it('end a query that the budget of all queries has no room for, with its reason', () => {
    const cover = (bytes: number) => (bytes <= 60_000 ? undefined : 'others hold the rest')
    expect(errorOf(() => range(storage, 'm + m', 0, 4_000_000, 1000, { cover })).message).toBe(`${tooMany}: others hold the rest`)
    expect(range(storage, 'm', 0, 1_000_000, 1000, { cover })).toHaveLength(1)
  })

  it('do not count samples that were given back', () => {
    expect(range(storage, 'max(max_over_time({__name__=~"m|n"}[2h]))', 0, 4_000_000, 1_000_000, { samplesMax: 5100 })).toHaveLength(1)
  })

  it('end a query that takes too long', () => {
    let clock = 0
    const error = errorOf(() => instant(storage, 'm', 0, { timeoutMs: 100, now: () => (clock += 200) }))
    expect([error.kind, error.message]).toEqual(['timeout', 'query timed out in expression evaluation'])
  })

  it('end a cancelled query in the middle', () => {
    const flag = new Int32Array(new SharedArrayBuffer(4))
    let series = 0
    const endless: Queryable = {
      ...storage,
      select: (matchers, from, to) => {
        const set = storage.select(matchers, from, to)
        set.next()
        const next = () => {
          if (++series === 100) Atomics.store(flag, 0, 1)
          return true
        }
        return { next, labels: () => set.labels(), samples: (into) => set.samples(into) }
      },
    }
    const signal = {
      get aborted() {
        return Atomics.load(flag, 0) !== 0
      },
    }
    const error = errorOf(() => instant(endless, 'sum(m)', 1000, { signal }))
    expect([error.kind, error.message]).toEqual(['canceled', 'query was canceled in expression evaluation'])
    expect(series).toBe(100)
  })
})

describe('errors', () => {
  const storage = listSeries(minute, { 'a{x="1",y="1"}': [1], 'a{x="1",y="2"}': [2], 'b{x="1"}': [3] })

  it.each([
    ['a +', 'bad_data', '1:4: parse error: unexpected end of input'],
    [
      'b + on(x) a',
      'execution',
      'found duplicate series for the match group {x="1"} on the right hand-side of the operation: [{__name__="a", x="1", y="1"}, {__name__="a", x="1", y="2"}];many-to-many matching not allowed: matching labels must be unique on one side',
    ],
    ['a + on(x) b', 'execution', 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)'],
    ['a + on(x) group_left(y) b', 'execution', 'multiple matches for labels: grouping labels must ensure unique matches'],
    ['label_replace(a, "z", "", "x", "(")', 'execution', 'invalid regular expression in label_replace(): ('],
    ['label_replace(a, "", "", "x", "")', 'execution', 'invalid destination label name in label_replace(): '],
    ['label_replace(a, "y", "", "", "")', 'execution', 'vector cannot contain metrics with the same labelset'],
    ['count_values("\\xff", a)', 'execution', 'invalid label name "\\xff"'],
    ['topk(NaN, a)', 'execution', 'Parameter value is NaN'],
    ['sum_over_time(a[step()])', 'bad_data', '16:22: duration must be greater than 0'],
    ['a[1m / (1 - 1)]', 'bad_data', '2:13: division by zero'],
    ['a[max_of(step() - 1, -1m) ^ 0.5]', 'bad_data', '2:31: duration is NaN or infinite'],
    ['a[-min_of(1m, 10m)]', 'bad_data', '2:18: duration must be greater than 0'],
    ['{x="é"}[(1d)^9]', 'bad_data', '9:15: duration is out of range'],
    ['a[365d * 365d]', 'bad_data', '2:13: duration is out of range'],
  ])('of %j are Prometheus’ texts', (query, kind, message) => {
    const error = errorOf(() => instant(storage, query, 0))
    expect([error.kind, error.message]).toEqual([kind, message])
  })

  it('tell that a range query cannot give a range vector or a string', () => {
    const text = (got: string) => `invalid expression type "${got}" for range query, must be Scalar or instant Vector`
    expect(errorOf(() => range(storage, 'a[5m]', 0, minute, minute)).message).toBe(text('range vector'))
    expect(errorOf(() => range(storage, '"a"', 0, minute, minute)).message).toBe(text('string'))
  })
})

describe('annotations', () => {
  it('name the place and come once', () => {
    const storage = listSeries(minute, { 'm{x="1"}': [1, 2], 'm{x="2"}': [1, 2] })
    const { infos, warnings } = evaluateInstant({}, storage, 'sum(\n  rate(m[5m])) + quantile(2, m)', minute)
    expect(infos).toEqual(['PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "m" (2:8)'])
    expect(warnings).toEqual(['PromQL warning: quantile value should be between 0 and 1, got 2 (2:27)'])
  })

  it('are cut to ten of a kind', () => {
    const names = Array.from({ length: 13 }, (_, i) => [`m${i}{i="${i}"}`, [1, 2]] as const)
    const { infos } = evaluateInstant({}, listSeries(minute, Object.fromEntries(names)), 'rate({__name__=~"m.*"}[5m])', minute)
    expect(infos).toHaveLength(11)
    expect(infos[10]).toBe('3 more info annotations omitted')
  })
})

describe('range queries', () => {
  const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom<ListedValue>(undefined, 'stale', NaN))
  const list = fc.array(value, { maxLength: 30 })
  const queries = [
    'm',
    'm offset 90s',
    'm @ 400',
    'rate(m[3m])',
    'increase(m[130s] offset 1m)',
    'irate(m[3m])',
    'deriv(m[5m])',
    'resets(m[7m])',
    'changes(m[7m])',
    'avg_over_time(m[4m])',
    'quantile_over_time(0.3, m[6m])',
    'max_over_time(m[3m:40s])',
    'sum(m) by (x)',
    'topk(1, m)',
    'count_values("v", m)',
    'm + on(x) group_left() n',
    'm > bool 0',
    'm and n',
    'm or n',
    'm unless on(x) n',
    'absent(m)',
    'absent_over_time(m[1m])',
    'stddev(m)',
    'avg(m)',
    'quantile(0.7, m)',
    'scalar(n) + time()',
    'predict_linear(m[5m], 60)',
    'sum_over_time(rate(m[2m])[5m:1m])',
    'last_over_time(m[2m])',
  ]

  it.each(queries)('answer %s as instant queries do step by step', (query) => {
    fc.assert(
      fc.property(list, list, list, fc.integer({ min: 1, max: 4 }), (first, second, third, stepFactor) => {
        const storage = listSeries(30_000, { 'm{x="1",y="1"}': first, 'm{x="1",y="2"}': second, 'n{x="1"}': third })
        const stepMs = stepFactor * 25_000
        const expected = new Map<string, string[]>()
        for (let t = 0; t <= 900_000; t += stepMs) {
          const { series } = evaluateInstant({}, storage, query, t)
          series.labels.forEach((labels, i) => {
            const key = labels.toString()
            expected.set(key, [...(expected.get(key) ?? []), `${series.values[i]}@${t}`])
          })
        }
        const { series } = evaluateRange({}, storage, query, 0, 900_000, stepMs)
        const got = new Map(
          series.labels.map((labels, i) => {
            const points: string[] = []
            for (let j = series.offsets[i]!; j < series.offsets[i + 1]!; j++) points.push(`${series.values[j]}@${series.times[j]}`)
            return [labels.toString(), points]
          }),
        )
        expect(got).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })
})

describe('buffers for results', () => {
  const storage = listSeries(minute, { a: [1, 2, 3], b: [4, 5, 6] })

  it('serve one query after the other, also after an error, with the same results as without', () => {
    const resultBuffers = new ResultBuffers()
    const ask = (query: string, options: EngineOptions = {}) => {
      const { series } = evaluateRange(options, storage, query, 0, 2 * minute, minute)
      return series.labels.map((labels, i) => [labels.metricString(), ...series.values.slice(series.offsets[i], series.offsets[i + 1])])
    }
    for (const query of ['{__name__=~"a|b"}', 'a', 'sum({__name__=~"a|b"})', 'b', '-b']) {
      expect(ask(query, { resultBuffers })).toEqual(ask(query))
      expect(() => ask('{__name__=~"a|b"}', { resultBuffers, samplesMax: 1 })).toThrow('too many samples')
    }
  })
})
