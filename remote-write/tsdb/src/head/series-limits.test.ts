import { describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Head } from './head.ts'
import type { HeadOptions } from './head.ts'
import type { SeriesRefusal } from './refused-series.ts'

const nowMs = 1_800_000_000_000

function createHead(options: Partial<HeadOptions>): Head {
  return new Head({ memoryBytesMax: 2 ** 26, now: () => nowMs, ...options })
}

function add(head: Head, name: string, i: number, timeMs = nowMs): number {
  const ref = head.refByLabels(Labels.from({ __name__: name, i: `value-${i}` }))
  if (ref > 0) expect(head.append(ref, timeMs, i, 0)).toBe(0)
  head.commit()
  return ref
}

function freeBefore(head: Head, cutoffMs: number): void {
  head.dropBefore(cutoffMs, 1, head.places)
  while (head.collectSeries());
}

describe('the limit of series', () => {
  it('takes the last allowed series, refuses the next with the limit and an example, and goes on with known ones', () => {
    const head = createHead({ seriesMax: 3 })
    for (let i = 0; i < 3; i++) expect(add(head, 'm', i)).toBeGreaterThan(0)
    expect(add(head, 'other', 3)).toBeLessThan(0)
    expect(head.refusal()).toBe('series limit reached: want at most 3 series (--storage.tsdb.head-series-max)')
    expect(head.refused.newest).toMatchObject([{ kind: 'series_limit', metric: 'other', series: '{__name__="other", i="value-3"}' }])
    expect(head.refused.count('series_limit')).toBe(1)
    expect(add(head, 'm', 0, nowMs + 1)).toBeGreaterThan(0)
    expect(head.seriesCount).toBe(3)
  })

  it('has no limit by default', () => {
    const head = createHead({ seriesMax: 0, seriesPerMetricMax: 0 })
    for (let i = 0; i < 1000; i++) expect(add(head, 'm', i)).toBeGreaterThan(0)
  })

  it('gives room again for series that were freed', () => {
    const head = createHead({ seriesMax: 2 })
    add(head, 'm', 0, nowMs - 1000)
    add(head, 'm', 1)
    expect(add(head, 'm', 2)).toBeLessThan(0)
    freeBefore(head, nowMs - 500)
    expect(add(head, 'm', 2)).toBeGreaterThan(0)
    expect(add(head, 'm', 3)).toBeLessThan(0)
  })

  it('takes what an old log holds, limit or not', () => {
    const head = createHead({ seriesMax: 2, seriesPerMetricMax: 1 })
    head.startReplay()
    for (let i = 0; i < 5; i++) expect(add(head, 'm', i)).toBeGreaterThan(0)
    head.startLogging({ writeCommit: () => {}, forgetSeries: () => {} })
    expect(add(head, 'm', 5)).toBeLessThan(0)
  })
})

describe('the limit of series of a metric', () => {
  it('takes the last allowed series and refuses the next; other metrics and series without a name go on', () => {
    const head = createHead({ seriesPerMetricMax: 2 })
    expect(add(head, 'm', 0)).toBeGreaterThan(0)
    expect(add(head, 'm', 1)).toBeGreaterThan(0)
    expect(add(head, 'm', 2)).toBeLessThan(0)
    expect(head.refusal()).toBe(
      'series limit of a metric reached: want at most 2 series of "m" (--storage.tsdb.head-series-per-metric-max)',
    )
    expect(head.refused.newest).toMatchObject([{ kind: 'metric_limit', metric: 'm', series: '{__name__="m", i="value-2"}' }])
    expect(add(head, 'n', 2)).toBeGreaterThan(0)
    for (let i = 0; i < 4; i++) expect(head.refByLabels(Labels.from({ nameless: `${i}` }))).toBeGreaterThan(0)
  })

  it('gives room again for series of the metric that were freed', () => {
    const head = createHead({ seriesPerMetricMax: 1 })
    add(head, 'm', 0, nowMs - 1000)
    expect(add(head, 'm', 1)).toBeLessThan(0)
    freeBefore(head, nowMs - 500)
    expect(add(head, 'm', 1)).toBeGreaterThan(0)
  })

  it('keeps no memory for a million values that were refused', () => {
    const head = createHead({ seriesPerMetricMax: 10 })
    for (let i = 0; i < 10; i++) add(head, 'm', i)
    for (let i = 10; i < 5_000; i++) add(head, 'm', i)
    const { usedBytes } = head
    const reserved = head.memory.symbols.usedWords
    for (let i = 5_000; i < 40_000; i++) add(head, 'm', i)
    expect(head.usedBytes).toBeLessThan(usedBytes + 64 * 1024)
    expect(head.memory.symbols.usedWords).toBeLessThan(reserved + 64 * 1024)
    expect(head.stats().symbols).toBeLessThan(20)
    expect(head.refused.count('metric_limit')).toBe(39_990)
  })

  it('keeps a text that another series of the same request uses', () => {
    const head = createHead({ seriesPerMetricMax: 1 })
    add(head, 'm', 0)
    const refused = head.refByLabels(Labels.from({ __name__: 'm', i: 'shared' }))
    const taken = head.refByLabels(Labels.from({ __name__: 'n', i: 'shared' }))
    head.commit()
    expect(refused).toBeLessThan(0)
    expect(head.labelsOf(taken).toString()).toBe('{__name__="n", i="shared"}')
    expect(head.refByLabels(Labels.from({ __name__: 'n', i: 'shared' }))).toBe(taken)
  })
})

describe('what is told of refusals', () => {
  it('tells the first one, and once a minute how many there were since', () => {
    let clockMs = nowMs
    const told: (readonly [SeriesRefusal, number])[] = []
    const head = createHead({ seriesMax: 1, now: () => clockMs })
    head.refused.onTell = (refusal, count) => told.push([refusal, count])
    add(head, 'm', 0)
    for (let i = 1; i <= 5; i++) add(head, 'm', i)
    expect(told.map(([{ series }, count]) => [series, count])).toEqual([['{__name__="m", i="value-1"}', 1]])
    clockMs += 59_999
    add(head, 'm', 6)
    expect(told).toHaveLength(1)
    clockMs += 1_000
    add(head, 'm', 7)
    expect(told[1]![0].series).toBe('{__name__="m", i="value-7"}')
    expect(told[1]![1]).toBe(6)
  })

  it('gives the reason from outside while the process is at its ceiling', () => {
    const head = createHead({})
    let reason: string | undefined = 'memory ceiling of the process reached'
    head.pressure = () => reason
    add(head, 'm', 0)
    expect(head.refusal()).toBe(reason)
    expect(head.refused.count('memory')).toBe(1)
    reason = undefined
    expect(add(head, 'm', 0)).toBeGreaterThan(0)
  })
})
