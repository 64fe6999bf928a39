import type { Labels } from '@narthex/model/labels'
import { isValidLabelName, isValidMetricName } from '@narthex/model/name'
import { NORMAL_NAN_HIGH, NORMAL_NAN_LOW, STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { counterReset, unknownReset } from '@narthex/model/reset-hint'
import { appendResult, describeAppendResult } from './appender.ts'
import type { ImportedHistogram } from './import-histogram.ts'
import { ImportLineError } from './import-line-error.ts'
import { futureToleranceMs } from './receive.ts'

/** The head as an import needs it; the storage's fits it. */
export interface ImportAppender {
  /** Makes the series if it is new; not positive = refused, see `refusal`. */
  refByLabels(labels: Labels): number
  append(ref: number, timeMs: number, lowWord: number, highWord: number): number
  appendHistogram(ref: number, timeMs: number, histogram: NativeHistogram, resetHint: 0 | 2): number
  /** The marker that a series of histograms ended. */
  appendStaleHistogram(ref: number, timeMs: number, isFloat: boolean): number
  commit(): void
  rollback(): void
  refusal(): string
}

/** The head takes nothing more for now: come again. */
export class ImportRefusedError extends Error {
  override name = 'ImportRefusedError'
}

/** `stale-histogram`: the end of a series of histograms. */
export type ImportedValue = number | 'stale' | ImportedHistogram | 'stale-histogram'

/**
 * Reads a line and hands on what is in it; of one with many samples piece by piece, between which others may have the thread. Throws ImportLineError.
 */
export type LineReader = (
  line: string,
  take: (labels: Labels, timeMs: number, value: ImportedValue) => void,
) => Iterable<undefined> | undefined

const reasonsMax = 10
/** What a histogram takes beside a float, about. */
const samplesPerHistogram = 32

/** Samples after which other writers get their turn: a commit of so many takes about two milliseconds. */
const samplesPerTurn = 4096

/** Appends the samples of lines; one for each request. Between `commit` and the next line or piece of one other writers may append. */
export class LineImporter {
  /** Samples stored, and refused by order, bounds or limits. */
  imported = 0
  refused = 0
  readonly #appender: ImportAppender
  readonly #readLine: LineReader
  readonly #latestMs: number
  readonly #reasons = new Map<string, { count: number; readonly first: string }>()
  #lineNumber = 0
  #pending = 0
  /** Samples of this turn, refused ones too. */
  #taken = 0
  // Of a line the labels are mostly the same.
  #lastLabels: Labels | undefined
  #lastRef = 0
  /** Of the last histogram: a marker that a series ended is of one kind or the other. */
  #wasFloatHistogram = false

  constructor(appender: ImportAppender, readLine: LineReader, now: number) {
    this.#appender = appender
    this.#readLine = readLine
    this.#latestMs = now + futureToleranceMs
  }

  /**
   * Takes lines, in pieces of some thousand samples: after each it is time for a commit and for other work. Throws ImportLineError, which names the line, or
   * ImportRefusedError.
   */
  *takeLines(lines: Iterable<string>): Generator<undefined, void> {
    for (const line of lines) {
      yield* this.#takeLine(line)
      if (this.#taken >= samplesPerTurn) yield* this.#endTurn()
    }
  }

  *#takeLine(line: string): Generator<undefined, void> {
    this.#lineNumber++
    if (line.trim() === '') return
    try {
      const pieces = this.#readLine(line, (labels, timeMs, value) => this.#append(labels, timeMs, value))
      if (pieces === undefined) return
      for (const _piece of pieces) if (this.#taken >= samplesPerTurn) yield* this.#endTurn()
    } catch (cause) {
      if (!(cause instanceof ImportLineError)) throw cause
      throw new ImportLineError(`line ${this.#lineNumber}: ${cause.message}`, { cause })
    }
  }

  *#endTurn(): Generator<undefined, void> {
    this.#taken = 0
    yield undefined
  }

  /** Throws what the log throws: then what was taken since the last commit is not kept. */
  commit(): void {
    // A reference is good until the commit.
    this.#lastLabels = undefined
    const pending = this.#pending
    this.#pending = 0
    this.#appender.commit()
    this.imported += pending
  }

  rollback(): void {
    this.#lastLabels = undefined
    this.#pending = 0
    this.#appender.rollback()
  }

  /** Why samples were refused, a line a reason; '' if none was. */
  describeRefusals(): string {
    const lines = [...this.#reasons].map(([reason, { count, first }]) => `${count} × ${reason}, first ${first}`)
    return lines.join('\n')
  }

  #append(labels: Labels, timeMs: number, value: ImportedValue): void {
    this.#taken += typeof value === 'object' ? samplesPerHistogram : 1
    const ref = this.#refOf(labels)
    if (ref <= 0) return this.#refuse(this.#appender.refusal(), labels, timeMs)
    if (timeMs > this.#latestMs) return this.#refuse(describeAppendResult(appendResult.tooFarInFuture), labels, timeMs)
    const result = this.#appendValue(ref, timeMs, value)
    if (result === appendResult.accepted) this.#pending++
    else if (result === appendResult.memoryCeiling) throw new ImportRefusedError(describeAppendResult(result))
    else if (result === appendResult.invalidHistogram) this.#refuse(this.#appender.refusal(), labels, timeMs)
    else this.#refuse(describeAppendResult(result), labels, timeMs)
  }

  #appendValue(ref: number, timeMs: number, value: ImportedValue): number {
    if (value === 'stale-histogram') return this.#appender.appendStaleHistogram(ref, timeMs, this.#wasFloatHistogram)
    if (typeof value === 'object') {
      this.#wasFloatHistogram = value.histogram.isFloat
      return this.#appender.appendHistogram(ref, timeMs, value.histogram, value.isReset ? counterReset : unknownReset)
    }
    setWords(value)
    return this.#appender.append(ref, timeMs, words[0]!, words[1]!)
  }

  #refOf(labels: Labels): number {
    if (labels === this.#lastLabels) return this.#lastRef
    checkLabels(labels)
    this.#lastRef = this.#appender.refByLabels(labels)
    this.#lastLabels = labels
    return this.#lastRef
  }

  #refuse(reason: string, labels: Labels, timeMs: number): void {
    this.refused++
    const known = this.#reasons.get(reason)
    if (known !== undefined) known.count++
    else if (this.#reasons.size < reasonsMax) this.#reasons.set(reason, { count: 1, first: `${labels.metricString()} at ${timeMs}` })
  }
}

const number = new Float64Array(1)
const words = new Uint32Array(number.buffer)

function setWords(value: number | 'stale'): void {
  if (value === 'stale') words.set([STALE_LOW, STALE_HIGH])
  else if (Number.isNaN(value)) words.set([NORMAL_NAN_LOW, NORMAL_NAN_HIGH])
  else number[0] = value
}

function checkLabels({ pairs }: Labels): void {
  let hasName = false
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!
    const value = pairs[i + 1]!
    if (!isValidLabelName(name) || !value.isWellFormed()) throw new ImportLineError(`invalid label ${JSON.stringify(name)}`)
    if (name !== '__name__') continue
    hasName = true
    if (!isValidMetricName(value)) throw new ImportLineError(`invalid metric name ${JSON.stringify(value)}`)
  }
  if (!hasName) throw new ImportLineError('want a series with a name')
}
