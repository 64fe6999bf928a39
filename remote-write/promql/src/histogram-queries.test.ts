import type { HistogramColumns } from '@narthex/model/histogram-columns'
import { Labels } from '@narthex/model/labels'
import type { ResetHint } from '@narthex/model/reset-hint'
import { counterReset, noReset, unknownReset } from '@narthex/model/reset-hint'
import { describe, expect, it } from 'vitest'
import type { EngineOptions } from './engine.ts'
import { evaluateInstant, evaluateRange } from './engine.ts'
import { formatHistogram } from './histogram/format-histogram.ts'
import { nativeOfHistogram } from './histogram/native-of-histogram.ts'
import type { Queryable } from './storage.ts'
import { buckets, histogram } from './testing/histograms.ts'

const minute = 60_000

/** One series `h` with a histogram each minute from 0 on: its count, in bucket 1, and the hint. undefined: a stale marker. */
function listCounts(...samples: readonly (readonly [count: number, hint: ResetHint] | undefined)[]): Queryable {
  return {
    labelNames: () => ['__name__'],
    labelValues: () => ['h'],
    select(_matchers, minTimeMs, maxTimeMs) {
      let at = -1
      return {
        next: () => ++at < 1,
        labels: () => Labels.from({ __name__: 'h' }),
        samples: () => {},
        histograms: (into: HistogramColumns) => {
          samples.forEach((sample, i) => {
            if (i * minute < minTimeMs || i * minute > maxTimeMs) return
            if (sample === undefined) into.pushStale(i * minute, 0, true)
            else {
              const [count, hint] = sample
              const one = histogram({ count, sum: count, positive: buckets(1, count) })
              into.pushHistogram(i * minute, 0, nativeOfHistogram(one), hint)
            }
          })
        },
      }
    },
  }
}

function ask(storage: Queryable, query: string, timeMs: number, options: EngineOptions = {}): (string | number)[] {
  const { series } = evaluateInstant(options, storage, query, timeMs)
  return Array.from(series.values, (value, i) => {
    const one = series.histograms?.[i]
    return one === undefined ? value : formatHistogram(one)
  })
}

describe('a series of histograms', () => {
  const storage = listCounts([1, unknownReset], [3, noReset], undefined, [2, unknownReset])

  it('is there until its stale marker or the lookback', () => {
    expect(ask(storage, 'h', minute + 1)).toEqual(['{count:3, sum:3, (1,2]:3}'])
    expect(ask(storage, 'h', 2 * minute)).toEqual([])
    expect(ask(storage, 'h', 3 * minute)).toEqual(['{count:2, sum:2, (1,2]:2}'])
    expect(ask(storage, 'h', 9 * minute)).toEqual([])
    expect(ask(storage, 'count_over_time(h[10m])', 3 * minute)).toEqual([3])
    expect(ask(storage, 'timestamp(h)', minute + 5)).toEqual([60])
  })

  it('has a range of samples at their own times', () => {
    const { series } = evaluateInstant({}, storage, 'h[10m]', 5 * minute)
    expect([...series.times]).toEqual([0, minute, 3 * minute])
    expect(series.histograms!.map((one) => one!.count)).toEqual([1, 3, 2])
  })

  it('counts against the budget as its size says', () => {
    expect(evaluateInstant({}, storage, 'h', 0).statistics.totalQueryableSamples).toBe(12)
    const tooMany = () => evaluateRange({ samplesMax: 20 }, storage, 'h', 0, minute, minute)
    expect(tooMany).toThrow('query processing would load too many samples into memory in query execution')
    expect(evaluateRange({ samplesMax: 24 }, storage, 'h', 0, minute, minute).series.labels).toHaveLength(1)
  })
})

describe('resets', () => {
  it('are what the storage noted, but for those that begin a chunk: there the numbers count', () => {
    expect(ask(listCounts([5, unknownReset], [6, counterReset], [7, noReset]), 'histogram_count(increase(h[3m]))', 2 * minute)).toEqual([3])
    expect(ask(listCounts([5, unknownReset], [4, counterReset], [6, noReset]), 'resets(h[3m])', 2 * minute)).toEqual([1])
    expect(ask(listCounts([5, unknownReset], [6, counterReset], [4, noReset]), 'resets(h[3m])', 2 * minute)).toEqual([0])
  })

  it('in a subquery are what the numbers say: a step may show the same sample again', () => {
    const storage = listCounts([5, unknownReset], [6, counterReset], [7, noReset])
    expect(ask(storage, 'resets(h[3m:10s])', 2 * minute)).toEqual([0])
    expect(ask(listCounts([5, unknownReset], [6, noReset], [3, noReset]), 'resets(h[3m:1m])', 2 * minute)).toEqual([1])
  })
})

