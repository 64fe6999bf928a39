import type { MessagePort } from 'node:worker_threads'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import type { Explain, ExportFormat, RemoteReadQuery } from '@narthex/api/backend'
import type { DeletedIntervals } from '@narthex/tsdb/head/deleted-intervals'
import type { ExemplarSnapshot } from '@narthex/tsdb/exemplars/exemplar-snapshot'
import type { ShelvedBlock } from '@narthex/tsdb/select/block-shelf'
import type { Remark } from '@narthex/promql/annotations'
import type { MatrixPart } from '@narthex/promql/encode-parts'
import type { QueryMemoryShare } from './query-memory.ts'

/** What the main thread and a query worker say to each other. All plain data: it crosses by structured clone. */

export type QueryRequest =
  | {
      readonly kind: 'instant'
      readonly query: string
      readonly timeMs: number
      readonly lookbackMs: number | undefined
      readonly limit: number
      readonly stats: string
      readonly explain?: Explain
    }
  | {
      readonly kind: 'range'
      readonly query: string
      readonly startMs: number
      readonly endMs: number
      readonly stepMs: number
      readonly lookbackMs: number | undefined
      readonly limit: number
      readonly stats: string
      readonly explain?: Explain
    }
  /** For rules and templates: values come back as columns instead of JSON. */
  | { readonly kind: 'vector'; readonly query: string; readonly timeMs: number }
  | {
      readonly kind: 'series'
      readonly matchers: readonly string[]
      readonly startMs: number
      readonly endMs: number
      readonly limit: number
    }
  | {
      readonly kind: 'labelNames'
      readonly matchers: readonly string[]
      readonly startMs: number
      readonly endMs: number
      readonly limit: number
    }
  | {
      readonly kind: 'labelValues'
      readonly name: string
      readonly matchers: readonly string[]
      readonly startMs: number
      readonly endMs: number
      readonly limit: number
    }
  | { readonly kind: 'headStatistics'; readonly limit: number }
  /** Of the series that the selectors of an expression take. */
  | { readonly kind: 'exemplars'; readonly query: string; readonly startMs: number; readonly endMs: number }
  /** Raw samples as lines; the answer comes in parts. */
  | {
      readonly kind: 'export'
      readonly matchers: readonly string[]
      readonly startMs: number
      readonly endMs: number
      readonly format: ExportFormat
    }
  /** The newest samples of series as an exposition. */
  | {
      readonly kind: 'federate'
      readonly matchers: readonly string[]
      readonly timeMs: number
      readonly format: 'text' | 'protobuf'
      readonly allowsUtf8: boolean
      /** name, value, … */
      readonly externalLabels: readonly string[]
    }
  /** Newest sample of each series that a selector matches; values as words. For the rules' restore. */
  | { readonly kind: 'lastSamples'; readonly selector: string; readonly startMs: number; readonly endMs: number }

  /** The answer comes in parts. */
  | {
      readonly kind: 'remoteRead'
      readonly queries: readonly RemoteReadQuery[]
      readonly streams: boolean
      /** name, value, … */
      readonly externalLabels: readonly string[]
      readonly samplesMax: number
      readonly frameBytesMax: number
    }

/** For names and values of labels, and series. */
export type ListRequest = Extract<QueryRequest, { kind: 'series' | 'labelNames' | 'labelValues' }>

/** For a thread that has nothing to do: see `WarmUp`. */
export interface WarmUpCall extends Pick<QueryCall, 'blocks' | 'deletions'> {
  /** One Int32: the queries that threads work on. It waits as long as there are any. */
  readonly running: SharedArrayBuffer
}

/** The buffer of an answer that was sent, for the next one. */
export interface ReturnedBuffer {
  readonly returned: ArrayBuffer
}

/** A smaller answer is copied, and its buffer stays where it is; a larger buffer is not kept for the next one. */
export const givenBytesMin = 128 * 1024
export const keptBytesMax = 8 * 1024 * 1024

export interface QueryCall {
  readonly id: number
  readonly request: QueryRequest
  /** Milliseconds of the clock by which the query must have ended. */
  readonly deadlineMs: number
  /** How long it waited for the thread. */
  readonly queuedMs: number
  /** One Int32: 1 = the caller no longer wants the answer. */
  readonly cancel: SharedArrayBuffer
  /** One Int32, if the answer may come in parts: bytes of them that are not taken yet. */
  readonly flow?: SharedArrayBuffer
  /** The blocks of the storage when the query was given to the thread. */
  readonly blocks: readonly ShelvedBlock[]
  /** What was deleted of the head by then; shared memory, so that it costs nothing to send. */
  readonly deletions?: DeletedIntervals | undefined
  /** For a query of exemplars; shared memory. */
  readonly exemplars?: ExemplarSnapshot | undefined
  /** Set if several threads evaluate a range query together. */
  readonly share?: QueryShare
}

