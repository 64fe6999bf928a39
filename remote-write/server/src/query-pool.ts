import type { Worker } from 'node:worker_threads'
import type { DeletedIntervals } from '@narthex/tsdb/head/deleted-intervals'
import type { ExemplarSnapshot } from '@narthex/tsdb/exemplars/exemplar-snapshot'
import type { ShelvedBlock } from '@narthex/tsdb/select/block-shelf'
import { noteTaken } from './part-sender.ts'
import {
  asFailure,
  clientOf,
  heldBytesOf,
  isIdle,
  isOfRules,
  isOfRehearsal,
  QueryFailure,
  slotsOf,
  viewActive,
  type EncodedReply,
  type Job,
  type PartHandler,
  type PoolReply,
  type Slot,
} from './query-job.ts'
import { QuerySharing } from './query-sharing.ts'
import type { ActiveQuery, EndedQuery, QueryOrigin } from './query-observer.ts'
import { givenBytesMin, keptBytesMax } from './query-protocol.ts'
import type {
  QueryCall,
  QueryEnd,
  QueryMeasures,
  QueryPart,
  QueryReply,
  QueryRequest,
  ReturnedBuffer,
  WarmedUp,
  WarmUpCall,
} from './query-protocol.ts'

// Nobody waits for a cancelled query, so its thread is worth less than the time it would still take.
const cancelGraceMsMax = 500
/** A compaction replaces blocks every few minutes at most, so a second list is good. */
const attemptsMax = 3
/** A timer of Node.js takes 24.8 days, with the grace; a longer `--query.timeout` is this. */
const timeoutMsMax = 24 * 24 * 3600 * 1000
/** Damaged blocks and parts of blocks that are told. */
const toldMax = 10_000

export interface QueryPoolOptions {
  /** Starts one worker; `release` is called when it has gone, so that what it held in the shared head is let go. */
  startWorker(): { readonly worker: Worker; release(): void; /** Bytes that its query holds. */ heldBytes?(): number }
  /** One Int32 for the number of queries that threads work on, if somebody else is to see it. */
  running?: SharedArrayBuffer
  /** Threads at most. Each evaluates one query at a time. */
  workersMax: number
  /** A range query may have so many of the threads, if they have nothing else to do. Default: 1. */
  threadsPerQuery?: number
  /** One that takes less has one thread. Default: 5. */
  sharedMsMin?: number
  /** Queries that may wait; one more is refused at once. */
  queueMax: number
  /** A worker that still computes this long after its deadline is ended; after a cancellation at the latest after half a second. */
  graceMs: number
  /** An idle worker ends after this time and gives its memory back. */
  idleMs: number
  /** Why no further query is taken now, if so: memory. Rules are not asked; they take little, and alerts hang on them. */
  refusal?(): string | undefined
  /** The blocks of the storage as they are now. */
  listBlocks(): readonly ShelvedBlock[]
  /** What is deleted of the head now. */
  listDeletions?(): DeletedIntervals | undefined
  /** The exemplars that are kept now. */
  copyExemplars?(): ExemplarSnapshot | undefined
  /** Numbers the queries, for pools that are told of together. */
  nextId?(): number
  /** Told of each query that is given to a thread. */
  onBegin?(): void
  /** Told of each query that was taken, when it has ended. */
  onEnd?(ended: EndedQuery): void
  log: { warn(message: string, fields?: Record<string, unknown>): void }
}

/**
 * Runs queries in worker threads over the shared head: those of rules first, then those of the client that has the fewest running, each client's in
 * their order. A worker that dies fails the query it
 * was on and nothing else; the next query starts a new one. Threads that are idle help with a range query. Bounds: `workersMax` threads, `queueMax` waiting queries.
 */
export class QueryPool {
  readonly #options: QueryPoolOptions
  readonly #slots = new Set<Slot>()
  readonly #waiting: Job[] = []
  /** Calls of `runningEnded`, with the jobs that each still waits for. */
  readonly #awaited = new Set<{ readonly jobs: Set<Job>; readonly resolve: () => void }>()
  /** How many queries threads work on, for those that warm up. */
  readonly #running: Int32Array
  /** Those that were told. */
  readonly #brokenBlocks = new Set<string>()
  readonly #sharing: QuerySharing
  #nextId = 1
  #closed = false

