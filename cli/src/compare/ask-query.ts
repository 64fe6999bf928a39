import type { ApiClient } from '../api-client.ts'
import { readAnswer, type Answer, type Refusal } from './answer.ts'

/** Times of a query in seconds since 1970; a step of 0 asks at `end` alone. */
export interface QueryTimes {
  readonly start: number
  readonly end: number
  readonly step: number
}

/** The answer of a server to a query, or why it refuses. Rejects with one line if the server cannot be asked. */
export async function askQuery(client: ApiClient, query: string, { start, end, step }: QueryTimes): Promise<Answer | Refusal> {
  const isInstant = step === 0
  const grid: Record<string, string> = isInstant ? { time: String(end) } : { start: String(start), end: String(end), step: String(step) }
  const answer = await client.ask(`api/v1/${isInstant ? 'query' : 'query_range'}`, new URLSearchParams({ query, ...grid }))
  return answer.status === 'error' ? { error: `${answer.errorType}: ${answer.error}` } : readAnswer(answer.data)
}
