import type { Worker } from 'node:worker_threads'
import type { LastColumns, QueryCall, QueryReply, QueryRequest, VectorColumns } from './query-protocol.ts'

/** A query that did not give a result; `kind` is the errorType of Prometheus' API. */
export class QueryFailure extends Error {
  override name = 'QueryFailure'
  readonly kind: 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'internal'

  constructor(kind: QueryFailure['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

export interface QueryPoolOptions {
  /** Starts one worker; `release` is called when it has gone, so that what it held in the shared head is let go. */
  startWorker(): { readonly worker: Worker; release(): void }
  /** Threads at most. Each evaluates one query at a time. */
  workersMax: number
  /** Queries that may wait; one more is refused at once. */
  queueMax: number
  /** A worker that still computes this long after its deadline or its cancellation is ended. */
  graceMs: number
  /** An idle worker ends after this time and gives its memory back. */
  idleMs: number
  log: { warn(message: string, fields?: Record<string, unknown>): void }
}

export type EncodedReply = { readonly status: number; readonly body: Uint8Array }
export type PoolReply = EncodedReply | VectorColumns | LastColumns

interface Job {
  readonly call: QueryCall
  readonly signal: AbortSignal | undefined
  resolve(reply: PoolReply): void
  reject(error: QueryFailure): void
  onAbort: (() => void) | undefined
  slot: Slot | undefined
  timer: NodeJS.Timeout | undefined
}

interface Slot {
  readonly worker: Worker
  readonly threadId: number
  release(): void
  job: Job | undefined
  idleTimer: NodeJS.Timeout | undefined
}

/**
 * Runs queries in worker threads over the shared head, first come, first served. A worker that dies fails the query it
 * was on and nothing else; the next query starts a new one. Bounds: `workersMax` threads, `queueMax` waiting queries.
 */
export class QueryPool {
  readonly #options: QueryPoolOptions
  readonly #slots = new Set<Slot>()
  readonly #waiting: Job[] = []
  #nextId = 1
  #closed = false

  constructor(options: QueryPoolOptions) {
    this.#options = options
  }

  /** Resolves with what the worker answered; rejects with a QueryFailure. */
  run(request: QueryRequest, timeoutMs: number, signal?: AbortSignal): Promise<PoolReply> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new QueryFailure('internal', 'cannot run a query: the server is stopping'))
      if (signal?.aborted) return reject(new QueryFailure('canceled', 'query was canceled in query queue'))
      if (this.#waiting.length >= this.#options.queueMax) {
        return reject(new QueryFailure('timeout', `cannot queue a query: ${this.#waiting.length} are waiting already, the limit`))
      }
      const call: QueryCall = { id: this.#nextId++, request, deadlineMs: Date.now() + timeoutMs, cancel: new SharedArrayBuffer(4) }
      const job: Job = { call, signal, resolve, reject, onAbort: undefined, slot: undefined, timer: undefined }
      job.onAbort = () => this.#cancel(job)
      signal?.addEventListener('abort', job.onAbort, { once: true })
      job.timer = setTimeout(() => this.#expire(job), timeoutMs + this.#options.graceMs)
      this.#waiting.push(job)
      this.#dispatch()
    })
  }

  /** Ends every worker; waiting queries fail. */
  async close(): Promise<void> {
    this.#closed = true
    for (const job of this.#waiting.splice(0)) this.#fail(job, 'canceled', 'query was canceled: the server is stopping')
    await Promise.all([...this.#slots].map((slot) => slot.worker.terminate()))
  }

  get activeQueries(): number {
    let active = 0
    for (const slot of this.#slots) if (slot.job) active++
    return active
  }

  /** Ids of the threads that run now; for tests and the status page. */
  get threadIds(): number[] {
    return [...this.#slots].map((slot) => slot.threadId)
  }

  /** Ends a worker in whatever it does, as a crash would. */
  async terminate(threadId: number): Promise<void> {
    for (const slot of this.#slots) if (slot.threadId === threadId) await slot.worker.terminate()
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const slot = this.#findIdle() ?? this.#startSlot()
      if (!slot) return
      const job = this.#waiting.shift()!
      clearTimeout(slot.idleTimer)
      slot.job = job
      job.slot = slot
      slot.worker.postMessage(job.call)
    }
  }

  #findIdle(): Slot | undefined {
    for (const slot of this.#slots) if (!slot.job) return slot
    return undefined
  }

  #startSlot(): Slot | undefined {
    if (this.#slots.size >= this.#options.workersMax) return undefined
    const { worker, release } = this.#options.startWorker()
    const slot: Slot = { worker, release, threadId: worker.threadId, job: undefined, idleTimer: undefined }
    this.#slots.add(slot)
    worker.on('message', (reply: QueryReply) => this.#onReply(slot, reply))
    worker.on('error', (error) => this.#options.log.warn('query worker failed', { err: error.message }))
    worker.on('exit', () => this.#onExit(slot))
    return slot
  }

  #onReply(slot: Slot, reply: QueryReply): void {
    const job = slot.job
    slot.job = undefined
    if (job && job.call.id === reply.id) {
      this.#settle(job)
      if ('failure' in reply) job.reject(new QueryFailure(reply.failure.kind, reply.failure.message))
      else if ('vector' in reply) job.resolve(reply.vector)
      else if ('last' in reply) job.resolve(reply.last)
      else job.resolve({ status: reply.status, body: reply.body })
    }
    slot.idleTimer = setTimeout(() => this.#endSlot(slot), this.#options.idleMs)
    slot.idleTimer.unref()
    this.#dispatch()
  }

  // Taken out of the set at once, so that no new query is given to a thread that is about to end.
  #endSlot(slot: Slot): void {
    this.#slots.delete(slot)
    void slot.worker.terminate()
    if (!this.#closed) this.#dispatch()
  }

  #onExit(slot: Slot): void {
    this.#slots.delete(slot)
    clearTimeout(slot.idleTimer)
    slot.release()
    if (slot.job) this.#fail(slot.job, 'internal', 'cannot finish the query: its worker thread ended')
    if (!this.#closed) this.#dispatch()
  }

  // Asked to stop, a worker answers at its next check; one that does not is ended after the grace.
  #cancel(job: Job): void {
    const waiting = this.#waiting.indexOf(job)
    if (waiting >= 0) {
      this.#waiting.splice(waiting, 1)
      this.#fail(job, 'canceled', 'query was canceled in query queue')
      return
    }
    Atomics.store(new Int32Array(job.call.cancel), 0, 1)
    clearTimeout(job.timer)
    job.timer = setTimeout(() => this.#expire(job), this.#options.graceMs)
  }

  #expire(job: Job): void {
    const waiting = this.#waiting.indexOf(job)
    if (waiting >= 0) {
      this.#waiting.splice(waiting, 1)
      this.#fail(job, 'timeout', 'query timed out in query queue')
      return
    }
    const slot = job.slot
    if (!slot || slot.job !== job) return
    this.#fail(job, 'timeout', 'query timed out in expression evaluation')
    slot.job = undefined
    this.#endSlot(slot)
  }

  #fail(job: Job, kind: QueryFailure['kind'], message: string): void {
    this.#settle(job)
    job.reject(new QueryFailure(kind, message))
  }

  #settle(job: Job): void {
    clearTimeout(job.timer)
    if (job.onAbort) job.signal?.removeEventListener('abort', job.onAbort)
  }
}
