import { expect, it } from 'vitest'
import type { QueryRequest } from './query-protocol.ts'
import { createQueryBook } from './query-book.ts'

const origin = { kind: 'http', clientAddress: '10.0.0.7', method: 'POST', path: '/api/v1/read' } as const

function makePool(id: number, request: QueryRequest) {
  const cancelled: number[] = []
  return {
    cancelled,
    active: () => [{ id, request, origin, askedMs: 0, startedMs: 0, heldBytes: 5 }],
    cancel: (wanted: number) => wanted === id && cancelled.push(wanted) > 0,
  }
}

const journal = { top: { list: () => [] } } as unknown as Parameters<typeof createQueryBook>[1]
const matcher = (type: '=' | '=~', name: string, value: string) => ({ type, name, value })

it('queries, exports and remote reads are listed together, and each can be cancelled', () => {
  const query = {
    matchers: [matcher('=', '__name__', 'up'), matcher('=~', 'a.b', 'c"d')],
    startMs: 1_500,
    endMs: 2_000,
    wantsSamples: true,
  }
  const pools = [
    makePool(1, { kind: 'range', query: 'up', startMs: 0, endMs: 60_000, stepMs: 15_000, lookbackMs: undefined, limit: 0, stats: '' }),
    makePool(2, { kind: 'export', matchers: ['{a="b"}'], startMs: 0, endMs: 9_000, format: { kind: 'json', rowsMax: 1 } }),
    makePool(3, {
      kind: 'remoteRead',
      queries: new Array(12).fill(query),
      streams: true,
      externalLabels: [],
      samplesMax: 0,
      frameBytesMax: 1,
    }),
  ]
  const book = createQueryBook(pools, journal)
  const [range, exported, read] = book.active()
  expect(range).toMatchObject({ id: 1, kind: 'range', state: 'running', query: 'up', start: 0, end: 60, step: 15 })
  expect(exported).toMatchObject({ id: 2, kind: 'export', matchers: ['{a="b"}'], start: 0, end: 9, client: '10.0.0.7' })
  expect(read).toMatchObject({ id: 3, kind: 'remoteRead', queryCount: 12, heldBytes: 5 })
  expect(read!['queries']).toEqual(new Array(10).fill({ matchers: ['{__name__="up","a.b"=~"c\\"d"}'], start: 1.5, end: 2 }))
  expect([book.cancel(3), book.cancel(7)]).toEqual([true, false])
  expect(pools.map(({ cancelled }) => cancelled)).toEqual([[], [], [3]])
})
