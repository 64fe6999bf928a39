import { expect, it } from 'vitest'
import { evaluateInstant, evaluateRange, type EngineOptions } from '../engine.ts'
import { loadSeries } from '../testing/load-series.ts'
import { MemoryStorage } from '../testing/memory-storage.ts'
import { parseSeriesDescription } from '../testing/series-notation.ts'

// What Prometheus 3.16 was seen to answer.

const options: EngineOptions = { parse: { experimentalFunctions: true } }
const seconds = 1000

/** Series of one value every ten seconds. */
const load = (...lines: readonly string[]): MemoryStorage => loadSeries(10 * seconds, lines)

const storage = load(
  'm 1 2 4 NaN 4 1',
  'big 0 1 1e100 1 -1e100 1 0',
  'large 1e308 1e308',
  'endless 1 Inf 1 -Inf 1',
  'mixed 1 {{count:1 sum:1}} 2',
  'h {{count:1 sum:1}}x5',
)
const ask = (query: string, at = 50) => evaluateInstant(options, storage, query, at * seconds)
const valueOf = (query: string, at?: number) => ask(query, at).series.values[0]

it.each([
  ['integral(m[1m])', 15 + 30 + 20 + 20 + 25],
  ['integral(m[1m], 2)', 110],
  ['integral(m[1m], 0)', 10 + 20 + 40 + 0 + 40],
  ['integral(m[1m], 1)', 20 + 40 + 0 + 40 + 10],
  ['integral(m[5s])', 0],
  ['integral(big[2m])', 30],
  ['integral(endless[2m])', NaN],
])('%s is the area below the samples', (query, area) => {
  expect(valueOf(query, query.includes('big') ? 60 : 50)).toBe(area)
})

it('does not overflow where only a sum would', () => {
  expect(valueOf('integral(large[11s])', 10)).toBe(Infinity)
  const close = new MemoryStorage()
  const { labels } = parseSeriesDescription('l 1')
  for (const i of [0, 1]) close.series(labels).appendNumber(i * seconds, 1e308)
  expect(evaluateInstant(options, close, 'integral(l[2s])', seconds).series.values[0]).toBe(1e308)
})

it('warns of what is no strategy, at the steps where there is a value', () => {
  const { warnings, series } = ask('integral(m[1m], 1.5)')
  expect([warnings, series.values[0]]).toEqual([['PromQL warning: strategy should be 0, 1, or 2 (default), using 2, got 1.5 (1:17)'], 110])
  expect(ask('integral(none[1m], 7)').warnings).toEqual([])
  const steps = evaluateRange(options, storage, 'integral(m[1m], time() / 10)', 0, 300 * seconds, 50 * seconds)
  expect(steps.warnings).toEqual([
    'PromQL warning: strategy should be 0, 1, or 2 (default), using 2, got 5 (1:17)',
    'PromQL warning: strategy should be 0, 1, or 2 (default), using 2, got 10 (1:17)',
  ])
})

it('leaves histograms out', () => {
  expect(ask('integral(h[1m])').series.labels).toEqual([])
  const { infos, series } = ask('integral(mixed[1m])')
  expect([series.values[0], infos]).toEqual([30, [expect.stringContaining('ignored histograms in a range containing both')]])
})

it('is an experiment', () => {
  expect(() => evaluateInstant({}, storage, 'integral(m[1m])', 0)).toThrow('function "integral" is not enabled')
})
