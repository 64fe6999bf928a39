import { parentPort, type MessagePort } from 'node:worker_threads'
import { setPriority } from 'node:os'
import { giveUpFirstBuffer } from '@narthex/service/compiler'
import { SampleColumns } from '@narthex/model/sample-columns'
import { encodeResult } from '@narthex/promql/encode-result'
import { evaluateInstant, evaluateRange, explainInstant, explainRange, type EngineOptions } from '@narthex/promql/engine'
import { ParseError } from '@narthex/promql/parse/parse-error'
import type { Expression } from '@narthex/promql/parse/ast'
import { parseAnySelector, parseExpression, parseMetricSelector, type ParseOptions } from '@narthex/promql/parse/parse'
import type { ExplainedPart } from '@narthex/promql/plan/explain-plan'
import type { AbortFlag } from '@narthex/promql/query-context'
import { QueryError } from '@narthex/promql/query-error'
import { nativeOfHistogram } from '@narthex/promql/histogram/native-of-histogram'
import { LabelsWriter } from '@narthex/promql/write-labels'
import { ResultBuffers, type QueryResult } from '@narthex/promql/query-result'
import { sortBytewise } from '@narthex/model/compare'
import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { BlockError } from '@narthex/tsdb/block/block-error'
import type { HeadDescriptor } from '@narthex/tsdb/head/head-memory'
import { BlockGoneError } from '@narthex/tsdb/select/block-shelf'
import { HeadReader } from '@narthex/tsdb/select/head-reader'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import { answerExemplars } from './answer-exemplars.ts'
import { answerExport } from './answer-export.ts'
import { answerFederation } from './answer-federation.ts'
import { answerRemoteRead } from './answer-remote-read.ts'
import { AnswerWriter } from './answer-writer.ts'
import { CancelFlag } from './cancel-flag.ts'
import {
  contributePart,
  endGathering,
  gatherParts,
  measureResult,
  rehearsePart,
  writeGathered,
  type DividedAnswer,
  type DividedQuery,
} from './divided-query.ts'
import { PartSender } from './part-sender.ts'
import { chooseSmallIndexes, findBlocks } from './find-blocks.ts'
import { QueryClaim, QueryMemory } from './query-memory.ts'
import { viewStatistics, type SamplesPerStep } from './query-observer.ts'
import { QueryStorage } from './query-storage.ts'
import { perStepFeature, startTimestampsFeature, toParseOptions } from './feature-flags.ts'
import { givenBytesMin, keptBytesMax } from './query-protocol.ts'
import type {
  LastColumns,
  ListRequest,
  QueryCall,
  QueryEnd,
  QueryOutcome,
  QueryReply,
  QueryRequest,
  QueryShare,
  QueryWorkerBoot,
  QueryWorkerData,
  QueryWorkerOptions,
  ReturnedBuffer,
  VectorColumns,
  WarmedUp,
  WarmUpCall,
} from './query-protocol.ts'
import { WarmUp, type WarmUpOptions } from './warm-up.ts'

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
/** A warm-up looks so often whether queries have ended. */
const warmUpPauseMs = 20

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

interface WarmUpState {
  readonly running: SharedArrayBuffer
  /** As they were told last. */
  readonly known: () => Pick<QueryCall, 'blocks' | 'deletions'>
  readonly isOver: () => boolean
  readonly onDone?: () => void
  /** Whether somebody asked this thread. */
  readonly isAsked?: () => boolean
  readonly msMax: number
}

