import { crc32c } from '@narthex/bytes/crc32c'
import { evaluateInstant, evaluateRange, type EngineOptions } from '@narthex/promql/engine'
import { BlockError } from '@narthex/tsdb/block/block-error'
import { BlockGoneError, type ShelvedBlock } from '@narthex/tsdb/select/block-shelf'
import type { AbortFlag } from '@narthex/promql/query-context'
import { QueryError } from '@narthex/promql/query-error'
import type { QueryResult } from '@narthex/promql/query-result'
import type { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { isValidLegacyLabelName } from '@narthex/model/name'
import { SampleColumns } from '@narthex/model/sample-columns'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import type { ListRequest } from './query-protocol.ts'

/** The newest block is in it, and the head. */
const rangeMs = 6 * 60 * 60_000
/** The blocks of a day are opened. */
const openedMs = 24 * 60 * 60_000
const stepMs = 60_000
const roundsMax = 30
/** Of one query. */
const limits = { samplesMax: 2_000_000, bytesMax: 32 * 1024 * 1024, timeoutMs: 400 }
/** Series that a query of it has, and a list, where there is a choice. */
const queriedMax = 100
const listedMax = 5000
/** Labels that have a value of their own for each of many things. */
const namingOne = ['pod', 'instance', 'host']
/** A metric with a name that says that it counts, and one without. */
const countedName = /_total$|_count$|_bucket$/

/** The checksum of so much makes V8 compile it well; blocks that a query meets for the first time are summed whole. */
const summedBytes = 2 * 1024 * 1024

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
  /** Answers a question for names, values or series. */
  readonly answerList: (request: ListRequest) => void
  /** Before all queries are asked once more. */
  readonly beginRound: () => void
  /** Of the newest samples. */
  readonly endMs: number
  /** Of a processor. */
  readonly msMax: number
  /** To be opened, in this order. */
  readonly blocks: readonly Pick<ShelvedBlock, 'minTimeMs' | 'maxTimeMs'>[]
}

interface Selectors {
  readonly queried: string
  readonly listed: string
  /** A label with a value for each of many things. */
  readonly naming: string
  /** Of some of these, by the beginning of their values, and of other metrics. */
  readonly ofMany: string
  /** Of few of these, and without what many series have. */
  readonly ofFew: string
}

type Piece = (reader: Queryable) => Promise<void> | void

/**
 * Queries that nobody asked, each over the newest hours of two metrics: blocks are then open, and code that ran a few times is many times as quick. It is that only
 * for the kinds of objects that it ran with, so these are those of a real query. In pieces.
 */
export class WarmUp {
  readonly #engine: EngineOptions
  readonly #options: WarmUpOptions
  readonly #endMs: number
  #pieces: readonly Piece[] | undefined
  #attempts = 0
  #next = 0
  #opened = 0
  #metric = ''
  #spentMs = 0

  constructor(options: WarmUpOptions) {
    this.#options = options
    this.#engine = { ...options.engine, ...limits, signal: options.signal }
    this.#endMs = options.endMs
  }

