import type { HttpServer } from '@narthex/http/server'
import type { RehearsedRequest } from '@narthex/http/rehearsal'
import type { QueryPool } from './query-pool.ts'

const rounds = 15
/** Between two of them; what comes in is answered meanwhile. */
const pauseMs = 10
/** Threads that are not warm by then will not be soon. */
const waitMsMax = 20_000
/** Finds no series; it has what queries are made of. */
const query = 'sum by (job) (rate({__name__="narthex_rehearsal",job=~".+"}[5m] offset 1m)) / 2 > bool vector(1)'

export interface RehearsalParts {
  readonly http: Pick<HttpServer, 'rehearse' | 'routePrefix'>
  readonly pool: Pick<QueryPool, 'isWarm' | 'activeQueries'>
  readonly isOver: () => boolean
}

/** Has the main thread read and answer an expression that no thread is asked for. */
export function rehearseParsing({ http }: Pick<RehearsalParts, 'http'>): Promise<void> {
  return http.rehearse({ method: 'POST', path: `${http.routePrefix}/api/v1/format_query`, form: new URLSearchParams({ query }).toString() })
}

/**
 * Asks for a query, and for lists, some times, when the threads are warm and nobody else asks: the way of a request through the main thread has run before
 * when the first one comes. Some milliseconds of a processor.
 */
export async function rehearseQueries({ http, pool, isOver }: RehearsalParts): Promise<void> {
  const begunMs = performance.now()
  const requests = listRequests(`${http.routePrefix}/api/v1`, Date.now() / 1000)
  for (let next = 0; next < rounds * requests.length;) {
    await pause()
    if (isOver() || performance.now() - begunMs > waitMsMax) return
    if (!pool.isWarm || pool.activeQueries > 0) continue
    await http.rehearse(requests[next++ % requests.length]!)
  }
}

function listRequests(api: string, end: number): readonly RehearsedRequest[] {
  const range = { start: String(end - 60), end: String(end) }
  const formOf = (fields: Record<string, string>): string => new URLSearchParams(fields).toString()
  return [
    { method: 'POST', path: `${api}/query_range`, form: formOf({ query, ...range, step: '15' }) },
    { method: 'GET', path: `${api}/labels?${formOf({ ...range, 'match[]': 'narthex_rehearsal' })}` },
    { method: 'POST', path: `${api}/query`, form: formOf({ query, time: String(end) }) },
    { method: 'GET', path: `${api}/label/job/values?${formOf({ ...range, 'match[]': '{__name__="narthex_rehearsal",job!=""}' })}` },
  ]
}

function pause(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, pauseMs).unref())
}
