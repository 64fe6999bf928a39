import type { MessagePort } from 'node:worker_threads'
import { Annotations, tellsCount } from '@narthex/promql/annotations'
import { encodeJoined, encodePart, type MatrixPart } from '@narthex/promql/encode-parts'
import { evaluatePart, prepareRange, type EngineOptions, type PreparedRange } from '@narthex/promql/engine'
import { QueryError } from '@narthex/promql/query-error'
import type { QueryResult } from '@narthex/promql/query-result'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import type { AnswerWriter } from './answer-writer.ts'
import { keptBytesMax } from './query-protocol.ts'
import type { EvaluatedPart, PartReply, QueryMeasures, QueryRequest, QueryShare } from './query-protocol.ts'

// A range query that several threads evaluate, each at some of its steps: what it gives at one step does not depend on the others. Decision 0019 says why.

type RangeRequest = Extract<QueryRequest, { kind: 'range' }>

export interface DividedQuery {
  readonly request: RangeRequest
  readonly share: QueryShare
  readonly engine: EngineOptions
  readonly reader: Queryable
  /** For the texts of this thread's part. */
  readonly writer: AnswerWriter
  readonly preparationMs: number
  storageWarnings(): readonly string[]
}

export interface DividedAnswer {
  readonly parts: readonly EvaluatedPart[]
  readonly warnings: readonly string[]
  readonly infos: readonly string[]
  readonly measures: QueryMeasures
}

/** A rehearsal is over after so many times, and after so long. */
const rehearsedTimes = 6
const rehearsedMsMax = 300

/** Evaluates the part of a thread that does not answer, for nobody and several times: code that ran a few times is many times as quick. */
export function rehearsePart(query: DividedQuery): void {
  const { share, writer } = query
  const range = prepare(query)
  const count = partsOf(query, range)
  if (share.index >= count) return
  const endMs = performance.now() + rehearsedMsMax
  for (let times = 0; times < rehearsedTimes && performance.now() < endMs; times++) {
    if (attempt(query, range, share.index, count) === undefined) return
  }
  writer.reset()
}

/** Evaluates the part of a thread that does not answer, and gives it to the one that does. */
export function contributePart(query: DividedQuery): void {
  const { share, writer } = query
  const port = share.ports[0]!
  let isGiven = false
  try {
    const range = prepare(query)
    const count = partsOf(query, range)
    if (share.index >= count) return
    const part = attempt(query, range, share.index, count)
    if (part === undefined) return port.postMessage(undefined satisfies PartReply)
    const reply: PartReply = { ...part, texts: { ...part.texts, bytes: writer.take() } }
    port.once('message', (buffer: ArrayBuffer) => {
      writer.adopt(buffer)
      port.close()
    })
    port.postMessage(reply, [reply.texts.bytes.buffer as ArrayBuffer, reply.texts.ends.buffer as ArrayBuffer])
    isGiven = true
  } finally {
    writer.reset()
    if (!isGiven) port.close()
  }
}

/**
 * Evaluates the first part, waits for the others, and gives them all. Undefined: the query is not worth dividing, or a part met an error or a limit,
 * which it is up to the whole to tell, as are counts of what was remarked on. Throws a QueryError for a query that cannot be read, or that is to end.
 */
export async function gatherParts(query: DividedQuery): Promise<DividedAnswer | undefined> {
  const { share, engine } = query
  const begunMs = performance.now()
  // Without a port for a part, it is up to this thread.
  const replies = Array.from({ length: share.count - 1 }, (_, i) => (i < share.ports.length ? receive(share.ports[i]!) : threadEnded))
  try {
    const range = prepare(query)
    const count = partsOf(query, range)
    if (count === 1) return undefined
    const parts: EvaluatedPart[] = []
    for (let index = 0; index < count; index++) {
      const reply = index === 0 ? threadEnded : await replies[index - 1]!
      // Further parts of this thread come into the writer that its first one lies in.
      if (reply === threadEnded && index > 0) parts[0] = copyTexts(parts[0]!)
      const part = reply === threadEnded ? attempt(query, range, index, count) : reply
      if (part === undefined) return undefined
      parts.push(reply === threadEnded && index > 0 ? copyTexts(part) : part)
    }
    if (parts.some(({ remarks }) => remarks.some(tellsCount))) return undefined
    const { warnings, infos } = uniteRemarks(range.text, parts)
    if (warnings.length > remarksMax || infos.length > remarksMax) return undefined
    const measures = sumMeasures(parts, query.preparationMs, performance.now() - begunMs)
    if (measures.peakSamples > (engine.samplesMax ?? Infinity)) return undefined
    return { parts, warnings: [...warnings, ...unite(parts.map((part) => part.storageWarnings))], infos, measures }
  } finally {
    Atomics.store(new Int32Array(share.ended), 0, 1)
  }
}

