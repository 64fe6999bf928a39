import { isDeepStrictEqual } from 'node:util'
import type { ApiClient } from '@narthex/cli/api-client'
import type { AskedQuery } from './differential.ts'

type ApiAnswer = Awaited<ReturnType<ApiClient['ask']>>

/** What differs in the texts that a query is answered with: errors, warnings, infos, the query printed anew and its tree. */
export async function compareTexts(theirs: ApiClient, ours: ApiClient, { query, start, end, step }: AskedQuery): Promise<string[]> {
  const times: Record<string, string> = step === 0 ? { time: String(end) } : { start: String(start), end: String(end), step: String(step) }
  const compare = async (path: string, parameters: Record<string, string>): Promise<string[]> => {
    const ask = (client: ApiClient) => client.ask(`api/v1/${path}`, new URLSearchParams(parameters))
    // Prometheus cannot show the tree of a query with fill (NaN) or fill (Inf).
    const [wanted, got] = await Promise.all([path === 'parse_query' ? ask(theirs).catch(() => undefined) : ask(theirs), ask(ours)])
    if (wanted === undefined) return []
    const [a, b] = [toComparable(wanted, path, query), toComparable(got, path, query)]
    if (hasLessOfOperators(wanted, got) || isPrintedWrongly(wanted)) return []
    return isDeepStrictEqual(a, b) ? [] : [`${path}: want ${JSON.stringify(a)}, got ${JSON.stringify(b)}`]
  }
  const differences = await compare(step === 0 ? 'query' : 'query_range', { query, ...times })
  for (const path of ['format_query', 'parse_query']) if (differences.length === 0) differences.push(...(await compare(path, { query })))
  return differences
}

function toComparable(answer: ApiAnswer, path: string, query: string): unknown {
  if (answer.status === 'error') return { ...answer, error: withoutOrder(answer.error) }
  const { data, warnings, infos } = answer
  return { data: path.startsWith('query') ? undefined : data, warnings: sortTexts(warnings, query), infos: sortTexts(infos, query) }
}

const ofOperators = /incompatible sample types|conflicting counter resets|mismatched custom buckets|incompatible bucket layout/

/** Of what an operator remarks on at one step, Prometheus tells the last. */
function hasLessOfOperators(wanted: ApiAnswer, got: ApiAnswer): boolean {
  if (wanted.status === 'error' || got.status === 'error') return false
  const [theirs, ours] = [wanted, got].map(({ warnings, infos }) => [...warnings, ...infos])
  const more = ours!.filter((text) => !theirs!.includes(text))
  return more.length > 0 && theirs!.every((text) => ours!.includes(text)) && more.every((text) => ofOperators.test(text))
}

/** What Prometheus prints for `Inf ^ 2` is read as another expression. */
function isPrintedWrongly(wanted: ApiAnswer): boolean {
  return wanted.status === 'success' && typeof wanted.data === 'string' && wanted.data.includes('+Inf ^')
}

/** Which two series are found to match at once is left to chance in a range query. */
function withoutOrder(error: string): string {
  return error.replace(/(found duplicate series for the match group).*(;many-to-many)/, '$1 …$2')
}

/** In no order; of more than Prometheus shows it chooses any. */
function sortTexts(texts: readonly string[], query: string): unknown {
  if (texts.some((text) => text.endsWith('annotations omitted'))) return texts.length
  // Prometheus loses the place of a subquery, counts samples again with every step, and takes a subquery of one step for one of several.
  const hasSubquery = /\[[^\]]*:[^\]]*\]/.test(query)
  const comparable = texts
    .filter((text) => !hasSubquery || !text.includes('sort is ineffective'))
    .map((text) => (hasSubquery ? text.replace(/ \(\d+:\d+\)$/, '') : text).replace(/over -?\d+ samples/, 'over samples'))
  return comparable.sort()
}
