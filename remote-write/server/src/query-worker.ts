import { parentPort, type MessagePort } from 'node:worker_threads'
import { setPriority } from 'node:os'
import { giveUpFirstBuffer } from '@narthex/service/compiler'
import { SampleColumns } from '@narthex/model/sample-columns'
import { evaluateInstant, evaluateRange, explainInstant, explainRange, type EngineOptions } from '@narthex/promql/engine'
import { parseAnySelector } from '@narthex/promql/parse/parse'
import type { ExplainedPart } from '@narthex/promql/plan/explain-plan'
import type { AbortFlag } from '@narthex/promql/query-context'
import { QueryError } from '@narthex/promql/query-error'
import { nativeOfHistogram } from '@narthex/promql/histogram/native-of-histogram'
import { ResultBuffers, type QueryResult } from '@narthex/promql/query-result'
import { Labels } from '@narthex/model/labels'
import { BlockError } from '@narthex/tsdb/block/block-error'
import type { HeadDescriptor } from '@narthex/tsdb/head/head-memory'
import { BlockGoneError } from '@narthex/tsdb/select/block-shelf'
import { HeadReader } from '@narthex/tsdb/select/head-reader'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import { answerDivided, contribute } from './answer-divided.ts'
import { envelope, takeBody } from './answer-envelope.ts'
import { answerExemplars } from './answer-exemplars.ts'
import { answerExport } from './answer-export.ts'
import { answerFederation } from './answer-federation.ts'
import { answerHeadStatistics } from './answer-head-status.ts'
import { answerLists } from './answer-lists.ts'
import { encodeQueryAnswer } from './answer-query.ts'
import { answerRemoteRead } from './answer-remote-read.ts'
import { AnswerWriter } from './answer-writer.ts'
import { CancelFlag } from './cancel-flag.ts'
import { measureResult } from './divided-query.ts'
import { perStepFeature, startTimestampsFeature, toParseOptions } from './feature-flags.ts'
import { findBlocks } from './find-blocks.ts'
import { parseMatchers, parseQuery } from './parse-request.ts'
import { PartSender } from './part-sender.ts'
import { QueryClaim, QueryMemory } from './query-memory.ts'
import { viewStatistics, type SamplesPerStep } from './query-observer.ts'
import { keptBytesMax } from './query-protocol.ts'
import type {
  LastColumns,
  QueryCall,
  QueryEnd,
  QueryOutcome,
  QueryReply,
  QueryRequest,
  QueryWorkerBoot,
  QueryWorkerData,
  QueryWorkerOptions,
  ReturnedBuffer,
  VectorColumns,
  WarmedUp,
  WarmUpCall,
} from './query-protocol.ts'
import { QueryStorage } from './query-storage.ts'
import { checkAlive, optionsOf, type EngineRequest, type ThreadParts } from './thread-parts.ts'
import { warmUp } from './warm-up-thread.ts'

// A thread that evaluates queries over the shared head and the blocks, one at a time, and encodes its own answers.

// Queries yield to ingestion: on Linux the call sets this thread alone.
const workerNice = 10
// The measuring of the memory takes as long as a quick query, and quick ones leave little: they are measured together.
const unmeasuredQueriesMax = 32
const unmeasuredMsMax = 2
/** What a warm-up may hold before there is a storage, and take: the logs are read meanwhile. */
const aheadBytesMax = 64 * 1024 * 1024
const aheadMsMax = 300
/** Of a warm-up later. */
const warmUpMsMax = 2000
// Its result has an ArrayBuffer of its own; that of a small Buffer is the pool's and cannot change threads.
const encoder = new TextEncoder()

const ownPort = parentPort
if (ownPort) {
  setThreadPriority()
  // The first two messages; then there is a call a message.
  ownPort.once('message', (boot: QueryWorkerBoot) => start(ownPort, boot))
}

function start(port: MessagePort, { options, running, aheadDirectory }: QueryWorkerBoot): void {
  giveUpFirstBuffer()
  const storage = new QueryStorage(options.cacheBytesMax)
  let isAhead = true
  port.once('message', (data: QueryWorkerData) => {
    isAhead = false
    storage.addHead(new HeadReader(data.head as HeadDescriptor))
    serve(options, makeParts(port, storage, options, new QueryClaim(data.memory)))
  })
  if (aheadDirectory === undefined) return
  const known = { blocks: findBlocks(aheadDirectory) }
  const claim = new QueryClaim(new QueryMemory(aheadBytesMax, aheadBytesMax).open())
  warmUp(makeParts(port, storage, options, claim), { running, known: () => known, isOver: () => !isAhead, msMax: aheadMsMax })
}

function makeParts(port: MessagePort, storage: QueryStorage, options: QueryWorkerOptions, claim: QueryClaim): ThreadParts {
  const engine = toEngineOptions(options, claim)
  return { storage, engine, port, buffer: new AnswerWriter(claim), partBuffer: new AnswerWriter(claim), claim }
}

