import type { QueryBook, RemoteReadQuery } from '@narthex/api/backend'
import { isValidLegacyLabelName } from '@narthex/model/name'
import { quoteText } from '@narthex/model/quote'
import { gridOf, type ActiveQuery } from './query-observer.ts'
import type { QueryJournal } from './query-journal.ts'
import type { QueryPool } from './query-pool.ts'
import type { QueryRequest } from './query-protocol.ts'

/** Queries of one remote read that are told. */
const toldQueriesMax = 10

/** What the API tells of queries. */
export function createQueryBook(pools: readonly Pick<QueryPool, 'active' | 'cancel'>[], journal: Pick<QueryJournal, 'top'>): QueryBook {
  return {
    active: () => pools.flatMap((pool) => pool.active()).map((query) => viewActive(query, Date.now())),
    cancel: (id) => pools.some((pool) => pool.cancel(id)),
    top: (order, limit) => journal.top.list(order, limit),
  }
}

function viewActive({ id, request, origin, askedMs, startedMs, heldBytes }: ActiveQuery, nowMs: number): Record<string, unknown> {
  return {
    id,
    kind: request.kind,
    state: startedMs === undefined ? 'waiting' : 'running',
    ...describeRequest(request),
    askedAt: new Date(askedMs).toISOString(),
    durationSeconds: (nowMs - askedMs) / 1000,
    queuedSeconds: ((startedMs ?? nowMs) - askedMs) / 1000,
    heldBytes,
    ...(origin?.kind === 'http' ? { client: origin.clientAddress, method: origin.method, path: origin.path } : {}),
    ...(origin?.kind === 'rules' && origin.group !== undefined ? { ruleGroup: origin.group } : {}),
  }
}

function describeRequest(request: QueryRequest): Record<string, unknown> {
  const grid = gridOf(request)
  if (grid !== undefined) return { query: grid.query, ...describeTimes(grid), step: grid.stepMs / 1000 }
  if (request.kind === 'export') return { matchers: request.matchers, ...describeTimes(request) }
  if (request.kind === 'remoteRead') {
    const queries = request.queries
      .slice(0, toldQueriesMax)
      .map((query) => ({ matchers: [describeSelector(query)], ...describeTimes(query) }))
    return { queryCount: request.queries.length, queries }
  }
  return 'matchers' in request ? { matchers: request.matchers } : {}
}

function describeTimes({ startMs, endMs }: { readonly startMs: number; readonly endMs: number }) {
  return { start: startMs / 1000, end: endMs / 1000 }
}

function describeSelector({ matchers }: RemoteReadQuery): string {
  return `{${matchers.map(({ name, type, value }) => `${isValidLegacyLabelName(name) ? name : quoteText(name)}${type}${quoteText(value)}`).join(',')}}`
}