/** When the texts are not needed any more: their threads get the buffers back. */
export function endGathering({ share }: DividedQuery, gathered: DividedAnswer | undefined): void {
  for (const [i, port] of share.ports.entries()) {
    const buffer = gathered?.parts[i + 1]?.texts.bytes.buffer
    if (buffer instanceof ArrayBuffer && buffer.byteLength <= keptBytesMax) port.postMessage(buffer, [buffer])
    port.close()
  }
}

/** Writes the `data` of the answer, of `limit` series at most (0 = all); gives how many there are. */
export function writeGathered({ parts }: DividedAnswer, writer: AnswerWriter, limit: number): number {
  return encodeJoined(
    parts.map(({ texts }) => texts),
    writer,
    limit,
  )
}

/** What a query shows of each kind. */
const remarksMax = 10

/** Undefined: a part met an error, or takes more than its share of what the query may hold. */
function attempt(query: DividedQuery, range: PreparedRange, index: number, count: number): EvaluatedPart | undefined {
  const { engine, reader, writer, preparationMs } = query
  try {
    const result = evaluatePart(engine, reader, range, index, count)
    return {
      texts: encode(result, writer),
      remarks: result.remarks,
      storageWarnings: query.storageWarnings(),
      measures: measureResult(result, preparationMs),
    }
  } catch (error) {
    if (error instanceof QueryError && error.kind === 'execution') return undefined
    throw error
  }
}

/** Out of the writer, which is for other texts, too. */
function copyTexts(part: EvaluatedPart): EvaluatedPart {
  return { ...part, texts: { ...part.texts, bytes: part.texts.bytes.slice() } }
}

/** The texts lie in the writer. */
function encode({ series, statistics }: QueryResult, writer: AnswerWriter): MatrixPart {
  writer.begin(statistics.peakBytes)
  const ends = encodePart(series, writer)
  return { bytes: writer.view(), ends }
}

export function measureResult({ statistics }: QueryResult, preparationMs: number): QueryMeasures {
  const { samplesPerStep: _, ...measured } = statistics
  return { ...measured, preparationMs }
}

function prepare({ request, engine }: DividedQuery): PreparedRange {
  return prepareRange(engine, request.query, request.startMs, request.endMs, request.stepMs)
}

function partsOf({ share }: DividedQuery, { divisibility }: PreparedRange): number {
  return Math.min(share.count, divisibility.partsMax)
}

const threadEnded = Symbol('the thread ended')

function receive(port: MessagePort): Promise<PartReply | typeof threadEnded> {
  return new Promise((resolve) => {
    port.once('message', (reply: PartReply) => resolve(reply))
    port.once('close', () => resolve(threadEnded))
  })
}

/** As the whole tells them: a remark of several parts once, about the place evaluated last. */
function uniteRemarks(text: string, parts: readonly EvaluatedPart[]): { warnings: string[]; infos: string[] } {
  const annotations = new Annotations(text)
  for (const { remarks } of parts) annotations.addAll(remarks)
  return annotations.render(remarksMax)
}

function unite(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())]
}

function sumMeasures(parts: readonly EvaluatedPart[], preparationMs: number, evaluationMs: number): QueryMeasures {
  const sum = (field: Exclude<keyof QueryMeasures, 'threads' | 'writingMs'>): number =>
    parts.reduce((total, { measures }) => total + measures[field], 0)
  return {
    preparationMs,
    evaluationMs,
    totalQueryableSamples: sum('totalQueryableSamples'),
    samplesRead: sum('samplesRead'),
    peakSamples: sum('peakSamples'),
    peakBytes: sum('peakBytes'),
    series: Math.max(...parts.map(({ measures }) => measures.series)),
    threads: parts.length,
  }
}
