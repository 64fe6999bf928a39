import type { MessagePort } from 'node:worker_threads'
import type { EngineOptions } from '@narthex/promql/engine'
import type { AbortFlag } from '@narthex/promql/query-context'
import { QueryError } from '@narthex/promql/query-error'
import type { AnswerWriter } from './answer-writer.ts'
import type { QueryClaim } from './query-memory.ts'
import type { QueryRequest } from './query-protocol.ts'
import type { QueryStorage } from './query-storage.ts'

/** What a thread for queries has, from one query to the next. */
export interface ThreadParts {
  readonly storage: QueryStorage
  readonly engine: EngineOptions
  readonly port: MessagePort
  readonly buffer: AnswerWriter
  /** For a part of an answer. */
  readonly partBuffer: AnswerWriter
  readonly claim: QueryClaim
}

export type EngineRequest = Extract<QueryRequest, { kind: 'instant' | 'range' | 'vector' }>

export function optionsOf(request: EngineRequest, deadlineMs: number, signal: AbortFlag, engine: EngineOptions): EngineOptions {
  const lookbackMs = request.kind === 'vector' ? undefined : request.lookbackMs
  return {
    ...engine,
    timeoutMs: Math.max(0, deadlineMs - Date.now()),
    signal,
    ...(lookbackMs === undefined ? {} : { lookbackMs }),
    ...(request.kind !== 'vector' && request.explain === 'analyze' ? { analyze: true } : {}),
    countsPerStep: engine.countsPerStep === true && request.kind !== 'vector' && request.stats === 'all',
  }
}

export function checkAlive(signal: AbortFlag, deadlineMs: number): void {
  if (signal.aborted) throw new QueryError('canceled', 'query was canceled in expression evaluation')
  if (Date.now() > deadlineMs) throw new QueryError('timeout', 'query timed out in expression evaluation')
}
