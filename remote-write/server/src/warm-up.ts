import { ByteWriter } from '@narthex/bytes/byte-writer'
import { encodeResult } from '@narthex/promql/encode-result'
import { evaluateInstant, evaluateRange, type EngineOptions } from '@narthex/promql/engine'
import { BlockError } from '@narthex/tsdb/block/block-error'
import { BlockGoneError } from '@narthex/tsdb/select/block-shelf'
import { QueryError } from '@narthex/promql/query-error'
import type { Queryable } from '@narthex/tsdb/select/queryable'

const rangeMs = 60 * 60_000
/** The blocks of a day are opened. */
const openedMs = 24 * 60 * 60_000
const stepMs = 15_000
const roundsMax = 12
const totalMsMax = 600
/** Of one query. */
const limits = { samplesMax: 500_000, bytesMax: 32 * 1024 * 1024, timeoutMs: 100 }
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

/**
 * Queries that nobody asked, over the newest hour of two metrics: blocks are then open, and code that ran a few times is many times as quick. Half a second of the
 * processor at most, in pieces; `isWanted` ends one.
 */
export class WarmUp {
  readonly #engine: EngineOptions
  readonly #writer = new ByteWriter(64 * 1024)
  readonly #endMs: number
  #queries: readonly string[] | undefined
  #next = 0
  #spentMs = 0

  /** `endMs`: of the newest samples. */
  constructor(engine: EngineOptions, endMs: number, isWanted: () => boolean) {
    const { cover: _, ...options } = engine
    const signal = {
      get aborted() {
        return isWanted()
      },
    }
    this.#engine = { ...options, ...limits, signal }
    this.#endMs = endMs
  }

  get isDone(): boolean {
    if (!Number.isFinite(this.#endMs) || this.#spentMs > totalMsMax) return true
    return this.#queries !== undefined && this.#next >= this.#queries.length * roundsMax
  }

  /** The next piece. */
  step(reader: Queryable): void {
    const begunMs = performance.now()
    try {
      this.#queries ??= this.#choose(reader)
      if (this.#queries.length > 0) this.#ask(reader, this.#queries[this.#next++ % this.#queries.length]!)
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

  #ask(reader: Queryable, query: string): void {
    const writer = this.#writer
    writer.reset()
    encodeResult(evaluateRange(this.#engine, reader, query, this.#endMs - rangeMs, this.#endMs, stepMs), writer)
    encodeResult(evaluateInstant(this.#engine, reader, query, this.#endMs), writer)
  }
}