function serve(options: QueryWorkerOptions, parts: ThreadParts): void {
  const { storage, port, buffer, claim } = parts
  let unmeasuredQueries = 0
  let known: Pick<QueryCall, 'blocks' | 'deletions'>
  let isAsked = false
  port.on('message', (message: QueryCall | ReturnedBuffer | WarmUpCall) => {
    if ('returned' in message) buffer.adopt(message.returned)
    else if ('running' in message) {
      known = message
      const onDone = (): void => port.postMessage({ isWarm: true } satisfies WarmedUp)
      warmUp(parts, {
        running: message.running,
        known: () => known,
        isOver: () => false,
        onDone,
        isAsked: () => isAsked,
        msMax: warmUpMsMax,
      })
    } else void respond(message)
  })

  async function respond(call: QueryCall): Promise<void> {
    const begunMs = performance.now()
    known = call
    isAsked = true
    const outcome = await answer(call, parts)
    claim.reset()
    const brokenBlocks = storage.takeBroken()
    unmeasuredQueries++
    const isMeasured = unmeasuredQueries === unmeasuredQueriesMax || performance.now() - begunMs > unmeasuredMsMax
    if (isMeasured) unmeasuredQueries = 0
    const reply: QueryReply = {
      ...outcome,
      ...(brokenBlocks.length === 0 ? {} : { brokenBlocks }),
      ...(isMeasured && measureMemory() > options.keptBytesMax ? { retires: true } : {}),
    }
    try {
      port.postMessage(reply, transferable(reply))
    } catch (error) {
      port.postMessage({ id: call.id, failure: { kind: 'internal', message: bugText(error) } } satisfies QueryReply)
    }
  }
}

function setThreadPriority(): void {
  try {
    setPriority(workerNice)
  } catch {
    // not allowed here: queries then compete as equals
  }
}

