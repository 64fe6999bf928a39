import type { Worker } from 'node:worker_threads'
import type { ActiveQuery, QueryOrigin } from './query-observer.ts'
import type { LastColumns, QueryCall, QueryFailureKind, QueryRequest, VectorColumns } from './query-protocol.ts'

// What a pool knows of a query that somebody waits for, and of a thread.

/** A query that did not give a result; `kind` is the errorType of Prometheus' API. */
export class QueryFailure extends Error {
  override name = 'QueryFailure'
  readonly kind: QueryFailureKind

  constructor(kind: QueryFailure['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

export interface EncodedReply {
  readonly status: number
  readonly body: Uint8Array
  /** For who does not need the body any more: its memory serves another answer. */
  readonly giveBack?: () => void
}

/** Undefined: all of the answer came in parts. */
export type PoolReply = EncodedReply | VectorColumns | LastColumns | undefined
/** Takes a part of an answer; `onTaken` is to be called when there is room for another. */
export type PartHandler = (part: Uint8Array, onTaken: () => void) => void

export interface Job {
  readonly origin: QueryOrigin | undefined
  readonly askedMs: number
  startedMs: number | undefined
  call: QueryCall
  /** How often it was given to a thread. */
  attempts: number
  readonly signal: AbortSignal | undefined
  readonly onPart: PartHandler | undefined
  resolve(reply: PoolReply): void
  reject(error: QueryFailure): void
  readonly onAbort: () => void
  isCanceled: boolean
  slot: Slot | undefined
  /** Those that evaluate parts of it for `slot`. */
  helpers: readonly Slot[]
  /** Nothing like it was asked before. */
  isNew: boolean
  timer: NodeJS.Timeout | undefined
}

export interface Slot {
  readonly worker: Worker
  readonly threadId: number
  release(): void
  heldBytes(): number
  job: Job | undefined
  /** The job of another slot of which this one evaluates a part, or what it rehearses. */
  helps: Pick<Job, 'call'> | undefined
  idleTimer: NodeJS.Timeout | undefined
  /** It has warmed up: also what it never met is quick. */
  isWarm: boolean
  /** What the thread said before it ended. */
  failure: string | undefined
  isOutOfMemory: boolean
}

export function isIdle({ job, helps }: Slot): boolean {
  return job === undefined && helps === undefined
}

/** Those that still work on it. */
export function slotsOf(job: Job): Slot[] {
  const helping = job.helpers.filter(({ helps }) => helps === job)
  return job.slot?.job === job ? [job.slot, ...helping] : helping
}

export function heldBytesOf(job: Job): number {
  return slotsOf(job).reduce((bytes, slot) => bytes + slot.heldBytes(), 0)
}

export function viewActive({ call, origin, askedMs, startedMs }: Job, heldBytes: number): ActiveQuery {
  return { id: call.id, request: call.request, origin, askedMs, startedMs, heldBytes }
}

export function clientOf({ origin }: Job): string {
  return origin?.kind === 'http' ? origin.clientAddress : ''
}

/** Nobody asked. */
export function isOfRehearsal({ origin }: Job): boolean {
  return origin?.kind === 'rehearsal'
}

export function isOfRules({ kind }: QueryRequest): boolean {
  return kind === 'vector' || kind === 'lastSamples'
}

export function asFailure({ kind, message }: { readonly kind: QueryFailureKind | 'gone'; readonly message: string }) {
  return { kind: kind === 'gone' ? ('execution' as const) : kind, message }
}