/** What a thread has of a query that several evaluate, each at some of its steps. */
export interface QueryShare {
  /** 0: the one that answers. */
  readonly index: number
  readonly count: number
  /** To each of the others; they have the one to the thread that answers. It gets a `PartReply`, or nothing before the port is closed, and gives the buffer of the texts back. */
  readonly ports: readonly MessagePort[]
  /** One Int32: 1 = nobody waits for further parts. */
  readonly ended: SharedArrayBuffer
  /** Nobody does: the thread is to open what its part reads, and to become quick at it. */
  readonly isRehearsal?: boolean
}

/** A part of the answer; undefined: it met an error. */
export type PartReply = EvaluatedPart | undefined

export interface EvaluatedPart {
  readonly texts: MatrixPart
  readonly remarks: readonly Remark[]
  /** What the storage says. */
  readonly storageWarnings: readonly string[]
  readonly measures: QueryMeasures
}

/** How a query failed: the errorType of Prometheus' API. */
export type QueryFailureKind = 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'internal'

/** What the evaluation of a query took. */
export interface QueryMeasures {
  /** Opening the storage. */
  readonly preparationMs: number
  readonly evaluationMs: number
  /** Writing the answer, where that is not in `evaluationMs`. Default: 0. */
  readonly writingMs?: number
  readonly totalQueryableSamples: number
  readonly samplesRead: number
  readonly peakSamples: number
  readonly peakBytes: number
  readonly series: number
  /** That had parts of it. Default: 1. */
  readonly threads?: number
}

export type QueryReply = QueryPart | QueryEnd

/** What a thread says of itself: it was told to warm up, and has. */
export interface WarmedUp {
  readonly isWarm: true
}

/** More of the answer follows. */
export interface QueryPart {
  readonly id: number
  readonly part: Uint8Array
}

export type QueryEnd = QueryOutcome & {
  /** Of a PromQL query that was evaluated. */
  readonly measures?: QueryMeasures
  /** The thread holds so much memory now that it should end instead of taking another query. */
  readonly retires?: boolean
  /** Blocks, and damaged parts of blocks, that cannot be read, each told once by a thread; the answer is without them. */
  readonly brokenBlocks?: readonly { readonly directory: string; readonly reason: string; readonly isPart?: boolean }[]
}

export type QueryOutcome =
  /** What there was to say was said in parts. */
  | { readonly id: number; readonly isSent: true }
  | { readonly id: number; readonly status: number; readonly body: Uint8Array }
  | { readonly id: number; readonly vector: VectorColumns }
  | { readonly id: number; readonly last: LastColumns }
  | {
      readonly id: number
      /** `gone`: a block was listed that is there no more; the query is to be asked again with a list of now. */
      readonly failure: { readonly kind: QueryFailureKind | 'gone'; readonly message: string }
    }

/** An instant vector (or a scalar: one entry without labels) as columns. */
export interface VectorColumns {
  readonly type: 'vector' | 'scalar'
  /** Flat name,value,… per series. */
  readonly labels: readonly (readonly string[])[]
  readonly values: Float64Array
  /** Results that are native histograms, by their place; 0 stands in `values`. undefined: there are none. */
  readonly histograms: readonly (NativeHistogram | undefined)[] | undefined
  readonly warnings: readonly string[]
}

/** The newest sample of each series as columns; words[2 * i] is the low, words[2 * i + 1] the high word. */
export interface LastColumns {
  readonly labels: readonly (readonly string[])[]
  readonly times: Float64Array
  readonly words: Uint32Array
}

/** What a worker is told first. */
export interface QueryWorkerBoot {
  readonly options: QueryWorkerOptions
  /** As of `WarmUpCall`. */
  readonly running: SharedArrayBuffer
  /** The data directory, if it is to warm up with the blocks that it finds there. */
  readonly aheadDirectory: string | undefined
}

/** What a worker is told when there is a storage. */
export interface QueryWorkerData {
  /** The shared head (`Head.descriptor()`). */
  readonly head: unknown
  readonly memory: QueryMemoryShare
}

export interface QueryWorkerOptions {
  readonly lookbackMs: number
  readonly samplesMax: number
  /** Pages of blocks that the thread keeps. */
  readonly cacheBytesMax: number
  /** A thread with more than this ends after its answer: idle, it would not collect its garbage for as long as it lives. */
  readonly keptBytesMax: number
  readonly defaultStepMs: number
  readonly featureFlags: readonly string[]
}
