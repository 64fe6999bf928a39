import type { LoadSpec } from './load-spec.ts'
import type { Question } from './query-turns.ts'

// Range queries of dashboards over 5,000 series × 6 hours at 15 s, in steps of a minute: what the benches `query` and `query-at-once` ask.

const stepMs = 15_000
const samplesPerRequest = 2_000
const queryStepSeconds = 60
/** Samples lie between the ends of all windows: 2.42 counts one that lies on the left end, 3.x does not. */
export const offsetMs = 7_000
/** Samples begin before the first window: at the begin of a series 2.42 extrapolates otherwise than 3.x. */
const beforeMs = 10 * 60_000

const queries = [
  'sum by (job) (rate(http_requests_total[5m]))',
  'sum by (namespace,code) (rate({__name__=~".+"}[5m]))',
  'node_cpu_seconds_total',
  'topk(5, rate(node_network_receive_bytes_total[5m]))',
  'max_over_time(process_resident_memory_bytes[1h])',
  'quantile by (zone) (0.9, process_resident_memory_bytes)',
  'http_requests_total / ignoring(code) group_left http_requests_total',
]

export interface RangeQuestions {
  readonly questions: readonly Question[]
  /** The load that they are asked over. */
  readonly spec: LoadSpec
  readonly description: string
}

export function makeRangeQuestions(isSmoke: boolean): RangeQuestions {
  const seriesCount = isSmoke ? 500 : 5_000
  const hours = isSmoke ? 1 : 6
  const endMs = Math.floor(Date.now() / 60_000) * 60_000
  const beginMs = endMs - hours * 3600_000
  const options = { seriesCount, samplesPerRequest, startMs: beginMs - beforeMs + offsetMs - stepMs, stepMs }
  const range = { start: String(beginMs / 1000), end: String(endMs / 1000), step: String(queryStepSeconds) }
  return {
    questions: queries.map((query) => ({
      name: query,
      path: '/api/v1/query_range',
      form: { query, ...range },
      isTied: query.startsWith('topk'),
    })),
    spec: { kind: 'queried', options, steps: (hours * 3600_000 + beforeMs) / stepMs },
    description: `${seriesCount} series × ${hours} h at ${stepMs / 1000} s, range ${hours} h, step ${queryStepSeconds} s`,
  }
}