describe('what does not go together', () => {
  const storage = listCounts([5, unknownReset], [6, noReset])

  it.each([
    ['h + 1', 'PromQL info: incompatible sample types encountered for binary operator "+": histogram + float (1:1)'],
    ['1 - h', 'PromQL info: incompatible sample types encountered for binary operator "-": float - histogram (1:1)'],
    ['h * h', 'PromQL info: incompatible sample types encountered for binary operator "*": histogram * histogram (1:1)'],
    ['h > bool 1', 'PromQL info: incompatible sample types encountered for binary operator ">": histogram > float (1:1)'],
    ['vector(1) </ 2', 'PromQL info: incompatible sample types encountered for binary operator "</": float </ float (1:1)'],
    ['max(h)', 'PromQL info: ignored histogram in max aggregation (1:5)'],
    ['topk(1, h)', 'PromQL info: ignored histogram in topk aggregation (1:1)'],
    ['quantile(0.5, h)', 'PromQL info: ignored histogram in quantile aggregation (1:15)'],
  ])('is left out of %s, with a remark', (query, remark) => {
    const { series, infos } = evaluateInstant({}, storage, query, minute)
    expect([series.labels.length, infos]).toEqual([0, [remark]])
  })

  it.each(['abs(h)', 'max_over_time(h[5m])', 'deriv(h[5m])', 'sort(h)', 'hour(h)', 'clamp(h, 0, 1)'])(
    'is left out of %s silently',
    (query) => {
      const { series, infos, warnings } = evaluateInstant({}, storage, query, minute)
      expect([series.labels.length, infos, warnings]).toEqual([0, [], []])
    },
  )

  it('is not a scalar', () => {
    expect(ask(storage, 'scalar(h)', minute)).toEqual([NaN])
  })
})

describe('start timestamps', () => {
  const storage: Queryable = {
    labelNames: () => [],
    labelValues: () => [],
    select() {
      let at = -1
      return {
        next: () => ++at < 1,
        labels: () => Labels.from({ __name__: 'c_total' }),
        samples: (into) => [10, 20, 30].forEach((value, i) => into.pushNumber((i + 1) * minute, value)),
        startTimes: (times, into) => times.forEach((time, i) => (into[i] = time - minute / 2)),
      }
    },
  }

  it('count only if they are asked for', () => {
    const parse = { experimentalFunctions: true }
    expect(ask(storage, 'resets(c_total[5m])', 3 * minute)).toEqual([0])
    expect(ask(storage, 'resets(c_total[5m])', 3 * minute, { useStartTimestamps: true })).toEqual([2])
    expect(ask(storage, 'increase(c_total[3m])', 3 * minute, { useStartTimestamps: true })).toEqual([60])
    expect(ask(storage, 'start_timestamp(c_total)', 3 * minute, { useStartTimestamps: true, parse })).toEqual([150])
    // A smoothed one is looked at as it is.
    expect(ask(storage, 'start_timestamp(c_total smoothed)', 3 * minute, { useStartTimestamps: true, parse })).toEqual([150])
    expect(ask(storage, 'start_timestamp(-c_total)', 3 * minute, { useStartTimestamps: true, parse })).toEqual([])
    expect(ask(storage, 'start_timestamp(c_total)', 3 * minute, { parse })).toEqual([])
  })
})

describe('the place in a remark', () => {
  const storage = listCounts([1, unknownReset])

  it.each([
    ['min(h)', 'infos', '(1:5)'],
    ['min(((h)))', 'infos', '(1:7)'],
    ['quantile((2), ((h)))', 'infos', '(1:17)'],
    ['topk(1, (h))', 'infos', '(1:1)'],
    ['histogram_quantile((2), h)', 'warnings', '(1:21)'],
    ['histogram_quantile(0.5, (vector(1)))', 'warnings', '(1:26)'],
    ['(h) + (1)', 'infos', '(1:1)'],
    ['-((h) > 1)', 'infos', '(1:3)'],
  ] as const)('is that of the operand without parentheses around it, and with those inside: %s', (query, kind, place) => {
    const result = evaluateInstant({}, storage, query, 1)
    expect(result[kind].join()).toContain(place)
  })
})
