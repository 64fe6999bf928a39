import type { EncodedAnswer, QueryBackend, QueryClient } from '@narthex/api/backend'
import { isRehearsal } from '@narthex/http/rehearsal'
import { ApiError } from '@narthex/api/envelope'
import { invalidParameter } from '@narthex/api/parameters'
import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import type { LastSample, QueryFunction, SelectLastSamples } from '@narthex/rules/interfaces'
import type { QueryMemory } from './query-memory.ts'
import type { QueryOrigin } from './query-observer.ts'
import { QueryFailure, type EncodedReply } from './query-job.ts'
import type { QueryPool } from './query-pool.ts'
import type { LastColumns, QueryRequest, VectorColumns } from './query-protocol.ts'

/** An export that is not whole by then is given up. */
const exportMsMax = 60 * 60_000

export interface QueryBackendParts {
  readonly pool: QueryPool
  /** For answers that clients may take slowly. */
  readonly readPool: QueryPool
  readonly timeoutMs: number
  readonly memory: QueryMemory
  externalLabels(): Labels
}

/** The API's queries, answered by the pool; a failure of the engine becomes the API's error of the same kind. */
export function createQueryBackend({ pool, readPool, timeoutMs, memory, externalLabels }: QueryBackendParts): QueryBackend {
  const ask = async (request: QueryRequest, limitMs: number, signal: AbortSignal, client?: QueryClient): Promise<EncodedAnswer> => {
    try {
      const reply = (await pool.run(request, limitMs, signal, undefined, originOf(client))) as EncodedReply
      const { status, body, giveBack } = reply
      const releaseBytes = memory.holdAnswer(body.buffer.byteLength)
      const release = (): void => {
        releaseBytes()
        giveBack?.()
      }
      return { status, body, release }
    } catch (error) {
      if (error instanceof QueryFailure) throw new ApiError(error.kind, error.message, { cause: error })
      throw error
    }
  }
  // What is wrong with an expression may come out only when its times are known.
  const evaluate = async (...args: Parameters<typeof ask>): Promise<EncodedAnswer> => {
    try {
      return await ask(...args)
    } catch (error) {
      if (error instanceof ApiError && error.kind === 'bad_data') throw invalidParameter('query', error.message)
      throw error
    }
  }
  return {
    instant: ({ timeoutMs: limitMs, ...query }, signal, client) => evaluate({ kind: 'instant', ...query }, limitMs, signal, client),
    range: ({ timeoutMs: limitMs, ...query }, signal, client) => evaluate({ kind: 'range', ...query }, limitMs, signal, client),
    series: (query, signal, client) => ask({ kind: 'series', ...query }, timeoutMs, signal, client),
    labelNames: (query, signal, client) => ask({ kind: 'labelNames', ...query }, timeoutMs, signal, client),
    labelValues: (name, query, signal, client) => ask({ kind: 'labelValues', name, ...query }, timeoutMs, signal, client),
    exemplars: (query, signal, client) => ask({ kind: 'exemplars', ...query }, timeoutMs, signal, client),
    federate: (query, signal, client) =>
      ask({ kind: 'federate', ...query, externalLabels: externalLabels().pairs }, timeoutMs, signal, client),
    async export(query, onPart, signal, client) {
      try {
        await readPool.run({ kind: 'export', ...query }, exportMsMax, signal, onPart, originOf(client))
      } catch (error) {
        if (error instanceof QueryFailure) throw new ApiError(error.kind, error.message, { cause: error })
        throw error
      }
    },
    headStatistics: (limit, signal, client) => ask({ kind: 'headStatistics', limit }, timeoutMs, signal, client),
  }
}

function originOf(client: QueryClient | undefined): QueryOrigin | undefined {
  if (client === undefined) return undefined
  return isRehearsal(client.clientAddress) ? { kind: 'rehearsal' } : { kind: 'http', ...client }
}

/** Instant queries of rules and templates. */
export function createRuleQuery(pool: QueryPool, timeoutMs: number): QueryFunction {
  return async (expression, timeMs, signal, group) => {
    const origin = { kind: 'rules', group } as const
    const columns = (await pool.run({ kind: 'vector', query: expression, timeMs }, timeoutMs, signal, undefined, origin)) as VectorColumns
    const labels = columns.labels.map((pairs) => Labels.fromPairs(pairs))
    const { values, histograms, warnings } = columns
    if (columns.type === 'scalar') return { labels: [], values, scalar: values[0] ?? NaN, warnings }
    return { labels, values, ...(histograms === undefined ? {} : { histograms }), warnings }
  }
}

/** The newest samples that restore the `for` clocks of alerts after a restart. */
export function createLastSamplesQuery(pool: QueryPool, timeoutMs: number): SelectLastSamples {
  return async (matchers, startMs, endMs) => {
    const selector = `{${matchers.map((matcher: Matcher) => matcher.toString()).join(',')}}`
    const columns = (await pool.run({ kind: 'lastSamples', selector, startMs, endMs }, timeoutMs)) as LastColumns
    return columns.labels.map((pairs, i): LastSample => {
      return {
        labels: Labels.fromPairs(pairs),
        timeMs: columns.times[i]!,
        lowWord: columns.words[2 * i]!,
        highWord: columns.words[2 * i + 1]!,
      }
    })
  }
}
