import type { QueryBook } from '@narthex/api/backend'
import { gridOf, type ActiveQuery } from './query-observer.ts'
import type { QueryJournal } from './query-journal.ts'
import type { QueryPool } from './query-pool.ts'

/** What the API tells of queries. */
export function createQueryBook(pool: QueryPool, journal: QueryJournal): QueryBook {
  return {
    active: () => pool.active().map((query) => viewActive(query, Date.now())),
    cancel: (id) => pool.cancel(id),
    top: (order, limit) => journal.top.list(order, limit),
  }
}

function viewActive({ id, request, origin, askedMs, startedMs, heldBytes }: ActiveQuery, nowMs: number): Record<string, unknown> {
  const grid = gridOf(request)
  const selectors = 'matchers' in request ? { matchers: request.matchers } : {}
  return {
    id,
    kind: request.kind,
    state: startedMs === undefined ? 'waiting' : 'running',
    ...(grid === undefined
      ? selectors
      : { query: grid.query, start: grid.startMs / 1000, end: grid.endMs / 1000, step: grid.stepMs / 1000 }),
    askedAt: new Date(askedMs).toISOString(),
    durationSeconds: (nowMs - askedMs) / 1000,
    queuedSeconds: ((startedMs ?? nowMs) - askedMs) / 1000,
    heldBytes,
    ...(origin?.kind === 'http' ? { client: origin.clientAddress, method: origin.method, path: origin.path } : {}),
    ...(origin?.kind === 'rules' && origin.group !== undefined ? { ruleGroup: origin.group } : {}),
  }
}