/** Bytes of this thread's heap and buffers, garbage included. */
function measureMemory(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

async function answer(call: QueryCall, parts: ThreadParts): Promise<QueryEnd> {
  const { storage, engine, port, buffer, partBuffer, claim } = parts
  const begunMs = performance.now()
  const signal = new CancelFlag(call.cancel)
  const check = () => checkAlive(signal, call.deadlineMs)
  const reader = storage.open(call, check)
  try {
    const { request } = call
    if (request.kind === 'headStatistics')
      return { id: call.id, status: 200, body: encoder.encode(answerHeadStatistics(request, storage.head)) }
    if (request.kind === 'export') {
      const sender = new PartSender(port, call, check)
      const sink = { check, send: (part: Uint8Array<ArrayBuffer>) => sender.send(part), cover: (bytes: number) => claim.cover(bytes) }
      answerExport({ ...request, sets: request.matchers.map((selector) => parseMatchers(selector)) }, reader, sink)
      return { id: call.id, isSent: true }
    }
    if (request.kind === 'remoteRead') {
      const sender = new PartSender(port, call, check)
      const sink = { check, send: (part: Uint8Array<ArrayBuffer>) => sender.send(part), cover: (bytes: number) => claim.cover(bytes) }
      answerRemoteRead(request, reader, sink, claim.bytesMax)
      return { id: call.id, isSent: true }
    }
    if (request.kind === 'exemplars') return { id: call.id, status: 200, body: findExemplars(call, request, engine, buffer, check) }
    if (request.kind === 'federate') return { id: call.id, status: 200, body: federate(request, reader, engine, buffer) }
    const preparationMs = performance.now() - begunMs
    const run = (wanted: EngineRequest) => withWarnings(evaluate(wanted, call.deadlineMs, signal, reader, engine), storage.warnings())
    if (request.kind === 'vector') {
      const result = run(request)
      return { id: call.id, vector: toColumns(result), measures: measureResult(result, preparationMs) }
    }
    if (request.kind === 'lastSamples') return { id: call.id, last: readLastSamples(request, reader) }
    if (request.kind === 'instant' || request.kind === 'range') {
      if (request.explain === 'plan')
        return { id: call.id, status: 200, body: encoder.encode(envelope({ explain: explain(request, engine) }, [])) }
      if (request.kind === 'range' && call.share !== undefined) {
        const divided = { call, request, share: call.share, reader, preparationMs }
        const shared = call.share.index > 0 ? contribute(divided, parts) : await answerDivided(divided, parts)
        if (shared !== undefined) return shared
      }
      const result = run(request)
      const measures = measureResult(result, preparationMs)
      const statistics = request.stats === '' ? undefined : viewStatistics(measures, call.queuedMs, perStepOf(request, result))
      const begunWritingMs = performance.now()
      const body = encodeQueryAnswer(result, request.limit, statistics, buffer)
      return { id: call.id, status: 200, body, measures: { ...measures, writingMs: performance.now() - begunWritingMs } }
    }
    return { id: call.id, status: 200, body: answerLists(request, reader, storage, buffer) }
  } catch (error) {
    if (error instanceof BlockGoneError) return { id: call.id, failure: { kind: 'gone', message: error.message } }
    if (error instanceof BlockError) return { id: call.id, failure: { kind: 'execution', message: error.message } }
    if (error instanceof QueryError) return { id: call.id, failure: { kind: error.kind, message: error.message } }
    return { id: call.id, failure: { kind: 'internal', message: bugText(error) } }
  } finally {
    storage.release()
    buffer.shrink(keptBytesMax)
    partBuffer.shrink(keptBytesMax)
  }
}

/** Buffers that go to the other side instead of being copied; nothing here uses them any more. */
function transferable(reply: QueryOutcome): ArrayBuffer[] {
  if ('body' in reply) return [reply.body.buffer as ArrayBuffer]
  if ('vector' in reply) return [reply.vector.values.buffer as ArrayBuffer]
  if ('last' in reply) return [reply.last.times.buffer as ArrayBuffer, reply.last.words.buffer as ArrayBuffer]
  return []
}

function bugText(error: unknown): string {
  return `this is a bug in Narthex: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
}

function toEngineOptions(options: QueryWorkerOptions, claim: QueryClaim): EngineOptions {
  const has = (feature: string) => options.featureFlags.includes(feature)
  return {
    lookbackMs: options.lookbackMs,
    subqueryStepMs: options.defaultStepMs,
    samplesMax: options.samplesMax,
    bytesMax: Infinity,
    cover: (bytes) => claim.cover(bytes),
    delayedNameRemoval: has('promql-delayed-name-removal'),
    useStartTimestamps: has(startTimestampsFeature),
    typeAndUnitLabels: has('type-and-unit-labels'),
    countsPerStep: has(perStepFeature),
    parse: toParseOptions(options.featureFlags),
    // Each result is encoded, or copied, before the next query.
    resultBuffers: new ResultBuffers(),
  }
}

function evaluate(request: EngineRequest, deadlineMs: number, signal: AbortFlag, reader: Queryable, engine: EngineOptions): QueryResult {
  const options = optionsOf(request, deadlineMs, signal, engine)
  if (request.kind === 'range') return evaluateRange(options, reader, request.query, request.startMs, request.endMs, request.stepMs)
  return evaluateInstant(options, reader, request.query, request.timeMs)
}

function explain(request: Extract<QueryRequest, { kind: 'instant' | 'range' }>, engine: EngineOptions): ExplainedPart {
  if (request.kind === 'range') return explainRange(engine, request.query, request.startMs, request.endMs, request.stepMs)
  return explainInstant(engine, request.query, request.timeMs)
}

function perStepOf(request: EngineRequest, { statistics: { samplesPerStep } }: QueryResult): SamplesPerStep | undefined {
  if (samplesPerStep === undefined) return undefined
  return request.kind === 'range'
    ? { startMs: request.startMs, stepMs: request.stepMs, samples: samplesPerStep }
    : { startMs: request.timeMs, stepMs: 0, samples: samplesPerStep }
}

type FederationRequest = Extract<QueryRequest, { kind: 'federate' }>

function federate(request: FederationRequest, reader: Queryable, { lookbackMs = 0 }: EngineOptions, buffer: AnswerWriter): Uint8Array {
  buffer.begin(0)
  const { timeMs, format, allowsUtf8 } = request
  const sets = request.matchers.map((selector) => parseMatchers(selector, parseAnySelector))
  answerFederation(
    { sets, timeMs, lookbackMs, format, allowsUtf8, externalLabels: Labels.fromPairs(request.externalLabels) },
    reader,
    buffer,
  )
  return takeBody(buffer)
}

type ExemplarRequest = Extract<QueryRequest, { kind: 'exemplars' }>

function findExemplars(call: QueryCall, request: ExemplarRequest, engine: EngineOptions, buffer: AnswerWriter, check: () => void) {
  buffer.begin(0)
  const expression = parseQuery(request.query, engine.parse ?? {})
  if (call.exemplars === undefined) throw new Error('no exemplars came with the query')
  answerExemplars(call.exemplars, { ...request, expression }, buffer, check)
  return takeBody(buffer)
}

function toColumns(result: QueryResult): VectorColumns {
  if (result.type !== 'vector' && result.type !== 'scalar') {
    throw new QueryError('execution', `rule result is not a vector or scalar`)
  }
  return {
    type: result.type,
    labels: result.series.labels.map((labels) => labels.pairs),
    values: result.series.values.slice(0, result.series.labels.length),
    histograms: result.series.histograms?.map((histogram) => histogram && nativeOfHistogram(histogram)),
    warnings: result.warnings,
  }
}

function withWarnings(result: QueryResult, warnings: readonly string[]): QueryResult {
  return warnings.length === 0 ? result : { ...result, warnings: [...result.warnings, ...warnings] }
}

function readLastSamples(request: { selector: string; startMs: number; endMs: number }, reader: Queryable): LastColumns {
  const set = reader.select(parseMatchers(request.selector), request.startMs, request.endMs)
  const labels: (readonly string[])[] = []
  const times: number[] = []
  const words: number[] = []
  const columns = new SampleColumns()
  while (set.next()) {
    columns.clear()
    set.samples(columns)
    const last = columns.length - 1
    if (last < 0) continue
    labels.push(set.labels().pairs)
    times.push(columns.times[last]!)
    words.push(columns.words[2 * last]!, columns.words[2 * last + 1]!)
  }
  return { labels, times: Float64Array.from(times), words: Uint32Array.from(words) }
}
