import { describe, expect, it } from 'vitest'
import type { EngineOptions } from '../engine.ts'
import { evaluateRange } from '../engine.ts'
import type { QueryResult } from '../query-result.ts'
import type { Queryable } from '../storage.ts'
import { listSeries } from '../testing/listed-series.ts'
import { keptBytesMax } from './shared-parts.ts'

const minute = 60_000
const few = listSeries(minute, { 'a{x="1"}': [1, 2, 3], 'a{x="2"}': [10, undefined, 30] })

/** Counts how often each selection is made. */
function counting(storage: Queryable): { readonly queryable: Queryable; readonly counts: { selections: number } } {
  const counts = { selections: 0 }
  const select: Queryable['select'] = (...args) => {
    counts.selections++
    return storage.select(...args)
  }
  return { queryable: { ...storage, select }, counts }
}

function run(query: string, options: EngineOptions = {}, storage = few, steps = 3): QueryResult & { selections: number } {
  const { queryable, counts } = counting(storage)
  return { ...evaluateRange(options, queryable, query, 0, (steps - 1) * minute, minute), ...counts }
}

describe('a part that a query has several times', () => {
  it('is read once, however many they are', () => {
    expect(run('a + a + a').selections).toBe(1)
    expect([...run('a + a + a').series.values]).toEqual([3, 6, 9, 30, 30, 90])
  })

  it('is looked at as often as it stands there, as Prometheus counts', () => {
    expect(run('a + a').statistics).toMatchObject({ totalQueryableSamples: 12, samplesRead: 5 })
  })

  it('is remarked on once, at the last of its places', () => {
    const { infos } = run('rate(a[2m]) and rate(a[2m])')
    expect(infos.map((text) => /\(.*\)$/.exec(text)![0])).toEqual(['(1:22)'])
  })

  it('may be changed by one without the others noticing', () => {
    expect([...run('(a * 10) + on (x) a + on (x) -a').series.values]).toEqual([10, 20, 30, 100, 100, 300])
  })

  it('is given back when the query is done with it', () => {
    const { statistics } = run('max(a + a)')
    expect(statistics.peakBytes).toBeLessThan(20_000)
  })
})

describe('memory', () => {
  const steps = 10_000
  const bytesOfSeries = steps * 9
  const count = Math.ceil(keptBytesMax / bytesOfSeries) + 1
  const many = (series: number) => listSeries(minute, Object.fromEntries(Array.from({ length: series }, (_, i) => [`a{x="${i}"}`, [i]])))
  const query = 'sum(abs(a)) + count(abs(a))'

  it('is bounded: what is larger is read again', () => {
    const below = run(query, {}, many(count - 10), steps)
    const above = run(query, {}, many(count), steps)
    expect([below.selections, above.selections]).toEqual([1, 2])
    expect(above.statistics.peakBytes).toBeLessThan(keptBytesMax + 10 * bytesOfSeries)
    expect(above.series.values.length).toBe(below.series.values.length)
  })

  it('that a query may not hold is not needed: the part is read again', () => {
    const bytesMax = 12 * bytesOfSeries
    const scarce = run(query, { bytesMax }, many(40), steps)
    expect(scarce.selections).toBe(2)
    expect(scarce.statistics.peakBytes).toBeLessThanOrEqual(bytesMax)
    expect([...scarce.series.values]).toEqual([...run(query, {}, many(40), steps).series.values])
  })

  it('that others need later is given up for them', () => {
    const storage = many(40)
    const held = 'sum(abs(a)) * on () sum(topk(100, a offset 1m)) * on () count(abs(a))'
    const shared = run(held, {}, storage, steps)
    // Half of what is kept has no room any more.
    const scarce = run(held, { bytesMax: shared.statistics.peakBytes - 20 * bytesOfSeries }, storage, steps)
    expect([shared.selections, scarce.selections]).toEqual([2, 3])
    expect([...scarce.series.values]).toEqual([...shared.series.values])
  })
})
