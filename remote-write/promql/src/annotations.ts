import type { Span } from './parse/ast.ts'
import { formatPosition } from './parse/parse-error.ts'

/** Different texts kept of each kind; a query over many metrics may have one for every name. */
const keptMax = 1000

/** Warnings and infos of one query, each text once, ending in the place in the query that it is about. */
export class Annotations {
  readonly #text: string
  readonly #warnings = new Set<string>()
  readonly #infos = new Set<string>()

  constructor(text: string) {
    this.#text = text
  }

  warn(message: string, span: Span): void {
    this.#add(this.#warnings, `PromQL warning: ${message}`, span)
  }

  info(message: string, span: Span): void {
    this.#add(this.#infos, `PromQL info: ${message}`, span)
  }

  #add(into: Set<string>, message: string, span: Span): void {
    if (into.size < keptMax) into.add(`${message} (${formatPosition(this.#text, span.start)})`)
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
