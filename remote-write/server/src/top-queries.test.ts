import { describe, expect, it } from 'vitest'
import type { EndedQuery } from './query-observer.ts'
import { TopQueries } from './top-queries.ts'

const measures = {
  ...{ preparationMs: 0, evaluationMs: 1, totalQueryableSamples: 0, peakSamples: 0, series: 0 },
  samplesRead: 5,
  peakBytes: 100,
}

function ended(query: string, totalMs: number, overrides: Partial<EndedQuery> = {}): EndedQuery {
  const request = { kind: 'instant', query, timeMs: 0, lookbackMs: undefined, limit: 0, stats: '' } as const
  return { request, origin: undefined, askedMs: 1_000, queuedMs: 0, totalMs, measures, failure: undefined, ...overrides }
}

describe('TopQueries', () => {
  it('adds up what an expression took and lists the greatest by the order asked for', () => {
    const top = new TopQueries()
    top.note(ended('a', 100))
    top.note(ended('a', 300, { failure: { kind: 'timeout', message: '' }, measures: undefined }))
    top.note(ended('b', 350))
    expect(top.list('duration', 10).map(({ query }) => query)).toEqual(['a', 'b'])
    expect(top.list('average', 10).map(({ query }) => query)).toEqual(['b', 'a'])
    expect(top.list('count', 1)).toEqual([
      {
        ...{ query: 'a', rangeSeconds: 0, count: 2, failures: 1, totalSeconds: 0.4, averageSeconds: 0.2, maxSeconds: 0.3 },
        ...{ samplesRead: 5, peakBytes: 100, lastTime: '1970-01-01T00:00:01.000Z' },
      },
    ])
  })

  it('tells one length of a range from another and leaves out what is no query', () => {
    const top = new TopQueries()
    const range = {
      kind: 'range',
      query: 'a',
      startMs: 0,
      endMs: 60_000,
      stepMs: 1_000,
      lookbackMs: undefined,
      limit: 0,
      stats: '',
    } as const
    top.note(ended('a', 1))
    top.note(ended('', 2, { request: range }))
    top.note(ended('', 3, { request: { kind: 'headStatistics', limit: 1 } }))
    expect(top.list('duration', 10).map(({ rangeSeconds }) => rangeSeconds)).toEqual([60, 0])
  })

  it('remembers 2,000 expressions, and forgets those that ended longest ago', () => {
    const top = new TopQueries()
    for (let i = 0; i < 2_000; i++) top.note(ended(`q${i}`, 1))
    top.note(ended('q0', 1))
    top.note(ended('new', 1))
    const known = new Set(top.list('count', 5_000).map(({ query }) => query))
    expect([known.size, known.has('q0'), known.has('q1'), known.has('q2')]).toEqual([2_000, true, false, true])
  })
})
