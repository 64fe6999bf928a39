import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { setPriority } from 'node:os'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { SampleColumns } from '@narthex/model/sample-columns'
import { encodeResult } from '@narthex/promql/encode-result'
import { evaluateInstant, evaluateRange, type EngineOptions } from '@narthex/promql/engine'
import { ParseError } from '@narthex/promql/parse/parse-error'
import { parseMetricSelector } from '@narthex/promql/parse/parse'
import type { AbortFlag } from '@narthex/promql/query-context'
import { QueryError } from '@narthex/promql/query-error'
import type { QueryResult } from '@narthex/promql/query-result'
import type { Matcher } from '@narthex/model/matcher'
import { BlockError } from '@narthex/tsdb/block/block-error'
import type { HeadDescriptor } from '@narthex/tsdb/head/head-memory'
import { BlockGoneError } from '@narthex/tsdb/select/block-shelf'
import { HeadReader } from '@narthex/tsdb/select/head-reader'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import { answerRemoteRead } from './answer-remote-read.ts'
import { PartSender } from './part-sender.ts'
import { QueryStorage } from './query-storage.ts'
import { toParseOptions } from './feature-flags.ts'
import type {
  LastColumns,
  QueryCall,
  QueryOutcome,
  QueryReply,
  QueryRequest,
  QueryWorkerData,
  QueryWorkerOptions,
  VectorColumns,
} from './query-protocol.ts'

// A thread that evaluates queries over the shared head and the blocks, one at a time, and encodes its own answers.

// Queries yield to ingestion: on Linux the call sets this thread alone.
const workerNice = 10
/** A buffer above this is not kept for the next answer. */
const keptBytesMax = 4 * 1024 * 1024
/** A thread above this ends after its answer: idle, it would not collect its garbage for as long as it lives. */
const keptMemoryBytesMax = 256 * 1024 * 1024

// Its result has an ArrayBuffer of its own; that of a small Buffer is the pool's and cannot change threads.
const encoder = new TextEncoder()

