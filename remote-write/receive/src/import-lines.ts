import type { Labels } from '@narthex/model/labels'
import { isValidLabelName, isValidMetricName } from '@narthex/model/name'
import { NORMAL_NAN_HIGH, NORMAL_NAN_LOW, STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import { appendResult, describeAppendResult } from './appender.ts'
import { futureToleranceMs } from './receive.ts'

/** The head as an import needs it; the storage's fits it. */
export interface ImportAppender {
  /** Makes the series if it is new; not positive = refused, see `refusal`. */
  refByLabels(labels: Labels): number
  append(ref: number, timeMs: number, lowWord: number, highWord: number): number
  commit(): void
  rollback(): void
  refusal(): string
}

/** A line that cannot be read. The import ends there; what came before it is kept. */
export class ImportLineError extends Error {
  override name = 'ImportLineError'
}

/** The head takes nothing more for now: come again. */
export class ImportRefusedError extends Error {
  override name = 'ImportRefusedError'
}

export type ImportedValue = number | 'stale'

/** Reads a line and hands on what is in it. Throws ImportLineError. */
export type LineReader = (line: string, take: (labels: Labels, timeMs: number, value: ImportedValue) => void) => void

const reasonsMax = 10

/** Appends the samples of lines; one for each request. Between `commit` and the next line other writers may append. */
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
  // Of a line the labels are mostly the same.
  #lastLabels: Labels | undefined
  #lastRef = 0

  constructor(appender: ImportAppender, readLine: LineReader, now: number) {
    this.#appender = appender
    this.#readLine = readLine
    this.#latestMs = now + futureToleranceMs
  }

  /** Throws ImportLineError, which names the line, or ImportRefusedError. */
  takeLine(line: string): void {
    this.#lineNumber++
    if (line.trim() === '') return
    try {
      this.#readLine(line, (labels, timeMs, value) => this.#append(labels, timeMs, value))
    } catch (cause) {
      if (!(cause instanceof ImportLineError)) throw cause
      throw new ImportLineError(`line ${this.#lineNumber}: ${cause.message}`, { cause })
    }
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
    const ref = this.#refOf(labels)
    if (ref <= 0) return this.#refuse(this.#appender.refusal(), labels, timeMs)
    if (timeMs > this.#latestMs) return this.#refuse(describeAppendResult(appendResult.tooFarInFuture), labels, timeMs)
    setWords(value)
    const result = this.#appender.append(ref, timeMs, words[0]!, words[1]!)
    if (result === appendResult.accepted) this.#pending++
    else if (result === appendResult.memoryCeiling) throw new ImportRefusedError(describeAppendResult(result))
    else this.#refuse(describeAppendResult(result), labels, timeMs)
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

function setWords(value: ImportedValue): void {
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
