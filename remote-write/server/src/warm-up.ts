import { evaluateInstant, evaluateRange, type EngineOptions } from '@narthex/promql/engine'
import { BlockError } from '@narthex/tsdb/block/block-error'
import { BlockGoneError } from '@narthex/tsdb/select/block-shelf'
import type { AbortFlag } from '@narthex/promql/query-context'
import { QueryError } from '@narthex/promql/query-error'
import type { QueryResult } from '@narthex/promql/query-result'
import type { Queryable } from '@narthex/tsdb/select/queryable'

/** The newest block is in it, and the head. */
const rangeMs = 6 * 60 * 60_000
/** The blocks of a day are opened. */
const openedMs = 24 * 60 * 60_000
const stepMs = 60_000
const roundsMax = 30
const totalMsMax = 2000
/** Of one query. */
const limits = { samplesMax: 2_000_000, bytesMax: 32 * 1024 * 1024, timeoutMs: 400 }
/** A metric with a name that says that it counts, and one without. */
const countedName = /_total$|_count$|_bucket$/

// What dashboards and rules are made of.
const rangeQueries = (selector: string): string[] => [
  `sum by (job) (rate(${selector}[5m]))`,
  selector,
  `topk(5, rate(${selector}[5m]))`,
  `max_over_time(${selector}[30m])`,
  `quantile by (job) (0.9, ${selector})`,
  `${selector} / ${selector}`,
]

export interface WarmUpOptions {
  readonly engine: EngineOptions
  /** Ends a piece. */
  readonly signal: AbortFlag
  /** Makes an answer of a result, as for who asks. */
  readonly write: (result: QueryResult) => void
  /** Answers a range query in parts, with the engine given, as if other threads had some. */
  readonly answerInParts: (engine: EngineOptions, query: string, startMs: number, endMs: number, stepMs: number) => Promise<void>
  /** Of the newest samples. */
  readonly endMs: number
}

/**
 * Queries that nobody asked, over the newest hours of two metrics: blocks are then open, and code that ran a few times is many times as quick. It is that only
 * for the kinds of objects that it ran with, so these are those of a real query. Two seconds of the processor at most, in pieces.
 */
export class WarmUp {
  readonly #engine: EngineOptions
  readonly #options: WarmUpOptions
  readonly #endMs: number
  #queries: readonly string[] | undefined
  #next = 0
  #spentMs = 0

  constructor(options: WarmUpOptions) {
    this.#options = options
    this.#engine = { ...options.engine, ...limits, signal: options.signal }
    this.#endMs = options.endMs
  }

  get isDone(): boolean {
    if (!Number.isFinite(this.#endMs) || this.#spentMs > totalMsMax) return true
    return this.#queries !== undefined && this.#next >= this.#queries.length * roundsMax
  }

  /** The next piece. */
  async step(reader: Queryable): Promise<void> {
    const begunMs = performance.now()
    try {
      this.#queries ??= this.#choose(reader)
      if (this.#queries.length > 0) await this.#ask(reader, this.#queries[this.#next++ % this.#queries.length]!)
    } catch (error) {
      // A query that comes is more important, and blocks may be gone.
      if (!(error instanceof QueryError || error instanceof BlockError || error instanceof BlockGoneError)) throw error
    }
    this.#spentMs += performance.now() - begunMs
  }

  #choose(reader: Queryable): readonly string[] {
    const names = reader.labelValues('__name__', [], this.#endMs - openedMs, this.#endMs)
    const chosen = [names.find((name) => countedName.test(name)), names.find((name) => !countedName.test(name))]
    return chosen.flatMap((name) => (name === undefined ? [] : rangeQueries(`{__name__=${JSON.stringify(name)}}`)))
  }

  async #ask(reader: Queryable, query: string): Promise<void> {
    const { write, answerInParts } = this.#options
    const startMs = this.#endMs - rangeMs
    write(evaluateRange(this.#engine, reader, query, startMs, this.#endMs, stepMs))
    write(evaluateInstant(this.#engine, reader, query, this.#endMs))
    await answerInParts(this.#engine, query, startMs, this.#endMs, stepMs)
  }
}