const port = parentPort
if (port) {
  setThreadPriority()
  const { head, options } = workerData as QueryWorkerData
  const storage = new QueryStorage(new HeadReader(head as HeadDescriptor))
  const engine = toEngineOptions(options)
  port.on('message', (call: QueryCall) => {
    const outcome = answer(call, storage, engine, port)
    const brokenBlocks = storage.takeBroken()
    const reply: QueryReply = {
      ...outcome,
      ...(brokenBlocks.length === 0 ? {} : { brokenBlocks }),
      ...(measureMemory() > keptMemoryBytesMax ? { retires: true } : {}),
    }
    try {
      port.postMessage(reply, transferable(reply))
    } catch (error) {
      port.postMessage({ id: call.id, failure: { kind: 'internal', message: bugText(error) } } satisfies QueryReply)
    }
  })
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

function answer(call: QueryCall, storage: QueryStorage, engine: EngineOptions, ownPort: MessagePort): QueryOutcome {
  const signal = watchCancel(call)
  const check = () => checkAlive(signal, call.deadlineMs)
  const reader = storage.open(call, check)
  try {
    const { request } = call
    if (request.kind === 'headStatistics')
      return { id: call.id, status: 200, body: encoder.encode(answerHeadStatistics(request, storage.head)) }
    if (request.kind === 'remoteRead') {
      const sender = new PartSender(ownPort, call, check)
      answerRemoteRead(request, reader, { check, send: (part) => sender.send(part) })
      return { id: call.id, isSent: true }
    }
    const run = (wanted: EngineRequest) => withWarnings(evaluate(wanted, call.deadlineMs, signal, reader, engine), storage.warnings())
    if (request.kind === 'vector') return { id: call.id, vector: toColumns(run(request)) }
    if (request.kind === 'lastSamples') return { id: call.id, last: readLastSamples(request, reader) }
    if (request.kind === 'instant' || request.kind === 'range') {
      return { id: call.id, status: 200, body: encodeQueryAnswer(run(request), request) }
    }
    return { id: call.id, status: 200, body: encoder.encode(answerMetadata(request, reader, storage)) }
  } catch (error) {
    if (error instanceof BlockGoneError) return { id: call.id, failure: { kind: 'gone', message: error.message } }
    if (error instanceof BlockError) return { id: call.id, failure: { kind: 'execution', message: error.message } }
    if (error instanceof QueryError) return { id: call.id, failure: { kind: error.kind, message: error.message } }
    return { id: call.id, failure: { kind: 'internal', message: bugText(error) } }
  } finally {
    storage.head.release()
    if (buffer.bytes.length > keptBytesMax) buffer = new ByteWriter(64 * 1024)
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

function toEngineOptions(options: QueryWorkerOptions): EngineOptions {
  const has = (feature: string) => options.featureFlags.includes(feature)
  return {
    lookbackMs: options.lookbackMs,
    subqueryStepMs: options.defaultStepMs,
    samplesMax: options.samplesMax,
    bytesMax: options.bytesMax,
    delayedNameRemoval: has('promql-delayed-name-removal'),
    typeAndUnitLabels: has('type-and-unit-labels'),
    parse: toParseOptions(options.featureFlags),
  }
}

/** Whether the caller still wants the answer; a view that the engine may ask for every series. */
function watchCancel({ cancel }: QueryCall): AbortFlag {
  const flag = new Int32Array(cancel)
  return {
    get aborted() {
      return Atomics.load(flag, 0) !== 0
    },
  }
}

function checkAlive(signal: AbortFlag, deadlineMs: number): void {
  if (signal.aborted) throw new QueryError('canceled', 'query was canceled in expression evaluation')
  if (Date.now() > deadlineMs) throw new QueryError('timeout', 'query timed out in expression evaluation')
}

type EngineRequest = Extract<QueryRequest, { kind: 'instant' | 'range' | 'vector' }>

function evaluate(request: EngineRequest, deadlineMs: number, signal: AbortFlag, reader: Queryable, engine: EngineOptions): QueryResult {
  const lookbackMs = request.kind === 'vector' ? undefined : request.lookbackMs
  const options: EngineOptions = {
    ...engine,
    timeoutMs: Math.max(0, deadlineMs - Date.now()),
    signal,
    ...(lookbackMs === undefined ? {} : { lookbackMs }),
  }
  if (request.kind === 'range') return evaluateRange(options, reader, request.query, request.startMs, request.endMs, request.stepMs)
  return evaluateInstant(options, reader, request.query, request.timeMs)
}

let buffer = new ByteWriter(64 * 1024)

function encodeQueryAnswer(whole: QueryResult, request: { limit: number; stats: string }): Uint8Array {
  const result = limitSeries(whole, request.limit)
  buffer.reset()
  buffer.utf8('{"status":"success","data":')
  encodeResult(result, buffer, request.stats === '' ? '' : `"stats":${JSON.stringify(viewStatistics(result.statistics))}`)
  const warnings = result === whole ? result.warnings : [...result.warnings, 'results truncated due to limit']
  if (warnings.length > 0) buffer.utf8(`,"warnings":${JSON.stringify(warnings)}`)
  if (result.infos.length > 0) buffer.utf8(`,"infos":${JSON.stringify(result.infos)}`)
  buffer.utf8('}')
  const body = buffer.view()
  // A large buffer goes to the other side itself; of a small one a copy does, and the buffer serves the next answer.
  return buffer.bytes.length > keptBytesMax ? body : body.slice()
}

function limitSeries(result: QueryResult, limit: number): QueryResult {
  const { series, type } = result
  if (limit === 0 || series.labels.length <= limit || (type !== 'vector' && type !== 'matrix')) return result
  return { ...result, series: { ...series, labels: series.labels.slice(0, limit) } }
}

function viewStatistics(statistics: QueryResult['statistics']) {
  const evalTotalTime = statistics.evaluationMs / 1000
  return {
    timings: {
      evalTotalTime,
      resultSortTime: 0,
      queryPreparationTime: 0,
      innerEvalTime: evalTotalTime,
      execQueueTime: 0,
      execTotalTime: evalTotalTime,
    },
    samples: {
      totalQueryableSamples: statistics.totalQueryableSamples,
      samplesRead: statistics.samplesRead,
      peakSamples: statistics.peakSamples,
    },
  }
}

function toColumns(result: QueryResult): VectorColumns {
  if (result.type !== 'vector' && result.type !== 'scalar') {
    throw new QueryError('execution', `rule result is not a vector or scalar`)
  }
  return {
    type: result.type,
    labels: result.series.labels.map((labels) => labels.pairs),
    values: result.series.values.slice(0, result.series.labels.length),
    warnings: result.warnings,
  }
}

function withWarnings(result: QueryResult, warnings: readonly string[]): QueryResult {
  return warnings.length === 0 ? result : { ...result, warnings: [...result.warnings, ...warnings] }
}

function parseMatchers(selector: string): readonly Matcher[] {
  try {
    return parseMetricSelector(selector)
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

type MetadataRequest = Extract<QueryRequest, { kind: 'series' | 'labelNames' | 'labelValues' }>

function answerHeadStatistics({ limit }: { limit: number }, head: HeadReader): string {
  return writeEmptyHeadTimes(envelope(viewHeadStatus(head, limit), []))
}

function answerMetadata(request: MetadataRequest, reader: Queryable, storage: QueryStorage): string {
  const { matchers, startMs, endMs, limit } = request
  const sets = matchers.map(parseMatchers)
  if (request.kind === 'series') {
    const found = new Map<string, Record<string, string>>()
    for (const set of sets) {
      const series = reader.select(set, startMs, endMs)
      while (series.next()) {
        const labels = series.labels()
        found.set(labels.key(), labels.toRecord())
      }
    }
    return limited([...found.values()], limit, storage.warnings())
  }
  const ask = (set: readonly Matcher[]) =>
    request.kind === 'labelNames' ? reader.labelNames(set, startMs, endMs) : reader.labelValues(request.name, set, startMs, endMs)
  if (sets.length <= 1) {
    const values = ask(sets[0] ?? [])
    return limited(values, limit, storage.warnings())
  }
  const merged = new Set(sets.flatMap(ask))
  return limited(
    [...merged].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    limit,
    storage.warnings(),
  )
}

function limited(values: readonly unknown[], limit: number, warnings: readonly string[]): string {
  const cut = limit > 0 && values.length > limit
  return envelope(cut ? values.slice(0, limit) : values, cut ? [...warnings, 'results truncated due to limit'] : warnings)
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
