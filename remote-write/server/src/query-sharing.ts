import { MessageChannel } from 'node:worker_threads'
import { QueryCosts } from './query-costs.ts'
import { isIdle, isOfRehearsal, type Job, type Slot } from './query-job.ts'
import type { QueryCall, QueryMeasures, QueryShare } from './query-protocol.ts'
import { Rehearsals } from './rehearsals.ts'

/** A rehearsal ends long before. */
const rehearsalMsMax = 5000
/** The query that would have liked help does not wait for a thread to start. */
const helperDelayMs = 1000
/** A query that was never asked is shared out if it is over so many. */
const sharedBlocksMin = 6

export interface QuerySharingParts {
  /** The threads of the pool, in the order in which they started. */
  readonly slots: ReadonlySet<Slot>
  /** So many threads may help with a query. */
  readonly helpersMax: number
  /** As of `QueryPoolOptions`. */
  readonly sharedMsMin: number | undefined
  /** What a thread may read now. */
  readonly view: () => Pick<QueryCall, 'blocks' | 'deletions'>
  /** Starts one more; false if there is none. */
  readonly startThread: () => boolean
}

/** Gives parts of range queries to threads that have nothing to do: of those that are worth it, and when these threads will be quick at it. */
export class QuerySharing {
  /** Queries of which several threads had parts. */
  sharedQueries = 0
  readonly #parts: QuerySharingParts
  readonly #costs: QueryCosts
  readonly #rehearsals: Rehearsals
  #helperTimer: NodeJS.Timeout | undefined
  /** One helper after the other, until all of a query are there. */
  #startsAll = false

  constructor(parts: QuerySharingParts) {
    this.#parts = parts
    this.#costs = new QueryCosts(parts.sharedMsMin)
    this.#rehearsals = new Rehearsals(this.#costs)
  }

  /** A query to its thread, and parts of it to those that have nothing to do, if nothing waits for these: `mayShare`. */
  give(job: Job, slot: Slot, mayShare: boolean): void {
    const { request } = job.call
    if (this.#costs.mayBeWorthSharing(request)) this.#wishForHelpers()
    job.isNew = !isOfRehearsal(job) && this.#costs.isNew(request)
    // What was never asked takes long: nothing else has the processors meanwhile.
    if (job.isNew) this.pause()
    const helpers = mayShare ? this.#idle([...this.#parts.slots]) : []
    const areReady = this.#costs.isRehearsed(request) || (this.#hasMuchToRead(job.call) && helpers.every(({ isWarm }) => isWarm))
    job.helpers = areReady ? helpers : []
    if (job.helpers.length > 0) this.#share(job, slot)
    else slot.worker.postMessage(job.call)
  }

  /** A query was answered. */
  noteAnswered({ call, helpers }: Job, measures: QueryMeasures): void {
    this.#costs.note(call.request, measures, helpers.length > 0)
    if (this.#parts.helpersMax > 0 && call.request.kind === 'range') this.#rehearsals.noteAnswered(call)
  }

  /** A thread is through with its part, or a rehearsal. */
  noteHelped(): void {
    if (![...this.#parts.slots].some(({ helps }) => helps !== undefined)) this.#rehearsals.noteEnded()
  }

  /** Threads that would take part in a query evaluate their parts for nobody, some times. To be called when nobody waits. */
  rehearse(): void {
    const { slots, helpersMax, view } = this.#parts
    const [, ...others] = slots
    const helpers = this.#idle(others)
    if (helpers.length === 0 || [...slots].some(({ job }) => job?.isNew)) return
    const rehearsal = this.#rehearsals.begin()
    if (rehearsal === undefined) return
    const { ended } = rehearsal
    const call = { ...rehearsal.call, cancel: new SharedArrayBuffer(4), deadlineMs: Date.now() + rehearsalMsMax, ...view() }
    for (const [i, helper] of helpers.entries()) {
      this.#help(helper, { call }, { index: i + 1, count: helpersMax + 1, ports: [], ended, isRehearsal: true })
    }
  }

  /** Rehearsals end; they begin anew later. */
  pause(): void {
    this.#rehearsals.end(true)
  }

  /** Rehearsals end for good. */
  stop(): void {
    this.#rehearsals.end(false)
  }

  /** Starts all threads that a query may have, one after the other. */
  startHelpers(): void {
    this.#startsAll = true
    this.#wishForHelpers()
  }

  /** No thread is started any more. */
  close(): void {
    clearTimeout(this.#helperTimer)
  }

  #idle(slots: readonly Slot[]): Slot[] {
    return slots.filter(isIdle).slice(0, this.#parts.helpersMax)
  }

  /** Of many blocks each thread has some to itself: to read them takes longer than what was never met takes a thread that answers its first query. */
  #hasMuchToRead({ request, blocks }: QueryCall): boolean {
    if (!this.#costs.mayBeWorthSharing(request)) return false
    const { startMs, endMs } = request
    return blocks.filter(({ minTimeMs, maxTimeMs }) => minTimeMs <= endMs && maxTimeMs > startMs).length >= sharedBlocksMin
  }

  #share(job: Job, slot: Slot): void {
    this.sharedQueries++
    const ended = new SharedArrayBuffer(4)
    const count = job.helpers.length + 1
    const channels = job.helpers.map(() => new MessageChannel())
    const ports = channels.map(({ port1 }) => port1)
    // It has the most to do.
    slot.worker.postMessage({ ...job.call, share: { index: 0, count, ports, ended } } satisfies QueryCall, ports)
    for (const [i, helper] of job.helpers.entries()) {
      this.#help(helper, job, { index: i + 1, count, ports: [channels[i]!.port2], ended })
    }
  }

  #help(helper: Slot, helped: Slot['helps'] & {}, share: QueryShare): void {
    clearTimeout(helper.idleTimer)
    helper.helps = helped
    helper.worker.postMessage({ ...helped.call, share } satisfies QueryCall, share.ports)
  }

  /** A thread for the next time. */
  #wishForHelpers(): void {
    if (this.#parts.slots.size > this.#parts.helpersMax) return
    this.#helperTimer ??= setTimeout(() => this.#startHelper(), helperDelayMs)
    this.#helperTimer.unref()
  }

  #startHelper(): void {
    this.#helperTimer = undefined
    if (this.#parts.startThread() && this.#startsAll) this.#wishForHelpers()
  }
}
