import type { QueryMeasures, QueryRequest } from './query-protocol.ts'

/** Texts of queries that are remembered. */
const textsMax = 1000
/** A longer text is not remembered. */
const textLengthMax = 4096
/** Fewer steps are not shared out, whatever they take. */
const stepsMin = 32
/** What takes less is not worth the messages. */
const worthMsDefault = 5

type RangeRequest = Extract<QueryRequest, { kind: 'range' }>

interface KnownQuery {
  /** Of a processor. */
  readonly msPerStep: number
  /** The threads that would have parts of it were asked to. */
  readonly isRehearsed: boolean
  /** Up to so many steps it was not divided when it might have been. */
  readonly wholeSteps: number
}

/** How long range queries took of a processor, by their texts: dashboards ask the same again and again. 4 MiB of texts at most. */
export class QueryCosts {
  /** The least recent first. */
  readonly #known = new Map<string, KnownQuery>()
  readonly #worthMs: number

  constructor(worthMs = worthMsDefault) {
    this.#worthMs = worthMs
  }

  /** Whether the query is worth several threads, as far as one can tell: all but those that are known to take little. */
  mayBeWorthSharing(request: QueryRequest): request is RangeRequest {
    if (request.kind !== 'range' || (request.explain ?? '') !== '' || request.stats !== '') return false
    const steps = stepsOf(request)
    if (!(steps >= stepsMin)) return false
    const known = this.#known.get(request.query)
    return known === undefined || (known.msPerStep * steps >= this.#worthMs && steps > known.wholeSteps)
  }

  /** Whether the text of a range query was not asked before, or is not remembered. */
  isNew(request: QueryRequest): boolean {
    return request.kind === 'range' && !this.#known.has(request.query)
  }

  /** Whether other threads know their parts of it: one that reads blocks, or meets a kind of query, for the first time is slower than the one that waits for it. */
  isRehearsed(request: QueryRequest): boolean {
    return this.mayBeWorthSharing(request) && this.#known.get(request.query)?.isRehearsed === true
  }

  /** Whether they are to rehearse their parts of a query that was answered; they do it once. */
  beginRehearsal(request: QueryRequest): boolean {
    if (!this.mayBeWorthSharing(request)) return false
    const known = this.#known.get(request.query)
    if (known === undefined || known.isRehearsed) return false
    this.#known.set(request.query, { ...known, isRehearsed: true })
    return true
  }

  /** It was ended before its time. */
  dropRehearsal(request: QueryRequest): void {
    const known = request.kind === 'range' ? this.#known.get(request.query) : undefined
    if (known !== undefined) this.#known.set((request as RangeRequest).query, { ...known, isRehearsed: false })
  }

  /** A query was evaluated; `wasShared`: other threads were asked for parts of it. */
  note(request: QueryRequest, { evaluationMs, writingMs = 0, threads = 1 }: QueryMeasures, wasShared: boolean): void {
    if (request.kind !== 'range' || request.query.length > textLengthMax) return
    const { isRehearsed = false, wholeSteps = 0 } = this.#known.get(request.query) ?? {}
    const steps = Math.max(1, stepsOf(request))
    this.#known.delete(request.query)
    this.#known.set(request.query, {
      msPerStep: ((evaluationMs + writingMs) * threads) / steps,
      isRehearsed: isRehearsed || threads > 1,
      wholeSteps: wasShared && threads === 1 ? Math.max(wholeSteps, steps) : wholeSteps,
    })
    if (this.#known.size > textsMax) for (const [oldest] of this.#known) return void this.#known.delete(oldest)
  }
}

function stepsOf({ startMs, endMs, stepMs }: RangeRequest): number {
  return Math.floor((endMs - startMs) / stepMs) + 1
}
