import type { ApiBackend } from './backend.ts'
import { topOrders } from './backend.ts'
import { ApiError, encodeSuccess } from './envelope.ts'
import { invalidParameter, type Parameters } from './parameters.ts'

type BookHandler = (parameters: Parameters, signal: AbortSignal, path: Record<string, string>) => string
type Register = (path: string, handler: BookHandler) => void

const topMax = 1_000

/** Adds what is told of queries, none of which Prometheus has: those that run, the end of one of them, and those that took the most. */
export function registerQueryBook(get: Register, post: Register, { queries }: ApiBackend): void {
  get('/api/v1/status/active_queries', () => encodeSuccess({ queries: queries.active() }))
  post('/api/v1/status/active_queries/:id/cancel', (_parameters, _signal, path) => {
    const id = path['id'] ?? ''
    if (!/^\d{1,15}$/.test(id)) throw new ApiError('bad_data', `cannot cancel query ${JSON.stringify(id)}: want the number of a query`)
    if (!queries.cancel(Number(id))) throw new ApiError('not_found', `cannot cancel query ${id}: no such query runs or waits`)
    return encodeSuccess({ id: Number(id) })
  })
  get('/api/v1/status/top_queries', (parameters) => {
    const wanted = parameters.get('order')
    const order = wanted === '' ? 'duration' : topOrders.find((known) => known === wanted)
    if (order === undefined) throw invalidParameter('order', `want one of ${topOrders.join(', ')}, got ${JSON.stringify(wanted)}`)
    const limit = parameters.integer('limit', 20)
    if (limit === undefined || limit < 1 || limit > topMax) throw invalidParameter('limit', `want 1 to ${topMax}`)
    return encodeSuccess({ order, queries: queries.top(order, limit) })
  })
}
