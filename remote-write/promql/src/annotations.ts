import type { Span } from './parse/ast.ts'
import { formatPosition } from './parse/parse-error.ts'

/** Different texts kept of each kind; a query over many metrics may have one for every name. */
const keptMax = 1000

type Kind = 'warning' | 'info'

/** Remarks as they were made, each once. */
export class RecordedRemarks {
  readonly #seen = new Set<string>()
  readonly remarks: { readonly kind: Kind; readonly message: string; readonly span: Span }[] = []

  get isEmpty(): boolean {
    return this.remarks.length === 0
  }

  add(kind: Kind, message: string, span: Span): void {
    const key = `${kind} ${span.start} ${message}`
    if (this.remarks.length >= keptMax || this.#seen.has(key)) return
    this.#seen.add(key)
    this.remarks.push({ kind, message, span })
  }
}

/** Warnings and infos of one query, each text once, ending in the place in the query that it is about. */
export class Annotations {
  readonly #text: string
  readonly #recordings: RecordedRemarks[] = []
  readonly #warnings = new Set<string>()
  readonly #infos = new Set<string>()

  constructor(text: string) {
    this.#text = text
  }

  warn(message: string, span: Span): void {
    this.#add('warning', message, span)
  }

  info(message: string, span: Span): void {
    this.#add('info', message, span)
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
    for (const { kind, message, span } of remarks) this.#add(kind, message, placeOf(span))
  }

  #add(kind: Kind, message: string, span: Span): void {
    const into = kind === 'warning' ? this.#warnings : this.#infos
    if (into.size < keptMax) into.add(`PromQL ${kind}: ${message} (${formatPosition(this.#text, span.start)})`)
    for (const recording of this.#recordings) recording.add(kind, message, span)
  }

  /** At most `countMax` texts of each kind and one that counts the rest, as Prometheus' API shows them. */
  render(countMax: number): { warnings: string[]; infos: string[] } {
    return { warnings: cut(this.#warnings, countMax, 'warning'), infos: cut(this.#infos, countMax, 'info') }
  }
}

function cut(texts: ReadonlySet<string>, countMax: number, kind: string): string[] {
  const all = [...texts]
  if (all.length <= countMax) return all
  return [...all.slice(0, countMax), `${all.length - countMax} more ${kind} annotations omitted`]
}
