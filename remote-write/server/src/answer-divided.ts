import type { Queryable } from '@narthex/tsdb/select/queryable'
import { QueryError } from '@narthex/promql/query-error'
import { isCut, takeBody, truncatedText } from './answer-envelope.ts'
import { endAnswer } from './answer-query.ts'
import type { AnswerWriter } from './answer-writer.ts'
import { CancelFlag } from './cancel-flag.ts'
import {
  contributePart,
  endGathering,
  gatherParts,
  rehearsePart,
  writeGathered,
  type DividedAnswer,
  type DividedQuery,
} from './divided-query.ts'
import type { QueryCall, QueryEnd, QueryRequest, QueryShare } from './query-protocol.ts'
import { optionsOf, type ThreadParts } from './thread-parts.ts'

// One thread's side of a range query that several evaluate.

export interface DividedCall {
  readonly call: QueryCall
  readonly request: Extract<QueryRequest, { kind: 'range' }>
  readonly share: QueryShare
  readonly reader: Queryable
  readonly preparationMs: number
}

/** Its part, for the thread that answers. */
export function contribute(divided: DividedCall, parts: ThreadParts): QueryEnd {
  const part = toDividedQuery(divided, parts)
  if (divided.share.isRehearsal === true) rehearsePart(part)
  else contributePart(part)
  return { id: divided.call.id, isSent: true }
}

/** Undefined: it is up to the whole query. */
export async function answerDivided(divided: DividedCall, parts: ThreadParts): Promise<QueryEnd | undefined> {
  const query = toDividedQuery(divided, parts)
  let gathered: DividedAnswer | undefined
  try {
    gathered = await gatherParts(query)
    return (
      gathered && {
        id: divided.call.id,
        status: 200,
        body: joinParts(gathered, divided.request.limit, parts.buffer),
        measures: gathered.measures,
      }
    )
  } catch (error) {
    if (error instanceof QueryError && error.kind === 'execution') return undefined
    throw error
  } finally {
    endGathering(query, gathered)
  }
}

function joinParts(gathered: DividedAnswer, limit: number, buffer: AnswerWriter): Uint8Array {
  buffer.begin(gathered.parts.reduce((bytes, { texts }) => bytes + texts.bytes.length, gathered.parts[0]!.measures.peakBytes))
  buffer.utf8('{"status":"success","data":')
  const series = writeGathered(gathered, buffer, limit)
  endAnswer(buffer, isCut(limit, series) ? [...gathered.warnings, truncatedText] : gathered.warnings, gathered.infos)
  return takeBody(buffer)
}

function toDividedQuery({ call, request, share, reader, preparationMs }: DividedCall, parts: ThreadParts): DividedQuery {
  const eitherSignal = new CancelFlag(call.cancel, share.ended)
  const { claim, partBuffer, storage } = parts
  const options = optionsOf(request, call.deadlineMs, eitherSignal, parts.engine)
  const engine = { ...options, bytesMax: Math.floor(claim.bytesMax / share.count) }
  return { request, share, engine, reader, writer: partBuffer, preparationMs, storageWarnings: () => storage.warnings() }
}