function warmUp(parts: ThreadParts, { running, known, isOver, onDone, isAsked, msMax }: WarmUpState): void {
  const { storage, engine, buffer, claim } = parts
  const signal = new CancelFlag(running)
  const check = (): void => checkAlive(signal, Infinity)
  let reader: Queryable
  const answerInParts: WarmUpOptions['answerInParts'] = async (limited, query, startMs, endMs, stepMs) => {
    const request = { kind: 'range', query, startMs, endMs, stepMs, lookbackMs: undefined, limit: 0, stats: '', explain: '' } as const
    const deadlineMs = Date.now() + (limited.timeoutMs ?? 0)
    const asked: QueryCall = { ...{ id: 0, request, deadlineMs, queuedMs: 0, cancel: running }, blocks: known().blocks }
    const share: QueryShare = { index: 0, count: 2, ports: [], ended: new SharedArrayBuffer(4) }
    await answerDivided({ call: asked, request, share, reader, preparationMs: 0 }, { ...parts, engine: limited })
  }
  const { blocks } = known()
  const blocksEndMs = blocks.reduce((end, { maxTimeMs }) => Math.max(end, maxTimeMs - 1), -Infinity)
  const steps = new WarmUp({
    ...{ engine, signal, answerInParts, msMax },
    write: (result) => void encodeQueryAnswer(result, 0, undefined, buffer),
    answerList: (request) => void answerLists(request, reader, storage, buffer),
    // Blocks that were never read are what it has to be quick at.
    beginRound: () => (isAsked?.() === true ? undefined : storage.forgetPages()),
    endMs: Math.max(storage.maxTimeMs, blocksEndMs),
    blocks: chooseSmallIndexes(blocks),
  })
  const goOn = async (): Promise<void> => {
    if (isOver()) return
    if (steps.isDone) return onDone?.()
    // Who asks has the processors.
    if (signal.aborted) return void setTimeout(() => void goOn(), warmUpPauseMs).unref()
    reader = storage.open(known(), check)
    await steps.step(reader)
    claim.reset()
    buffer.shrink(keptBytesMax)
    storage.release()
    setTimeout(() => void goOn(), 0)
  }
  void goOn()
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

interface ThreadParts {
  readonly storage: QueryStorage
  readonly engine: EngineOptions
  readonly port: MessagePort
  readonly buffer: AnswerWriter
  /** For a part of an answer. */
  readonly partBuffer: AnswerWriter
  readonly claim: QueryClaim
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

interface DividedCall {
  readonly call: QueryCall
  readonly request: Extract<QueryRequest, { kind: 'range' }>
  readonly share: QueryShare
  readonly reader: Queryable
  readonly preparationMs: number
}

function contribute(divided: DividedCall, parts: ThreadParts): QueryEnd {
  const part = toDividedQuery(divided, parts)
  if (divided.share.isRehearsal === true) rehearsePart(part)
  else contributePart(part)
  return { id: divided.call.id, isSent: true }
}

/** Undefined: it is up to the whole query. */
async function answerDivided(divided: DividedCall, parts: ThreadParts): Promise<QueryEnd | undefined> {
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

function checkAlive(signal: AbortFlag, deadlineMs: number): void {
  if (signal.aborted) throw new QueryError('canceled', 'query was canceled in expression evaluation')
  if (Date.now() > deadlineMs) throw new QueryError('timeout', 'query timed out in expression evaluation')
}

type EngineRequest = Extract<QueryRequest, { kind: 'instant' | 'range' | 'vector' }>

function evaluate(request: EngineRequest, deadlineMs: number, signal: AbortFlag, reader: Queryable, engine: EngineOptions): QueryResult {
  const options = optionsOf(request, deadlineMs, signal, engine)
  if (request.kind === 'range') return evaluateRange(options, reader, request.query, request.startMs, request.endMs, request.stepMs)
  return evaluateInstant(options, reader, request.query, request.timeMs)
}

function optionsOf(request: EngineRequest, deadlineMs: number, signal: AbortFlag, engine: EngineOptions): EngineOptions {
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

function encodeQueryAnswer(whole: QueryResult, limit: number, statistics: unknown, buffer: AnswerWriter): Uint8Array {
  const result = limitSeries(whole, limit)
  buffer.begin(whole.statistics.peakBytes)
  buffer.utf8('{"status":"success","data":')
  const extra = { stats: statistics, explain: whole.explanation }
  encodeResult(result, buffer, JSON.stringify(extra).slice(1, -1))
  endAnswer(buffer, result === whole ? result.warnings : [...result.warnings, truncatedText], result.infos)
  return takeBody(buffer)
}

/** What stands behind the data. */
function endAnswer(buffer: AnswerWriter, warnings: readonly string[], infos: readonly string[]): void {
  if (warnings.length > 0) buffer.utf8(`,"warnings":${JSON.stringify(warnings)}`)
  if (infos.length > 0) buffer.utf8(`,"infos":${JSON.stringify(infos)}`)
  buffer.utf8('}')
}

const truncatedText = 'results truncated due to limit'

function isCut(limit: number, series: number): boolean {
  return limit > 0 && series > limit
}

/** A large buffer goes to the other side itself, and may come back; of a small one a copy does. */
function takeBody(buffer: AnswerWriter): Uint8Array {
  return buffer.length < givenBytesMin ? buffer.view().slice() : buffer.take()
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

function parseQuery(query: string, options: ParseOptions): Expression {
  try {
    return parseExpression(query, options)
  } catch (error) {
    if (error instanceof ParseError) throw new QueryError('bad_data', error.message, { cause: error })
    throw error
  }
}

function limitSeries(result: QueryResult, limit: number): QueryResult {
  const { series, type } = result
  if (!isCut(limit, series.labels.length) || (type !== 'vector' && type !== 'matrix')) return result
  return { ...result, series: { ...series, labels: series.labels.slice(0, limit) } }
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

function parseMatchers(selector: string, parse = parseMetricSelector): readonly Matcher[] {
  try {
    return parse(selector)
  } catch (error) {
    if (error instanceof ParseError) throw new QueryError('bad_data', error.message, { cause: error })
    throw error
  }
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

function answerHeadStatistics({ limit }: { limit: number }, head: HeadReader): string {
  return writeEmptyHeadTimes(envelope(viewHeadStatus(head, limit), []))
}

function answerLists(request: ListRequest, reader: Queryable, storage: QueryStorage, buffer: AnswerWriter): Uint8Array {
  const { matchers, startMs, endMs, limit } = request
  const sets = matchers.map((selector) => parseMatchers(selector))
  buffer.begin(0)
  if (request.kind === 'series') {
    const writer = new LabelsWriter(buffer)
    const list = { values: listSeries(sets, reader, startMs, endMs, buffer), write: (labels: Labels) => writer.write(labels) }
    writeList(buffer, list, limit, () => storage.warnings())
    return takeBody(buffer)
  }
  const ask = (set: readonly Matcher[]) => {
    const values =
      request.kind === 'labelNames' ? reader.labelNames(set, startMs, endMs) : reader.labelValues(request.name, set, startMs, endMs)
    buffer.hold(values.reduce((bytes, value) => bytes + stringBytes + value.length, 0))
    return values
  }
  const texts = sets.length <= 1 ? ask(sets[0] ?? []) : sortBytewise([...new Set(sets.flatMap(ask))])
  writeTexts(buffer, texts, limit, () => storage.warnings())
  return takeBody(buffer)
}

/** A string and its place in a list or set, about. */
const stringBytes = 32

/** The label sets of the series that any of the selectors finds, each once, in their order. */
function* listSeries(sets: readonly (readonly Matcher[])[], reader: Queryable, startMs: number, endMs: number, buffer: AnswerWriter) {
  const merged = new Map<string, Labels>()
  for (const set of sets) {
    const series = reader.select(set, startMs, endMs)
    while (series.next()) {
      const labels = series.labels()
      if (sets.length === 1) {
        yield labels
        continue
      }
      const key = labels.key()
      if (!merged.has(key)) buffer.hold(stringBytes + 4 * key.length)
      merged.set(key, labels)
    }
  }
  yield* [...merged.values()].sort((a, b) => Labels.compare(a, b))
}

/** Texts, and characters of them, that are quoted at a time. */
const textsPerPart = 4096
const charactersPerPart = 256 * 1024

/** The envelope with a list of texts, of `limit` at most (0 = all of them). */
function writeTexts(buffer: AnswerWriter, texts: readonly string[], limit: number, warningsOf: () => readonly string[]): void {
  const isTruncated = isCut(limit, texts.length)
  const count = isTruncated ? limit : texts.length
  buffer.utf8('{"status":"success","data":[')
  for (let from = 0; from < count;) {
    let to = from
    for (let characters = 0; to < count && to - from < textsPerPart && characters < charactersPerPart; to++) characters += texts[to]!.length
    if (from > 0) buffer.utf8(',')
    buffer.utf8(JSON.stringify(texts.slice(from, to)).slice(1, -1))
    from = to
  }
  endList(buffer, isTruncated, warningsOf())
}

/** The envelope with a list, of `limit` entries at most (0 = all of them). */
function writeList<T>(
  buffer: AnswerWriter,
  { values, write }: { readonly values: Iterable<T>; readonly write: (value: T) => void },
  limit: number,
  warningsOf: () => readonly string[],
): void {
  let count = 0
  let isTruncated = false
  buffer.utf8('{"status":"success","data":[')
  for (const value of values) {
    if (limit > 0 && count === limit) {
      isTruncated = true
      break
    }
    if (count++ > 0) buffer.utf8(',')
    write(value)
  }
  endList(buffer, isTruncated, warningsOf())
}

function endList(buffer: AnswerWriter, isTruncated: boolean, warnings: readonly string[]): void {
  buffer.utf8(']')
  const told = isTruncated ? [...warnings, truncatedText] : warnings
  buffer.utf8(told.length === 0 ? '}' : `,"warnings":${JSON.stringify(told)}}`)
}

function envelope(data: unknown, warnings: readonly string[]): string {
  return JSON.stringify({ status: 'success', data, ...(warnings.length === 0 ? {} : { warnings }) })
}

/** The extremes of int64, digit by digit: as a double they would overflow a Go client's integer. */
function writeEmptyHeadTimes(json: string): string {
  return json.replace('"minTime":null,"maxTime":null', '"minTime":9223372036854775807,"maxTime":-9223372036854775808')
}

function viewHeadStatus(reader: HeadReader, limit: number) {
  const status = reader.status(limit)
  // Infinite for an empty head, which becomes null here; `writeEmptyHeadTimes` puts in what Prometheus shows.
  const minTime = status.minTimeMs
  const maxTime = status.maxTimeMs
  return {
    headStats: {
      numSeries: status.seriesCount,
      numLabelPairs: status.labelPairCount,
      chunkCount: status.chunkCount,
      minTime,
      maxTime,
    },
    seriesCountByMetricName: status.seriesCountByMetricName,
    labelValueCountByLabelName: status.labelValueCountByLabelName,
    memoryInBytesByLabelName: status.memoryInBytesByLabelName,
    seriesCountByLabelValuePair: status.seriesCountByLabelValuePair,
  }
}