  get isDone(): boolean {
    if (!Number.isFinite(this.#endMs) || this.#spentMs > this.#options.msMax) return true
    return this.#pieces !== undefined && this.#next >= this.#pieces.length * roundsMax
  }

  /** The next piece. */
  async step(reader: Queryable): Promise<void> {
    const begunMs = performance.now()
    try {
      if (this.#pieces === undefined && ++this.#attempts >= roundsMax) this.#pieces = []
      this.#pieces ??= this.#choose(reader)
      if (this.#next >= this.#pieces.length && this.#opened < this.#options.blocks.length) this.#open(reader)
      else if (this.#pieces.length > 0) await this.#goRound(this.#pieces)(reader)
    } catch (error) {
      // A query that comes is more important, and blocks may be gone.
      if (!(error instanceof QueryError || error instanceof BlockError || error instanceof BlockGoneError)) throw error
    }
    this.#spentMs += performance.now() - begunMs
  }

  #goRound(pieces: readonly Piece[]): Piece {
    const at = this.#next++ % pieces.length
    if (at === 0 && this.#next > 1) this.#options.beginRound()
    return pieces[at]!
  }

  /** The next block: what is open and was used once costs a query little. */
  #open(reader: Queryable): void {
    const { minTimeMs, maxTimeMs } = this.#options.blocks[this.#opened++]!
    const set = reader.select([new Matcher('=', '__name__', this.#metric)], minTimeMs, maxTimeMs - 1)
    if (set.next()) set.samples(new SampleColumns())
  }

  #choose(reader: Queryable): readonly Piece[] {
    crc32c(new Uint8Array(summedBytes))
    const names = reader.labelValues('__name__', [], this.#endMs - openedMs, this.#endMs)
    const chosen = [names.find((name) => countedName.test(name)), names.find((name) => !countedName.test(name))]
    this.#metric = names[0] ?? ''
    return chosen.flatMap((name) => {
      if (name === undefined) return []
      const selectors = this.#select(reader, name)
      const { queried, listed, naming } = selectors
      const queries = rangeQueries(queried).map(
        (query): Piece =>
          (from) =>
            this.#ask(from, query),
      )
      queries.push((from) => this.#askAtEnd(from, `count by (${naming}) (${listed})`))
      const lists = this.#lists(selectors).map(
        (list): Piece =>
          () =>
            this.#options.answerList(list),
      )
      return Array.from({ length: Math.max(queries.length, lists.length) }, (_, i) => [
        ...queries.slice(i, i + 1),
        ...lists.slice(i, i + 1),
      ]).flat()
    })
  }

  /** Selectors of a metric: of all its series as long as they are not so many that a few questions would take all the time. */
  #select(reader: Queryable, name: string): Selectors {
    const named = `__name__=${JSON.stringify(name)}`
    const set = reader.select([new Matcher('=', '__name__', name)], this.#endMs - rangeMs, this.#endMs)
    let count = 0
    let ofOne = ''
    let naming = 'job'
    let ofMany = `{${named}}`
    let ofFew = ofMany
    for (; count <= listedMax && set.next(); count++) {
      if (count > 0) continue
      const labels = set.labels()
      const label = namingOne.find((candidate) => labels.has(candidate))
      if (label === undefined) continue
      const value = labels.get(label)
      ofOne = `,${label}=${JSON.stringify(value)}`
      naming = label
      ofMany = `{${beginning(label, value, 1 / 2)},__name__!=${JSON.stringify(name)}}`
      ofFew = `{${beginning(label, value, 2 / 3)}${excludeOther(labels, label)}}`
    }
    return {
      queried: `{${named}${count > queriedMax ? ofOne : ''}}`,
      listed: `{${named}${count > listedMax ? ofOne : ''}}`,
      naming,
      ofMany,
      ofFew,
    }
  }

  #lists({ listed, ofMany, ofFew }: Selectors): readonly ListRequest[] {
    const range = { startMs: this.#endMs - rangeMs, endMs: this.#endMs, limit: 0 }
    return [
      { kind: 'labelNames', matchers: [], ...range },
      { kind: 'labelValues', name: '__name__', matchers: [], ...range },
      { kind: 'labelNames', matchers: [listed], ...range },
      { kind: 'labelValues', name: 'job', matchers: [listed], ...range },
      { kind: 'labelValues', name: '__name__', matchers: [ofMany], ...range },
      { kind: 'series', matchers: [listed], ...range },
      { kind: 'labelValues', name: '__name__', matchers: [ofFew], ...range },
      { kind: 'labelValues', name: 'job', matchers: [ofFew], ...range },
    ]
  }

  #askAtEnd(reader: Queryable, query: string): void {
    this.#options.write(evaluateInstant(this.#engine, reader, query, this.#endMs))
  }

  async #ask(reader: Queryable, query: string): Promise<void> {
    const { write, answerInParts } = this.#options
    const startMs = this.#endMs - rangeMs
    write(evaluateRange(this.#engine, reader, query, startMs, this.#endMs, stepMs))
    this.#askAtEnd(reader, query)
    await answerInParts(this.#engine, query, startMs, this.#endMs, stepMs)
  }
}

/** A matcher of what begins as a part of the value does. */
function beginning(label: string, value: string, part: number): string {
  return `${label}=~${JSON.stringify(`${escapePattern(value.slice(0, value.length * part))}.*`)}`
}

/** A matcher, behind another one, of the series that differ in one of the other labels. */
function excludeOther(labels: Labels, label: string): string {
  const names = labels.pairs.filter((_, i) => i % 2 === 0)
  const other = names.find((name) => name !== '__name__' && name !== label && isValidLegacyLabelName(name))
  return other === undefined ? '' : `,${other}!=${JSON.stringify(labels.get(other))}`
}

/** As a pattern that finds the text. */
function escapePattern(text: string): string {
  return text.replaceAll(/[^\w-]/g, '\\$&')
}
