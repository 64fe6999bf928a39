import { formatFloatG } from '@narthex/model/number'
import type { Span } from './parse/ast.ts'
import { formatPosition } from './parse/parse-error.ts'

/** Different texts kept of each kind; a query over many metrics may have one for every name. */
const keptMax = 1000

type Kind = 'warning' | 'info'

/** Counts of classic histograms that fell from bucket to bucket. */
export interface BucketFalls {
  /** Samples that had any. */
  readonly sampleCount: number
  /** Bounds of the first and last bucket that fell, and the largest fall. */
  readonly minBound: number
  readonly maxBound: number
  readonly maxFall: number
  readonly firstMs: number
  readonly lastMs: number
}

/** Plain data: threads send it to each other. */
export interface Remark {
  readonly kind: Kind
  readonly message: string
  span: Span
  /** How often it was made. */
  count: number
  /** How often it was made is told. */
  readonly isCounted: boolean
  falls: BucketFalls | undefined
}

/** It tells of how many samples it was made: what several parts of a query look at each of them counts. */
export function tellsCount({ isCounted, falls }: Readonly<Remark>): boolean {
  return isCounted || falls !== undefined
}

/** Remarks as they were made about each place. */
export class RecordedRemarks {
  readonly #seen = new Map<string, Remark>()

  get isEmpty(): boolean {
    return this.#seen.size === 0
  }

  get remarks(): Iterable<Readonly<Remark>> {
    return this.#seen.values()
  }

  add(remark: Readonly<Remark>): void {
    const key = `${remark.kind} ${remark.span.start} ${remark.message}`
    const seen = this.#seen.get(key)
    if (seen !== undefined) mergeCounts(seen, remark)
    else if (this.#seen.size < keptMax) this.#seen.set(key, { ...remark })
  }
}

/**
 * Warnings and infos of one query, each text once, ending in the place in the query that it is about. Of several places that is, as in
 * Prometheus, the one that is evaluated last; of what is counted the first.
 */
export class Annotations {
  readonly #text: string
  readonly #recordings: RecordedRemarks[] = []
  readonly #warnings = new Map<string, Remark>()
  readonly #infos = new Map<string, Remark>()

  constructor(text: string) {
    this.#text = text
  }

  warn(message: string, span: Span): void {
    this.#add({ kind: 'warning', message, span, count: 1, isCounted: false, falls: undefined })
  }

  /** As `warn`, and tells how often if more than once. */
  warnCounted(message: string, span: Span): void {
    this.#add({ kind: 'warning', message, span, count: 1, isCounted: true, falls: undefined })
  }

  info(message: string, span: Span, falls?: BucketFalls): void {
    this.#add({ kind: 'info', message, span, count: 1, isCounted: false, falls })
  }

  /** Also adds what is remarked on from now on to `into`, until `endRecording`. May be nested. */
  beginRecording(into: RecordedRemarks): void {
    this.#recordings.push(into)
  }

  endRecording(): void {
    this.#recordings.pop()
  }

  /** Makes the remarks again about other places. */
  replay({ remarks }: RecordedRemarks, placeOf: (span: Span) => Span): void {
    for (const remark of remarks) this.#add({ ...remark, span: placeOf(remark.span) })
  }

  get remarks(): Remark[] {
    return [...this.#warnings.values(), ...this.#infos.values()]
  }

  /** Adds what was remarked on the same query at other steps. */
  addAll(remarks: readonly Readonly<Remark>[]): void {
    for (const remark of remarks) this.#add(remark)
  }

  #add(remark: Readonly<Remark>): void {
    const into = remark.kind === 'warning' ? this.#warnings : this.#infos
    const seen = into.get(remark.message)
    if (seen === undefined) {
      if (into.size < keptMax) into.set(remark.message, { ...remark })
    } else {
      const isFirst = tellsCount(remark)
      if (isEvaluatedLater(remark.span, seen.span) !== isFirst) seen.span = remark.span
      mergeCounts(seen, remark)
    }
    for (const recording of this.#recordings) recording.add(remark)
  }

  /** At most `countMax` texts of each kind and one that counts the rest, as Prometheus' API shows them. */
  render(countMax: number): { warnings: string[]; infos: string[] } {
    return { warnings: this.#cut(this.#warnings, countMax, 'warning'), infos: this.#cut(this.#infos, countMax, 'info') }
  }

  #cut(remarks: ReadonlyMap<string, Remark>, countMax: number, kind: Kind): string[] {
    const all = [...remarks.values()]
    const texts = all.slice(0, countMax).map((remark) => this.#describe(remark))
    return all.length <= countMax ? texts : [...texts, `${all.length - countMax} more ${kind} annotations omitted`]
  }

  #describe({ kind, message, span, count, isCounted, falls }: Remark): string {
    const details = falls === undefined ? '' : describeFalls(falls)
    const times = isCounted && count > 1 ? ` (${count} occurrences)` : ''
    return `PromQL ${kind}: ${message}${details}${times} (${formatPosition(this.#text, span.start)})`
  }
}

/** Arguments are evaluated before what they are given to, left ones before right ones. */
function isEvaluatedLater(a: Span, b: Span): boolean {
  return a.end === b.end ? a.start < b.start : a.end > b.end
}

function mergeCounts(into: Remark, { count, falls }: Readonly<Remark>): void {
  into.count += count
  if (falls === undefined || into.falls === undefined) return
  into.falls = {
    sampleCount: into.falls.sampleCount + falls.sampleCount,
    minBound: Math.min(into.falls.minBound, falls.minBound),
    maxBound: Math.max(into.falls.maxBound, falls.maxBound),
    maxFall: Math.max(into.falls.maxFall, falls.maxFall),
    firstMs: Math.min(into.falls.firstMs, falls.firstMs),
    lastMs: Math.max(into.falls.lastMs, falls.lastMs),
  }
}

function describeFalls({ sampleCount, minBound, maxBound, maxFall, firstMs, lastMs }: BucketFalls): string {
  const bounds = `from buckets ${formatFloatG(minBound)} to ${formatFloatG(maxBound)}`
  const span = `over ${sampleCount} samples from ${formatSecond(firstMs)} to ${formatSecond(lastMs)}`
  return `, ${bounds}, with a max diff of ${formatTwoDigits(maxFall)}, ${span}`
}

function formatSecond(ms: number): string {
  return `${new Date(Math.trunc(ms / 1000) * 1000).toISOString().slice(0, -5)}Z`
}

/** Go's `%.2g`. */
function formatTwoDigits(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloatG(value)
  const [digits, exponent] = roundToTwoDigits(value).replace('.0e', 'e').split('e') as [string, string]
  const power = Number(exponent)
  if (power >= -4 && power < 2) return String(Number(`${digits}e${power}`))
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}

/** Of two that are equally near the even one, where JavaScript takes the greater. */
function roundToTwoDigits(value: number): string {
  const [, first, second, rest] = /^(\d)\.(\d)(\d+)e/.exec(value.toExponential(20))!
  const isTie = /^50*$/.test(rest!)
  return isTie && Number(second) % 2 === 0 ? `${first}.${second}e${value.toExponential(20).split('e')[1]}` : value.toExponential(1)
}