  constructor(options: QueryPoolOptions) {
    this.#options = options
    this.#running = new Int32Array(options.running ?? new SharedArrayBuffer(4))
    this.#sharing = new QuerySharing({
      slots: this.#slots,
      helpersMax: this.#helpersMax,
      sharedMsMin: options.sharedMsMin,
      view: () => this.#view(),
      startThread: () => this.#startHelper(),
    })
  }

  /** Resolves with what the worker answered, after its parts; rejects with a QueryFailure. */
  run(request: QueryRequest, timeoutMs: number, signal?: AbortSignal, onPart?: PartHandler, origin?: QueryOrigin): Promise<PoolReply> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new QueryFailure('canceled', stoppingText))
      if (signal?.aborted) return reject(new QueryFailure('canceled', 'query was canceled in query queue'))
      const refusal = isOfRules(request) ? undefined : this.#options.refusal?.()
      if (refusal !== undefined) return reject(new QueryFailure('execution', `cannot begin a query: ${refusal}`))
      if (this.#waiting.length >= this.#options.queueMax) {
        return reject(new QueryFailure('timeout', `cannot queue a query: ${this.#waiting.length} are waiting already, the limit`))
      }
      const cancel = new SharedArrayBuffer(4)
      const flow = onPart === undefined ? {} : { flow: new SharedArrayBuffer(4) }
      const askedMs = Date.now()
      const limitMs = Math.min(timeoutMs, timeoutMsMax)
      const call: QueryCall = {
        id: this.#options.nextId?.() ?? this.#nextId++,
        request,
        deadlineMs: askedMs + limitMs,
        queuedMs: 0,
        cancel,
        ...flow,
        blocks: [],
      }
      const onAbort = () => this.#cancel(job)
      const job: Job = {
        ...{ call, origin, askedMs, startedMs: undefined, attempts: 0, signal, onPart, resolve, reject, onAbort },
        ...{ isCanceled: false, slot: undefined, helpers: [], isNew: false, timer: undefined },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      job.timer = setTimeout(() => this.#expire(job), limitMs)
      this.#waiting.push(job)
      this.#dispatch()
    })
  }

  /** Those that run, then those that wait. */
  active(): ActiveQuery[] {
    const running = [...this.#slots].flatMap(({ job }) => (job === undefined ? [] : [viewActive(job, heldBytesOf(job))]))
    return [...running, ...this.#waiting.map((job) => viewActive(job, 0))]
  }

  /** Ends a query as if its client had gone away; false if there is none of this id. */
  cancel(id: number): boolean {
    const jobs = [...this.#waiting, ...[...this.#slots].map((slot) => slot.job)]
    const job = jobs.find((candidate) => candidate?.call.id === id)
    if (job !== undefined) this.#cancel(job)
    return job !== undefined
  }

  /** Resolves when the queries that a worker has now have ended, or were given to another one with what it may read then. */
  runningEnded(): Promise<void> {
    const jobs = new Set<Job>()
    for (const { job } of this.#slots) if (job !== undefined) jobs.add(job)
    if (jobs.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#awaited.add({ jobs, resolve }))
  }

  /** Ends every worker; waiting and running queries fail. */
  async close(): Promise<void> {
    this.#closed = true
    this.#sharing.close()
    for (const job of this.#waiting.splice(0)) this.#fail(job, 'canceled', stoppingText)
    await Promise.all([...this.#slots].map((slot) => slot.worker.terminate()))
  }

  /** Queries of which several threads had parts. */
  get sharedQueries(): number {
    return this.#sharing.sharedQueries
  }

  get activeQueries(): number {
    let active = 0
    for (const slot of this.#slots) if (slot.job) active++
    return active
  }

  /** Whether all threads of one query are there and have warmed up. */
  get isWarm(): boolean {
    const slots = [...this.#slots]
    return slots.length > this.#helpersMax && slots.every(({ isWarm }) => isWarm)
  }

  /** Ids of the threads that run now; for tests and the status page. */
  get threadIds(): number[] {
    return [...this.#slots].map((slot) => slot.threadId)
  }

  /** Ends a worker in whatever it does, as a crash would. */
  async terminate(threadId: number): Promise<void> {
    for (const slot of this.#slots) if (slot.threadId === threadId) await slot.worker.terminate()
  }

  /**
   * Gives memory back: ends the idle threads, or, if there are none, the query that holds the most, with the reason. False if there was nothing
   * to end.
   */
  relieve(reason: string): boolean {
    this.#sharing.stop()
    const idle = [...this.#slots].filter(isIdle)
    for (const slot of idle) this.#endSlot(slot)
    if (idle.length > 0) return true
    let largest: Job | undefined
    for (const { job } of this.#slots) {
      if (job !== undefined && (largest === undefined || heldBytesOf(job) > heldBytesOf(largest))) largest = job
    }
    if (largest === undefined || heldBytesOf(largest) < relievedBytesMin) return false
    const slots = slotsOf(largest)
    largest.slot!.job = undefined
    this.#fail(largest, 'execution', `the query was ended, as it held the most memory: ${reason}`)
    for (const slot of slots) this.#endSlot(slot)
    return true
  }

  /**
   * Starts the threads of one query before somebody asks; they end as others do when nobody does. The first one at once: whoever asks next should have the
   * other processors.
   */
  warmUp(): void {
    if (this.#closed || (this.#slots.size === 0 && !this.#startWarm())) return
    this.#sharing.startHelpers()
  }

  /** False if there can be none. */
  #startWarm(): boolean {
    const slot = this.#startSlot()
    if (slot === undefined) return false
    const running = this.#running.buffer as SharedArrayBuffer
    slot.worker.postMessage({ running, ...this.#view() } satisfies WarmUpCall)
    this.#rest(slot)
    return true
  }

  #dispatch(): void {
    while (this.#waiting.length > 0 && !this.#closed) {
      const slot = this.#findIdle() ?? this.#startSlot()
      if (!slot) return this.#sharing.pause()
      const job = this.#takeNext()
      clearTimeout(slot.idleTimer)
      clearTimeout(job.timer)
      job.timer = setTimeout(() => this.#expire(job), Math.max(0, job.call.deadlineMs - Date.now()) + this.#options.graceMs)
      slot.job = job
      job.slot = slot
      job.attempts++
      job.startedMs ??= Date.now()
      job.call = { ...job.call, queuedMs: job.startedMs - job.askedMs, ...this.#view() }
      // Not before: one for each query that waits would be much.
      if (job.call.request.kind === 'exemplars') job.call = { ...job.call, exemplars: this.#options.copyExemplars?.() }
      this.#options.onBegin?.()
      this.#countRunning()
      this.#sharing.give(job, slot, this.#waiting.length === 0)
    }
  }

  get #helpersMax(): number {
    return Math.min(this.#options.threadsPerQuery ?? 1, this.#options.workersMax) - 1
  }

  /** What a thread may read now. */
  #view(): Pick<QueryCall, 'blocks' | 'deletions'> {
    return { blocks: this.#options.listBlocks(), deletions: this.#options.listDeletions?.() }
  }

  #startHelper(): boolean {
    if (this.#closed || !this.#startWarm()) return false
    this.#dispatch()
    this.#rehearse()
    return true
  }

  #rehearse(): void {
    if (!this.#closed && this.#waiting.length === 0) this.#sharing.rehearse()
  }

  #countRunning(): void {
    Atomics.store(this.#running, 0, this.activeQueries)
  }

  /** Nobody's many queries keep those of others waiting. */
  #takeNext(): Job {
    const running = new Map<string, number>()
    for (const { job } of this.#slots) if (job !== undefined) running.set(clientOf(job), (running.get(clientOf(job)) ?? 0) + 1)
    let next = 0
    let fewest = Infinity
    for (const [position, job] of this.#waiting.entries()) {
      // A second attempt has waited long enough.
      const count = isOfRules(job.call.request) || job.attempts > 0 ? -1 : (running.get(clientOf(job)) ?? 0)
      if (count >= fewest) continue
      fewest = count
      next = position
    }
    return this.#waiting.splice(next, 1)[0]!
  }

  #findIdle(): Slot | undefined {
    for (const slot of this.#slots) if (isIdle(slot)) return slot
    return undefined
  }

  #startSlot(): Slot | undefined {
    if (this.#slots.size >= this.#options.workersMax) return undefined
    let started
    try {
      started = this.#options.startWorker()
    } catch (error) {
      const reason = describeError(error)
      this.#options.log.warn('cannot start a query worker', { err: reason })
      // The workers that run will come to the queue; without any, nobody would.
      const job = this.#slots.size === 0 ? this.#waiting.shift() : undefined
      if (job !== undefined) this.#fail(job, 'internal', `cannot start a query worker: ${reason}`)
      return this.#slots.size === 0 && this.#waiting.length > 0 ? this.#startSlot() : undefined
    }
    const { worker, release } = started
    const slot: Slot = {
      ...{ worker, release, threadId: worker.threadId, heldBytes: () => started.heldBytes?.() ?? 0 },
      ...{ job: undefined, helps: undefined, idleTimer: undefined, isWarm: false, failure: undefined, isOutOfMemory: false },
    }
    this.#slots.add(slot)
    worker.on('message', (reply: QueryReply | WarmedUp) => this.#onReply(slot, reply))
    worker.on('messageerror', (error) => this.#onError(slot, error))
    worker.on('error', (error) => this.#onError(slot, error))
    worker.on('exit', () => this.#onExit(slot))
    return slot
  }

  #onReply(slot: Slot, reply: QueryReply | WarmedUp): void {
    if ('isWarm' in reply) return void (slot.isWarm = true)
    const job = slot.job
    // Nothing from a thread that was given up.
    if (!this.#slots.has(slot)) return
    if (slot.helps?.call.id === reply.id) return this.#onHelped(slot, reply)
    if (job?.call.id !== reply.id) return
    if ('part' in reply) return this.#onPart(job, reply.part)
    slot.job = undefined
    this.#countRunning()
    this.#tellBroken(reply)
    if ('failure' in reply && reply.failure.kind === 'gone' && job.attempts < attemptsMax && !job.isCanceled) {
      job.slot = undefined
      this.#noteEnd(job)
      this.#waiting.unshift(job)
    } else this.#finish(job, reply, slot)
    this.#next(slot, reply)
  }

  /** Whatever became of its part: the thread that answers knows. */
  #onHelped(slot: Slot, reply: QueryPart | QueryEnd): void {
    slot.helps = undefined
    if ('part' in reply) return
    // What a query does wrong the thread that answers tells, but not this.
    if ('failure' in reply && reply.failure.kind === 'internal')
      this.#options.log.warn('A part of a query failed', { err: reply.failure.message })
    this.#sharing.noteHelped()
    this.#tellBroken(reply)
    this.#next(slot, reply)
  }

  #next(slot: Slot, { retires }: QueryEnd): void {
    if (retires) return this.#endSlot(slot)
    this.#rest(slot)
    this.#dispatch()
    this.#rehearse()
  }

  #tellBroken({ brokenBlocks = [] }: QueryEnd): void {
    for (const { directory, reason, isPart } of brokenBlocks) this.#onBrokenBlock(directory, reason, isPart ?? false)
  }

  #rest(slot: Slot): void {
    slot.idleTimer = setTimeout(() => this.#endSlot(slot), this.#options.idleMs)
    slot.idleTimer.unref()
  }

  #onPart({ call, onPart }: Job, part: Uint8Array): void {
    const bytes = part.length
    onPart?.(part, () => {
      if (call.flow !== undefined) noteTaken(call.flow, bytes)
    })
  }

  #finish(job: Job, reply: QueryEnd, slot: Slot): void {
    if (reply.measures !== undefined && !isOfRehearsal(job)) this.#sharing.noteAnswered(job, reply.measures)
    this.#settle(job, 'failure' in reply ? asFailure(reply.failure) : undefined, reply.measures)
    if ('failure' in reply) {
      const { kind, message } = asFailure(reply.failure)
      job.reject(new QueryFailure(kind, message))
    } else if ('vector' in reply) job.resolve(reply.vector)
    else if ('last' in reply) job.resolve(reply.last)
    else if ('isSent' in reply) job.resolve(undefined)
    else job.resolve({ status: reply.status, body: reply.body, ...this.#returning(reply.body, slot) })
  }

  #returning({ buffer }: Uint8Array, slot: Slot): Pick<EncodedReply, 'giveBack'> {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < givenBytesMin || buffer.byteLength > keptBytesMax) return {}
    const giveBack = (): void => {
      if (this.#slots.has(slot) && !buffer.detached) slot.worker.postMessage({ returned: buffer } satisfies ReturnedBuffer, [buffer])
    }
    return { giveBack }
  }

  #onBrokenBlock(directory: string, reason: string, isPart: boolean): void {
    const told = isPart ? reason : directory
    if (this.#brokenBlocks.has(told) || this.#brokenBlocks.size >= toldMax) return
    this.#brokenBlocks.add(told)
    const what = isPart ? 'Part of a block' : 'A block'
    this.#options.log.warn(`${what} cannot be read; queries are answered without it`, { block: directory, err: reason })
  }

  // After an 'error' the thread ends by itself; an answer that cannot be read is the end of a query that would wait for it.
  #onError(slot: Slot, error: unknown): void {
    slot.failure = describeError(error)
    slot.isOutOfMemory = (error as { code?: unknown } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
    this.#options.log.warn('query worker failed', { err: slot.failure })
    void slot.worker.terminate()
  }

  // Taken out of the set at once, so that no new query is given to a thread that is about to end.
  #endSlot(slot: Slot): void {
    this.#slots.delete(slot)
    this.#countRunning()
    void slot.worker.terminate()
    this.#dispatch()
  }

  #onExit(slot: Slot): void {
    this.#slots.delete(slot)
    clearTimeout(slot.idleTimer)
    slot.release()
    const job = slot.job
    slot.job = undefined
    this.#countRunning()
    if (job && this.#closed) this.#fail(job, 'canceled', stoppingText)
    else if (job && slot.isOutOfMemory) this.#fail(job, 'execution', outOfMemoryText)
    else if (job) this.#fail(job, 'internal', `cannot finish the query: its worker thread ended${slot.failure ? `: ${slot.failure}` : ''}`)
    this.#dispatch()
  }

  // Asked to stop, a worker answers at its next check; one that does not is ended after the grace.
  #cancel(job: Job): void {
    job.isCanceled = true
    if (this.#leaveQueue(job)) return this.#fail(job, 'canceled', 'query was canceled in query queue')
    Atomics.store(new Int32Array(job.call.cancel), 0, 1)
    clearTimeout(job.timer)
    job.timer = setTimeout(() => this.#expire(job), Math.min(this.#options.graceMs, cancelGraceMsMax))
  }

  #expire(job: Job): void {
    if (this.#leaveQueue(job)) return this.#fail(job, 'timeout', 'query timed out in query queue')
    const slot = job.slot
    if (!slot || slot.job !== job) return
    const slots = slotsOf(job)
    slot.job = undefined
    if (job.isCanceled) this.#fail(job, 'canceled', 'query was canceled in expression evaluation')
    else this.#fail(job, 'timeout', 'query timed out in expression evaluation')
    for (const each of slots) this.#endSlot(each)
  }

  #leaveQueue(job: Job): boolean {
    const position = this.#waiting.indexOf(job)
    if (position >= 0) this.#waiting.splice(position, 1)
    return position >= 0
  }

  #fail(job: Job, kind: QueryFailure['kind'], message: string): void {
    this.#settle(job, { kind, message })
    job.reject(new QueryFailure(kind, message))
  }

  #noteEnd(job: Job): void {
    for (const awaited of this.#awaited) {
      if (!awaited.jobs.delete(job) || awaited.jobs.size > 0) continue
      this.#awaited.delete(awaited)
      awaited.resolve()
    }
  }

  #settle(job: Job, failure: EndedQuery['failure'], measures?: QueryMeasures): void {
    this.#noteEnd(job)
    clearTimeout(job.timer)
    job.signal?.removeEventListener('abort', job.onAbort)
    if (isOfRehearsal(job)) return
    const totalMs = Date.now() - job.askedMs
    const queuedMs = job.startedMs === undefined ? totalMs : job.startedMs - job.askedMs
    const { origin, askedMs } = job
    this.#options.onEnd?.({ request: job.call.request, origin, askedMs, queuedMs, totalMs, measures, failure })
  }
}

/** A query that holds less is not worth ending. */
const relievedBytesMin = 8 * 1024 * 1024
const outOfMemoryText = 'the query needs more memory for its labels and lists than a query thread may have'

const stoppingText = 'query was canceled: the server is stopping'

/** Never empty: a DOMException that crosses threads loses name and message and keeps its stack. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message !== '') return error.message
  return error.stack?.split('\n')[0] ?? error.name
}
