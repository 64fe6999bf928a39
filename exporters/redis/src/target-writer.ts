import type { MetricWriter } from '@narthex/exporter-kit/collector'

type Labels = readonly string[]

/** Names made of fields that no table knows are made anew each time beyond so many. */
const namesMax = 2_000

/** The names of families with the namespace in front, made once. */
export class FamilyNames {
  readonly #prefix: string
  readonly #full = new Map<string, string>()

  constructor(namespace: string) {
    this.#prefix = `${namespace}_`
  }

  full(name: string): string {
    const known = this.#full.get(name)
    if (known !== undefined) return known
    const full = this.#prefix + name
    if (this.#full.size < namesMax) this.#full.set(name, full)
    return full
  }
}

/** Writes the families of one server: the namespace in front of each name, a help text behind it. */
export class TargetWriter {
  readonly #writer: MetricWriter
  readonly #names: FamilyNames

  constructor(writer: MetricWriter, names: FamilyNames) {
    this.#writer = writer
    this.#names = names
  }

  gauge(name: string, help: string, value: number, labels?: Labels): void {
    this.#writer.family(this.#names.full(name), help, 'gauge')
    this.#writer.sample(value, labels)
  }

  counter(name: string, help: string, value: number, labels?: Labels): void {
    this.#writer.family(this.#names.full(name), help, 'counter')
    this.#writer.sample(value, labels)
  }

  /** Starts a family of several samples; `sample` adds to it. */
  family(name: string, help: string, type: 'counter' | 'gauge' | 'summary' | 'histogram'): void {
    this.#writer.family(this.#names.full(name), help, type)
  }

  /** Labels are a flat, sorted list; `quantile` and `le` last. */
  sample(value: number, labels: Labels, suffix?: string): void {
    this.#writer.sample(value, labels, suffix)
  }
}

/** One row of a family whose samples are found in another order than the one they are printed in. */
export interface Row {
  readonly labels: Labels
  readonly value: number
}

/** Writes a family sorted by its labels' values; nothing if there are no rows. */
export function writeSorted(writer: TargetWriter, name: string, help: string, type: 'counter' | 'gauge', rows: readonly Row[]): void {
  if (rows.length === 0) return
  writer.family(name, help, type)
  for (const { labels, value } of rows.toSorted((a, b) => compareLabels(a.labels, b.labels))) writer.sample(value, labels)
}

function compareLabels(a: Labels, b: Labels): number {
  for (let i = 0; i < a.length; i++) {
    const left = a[i]!
    const right = b[i] ?? ''
    if (left !== right) return left < right ? -1 : 1
  }
  return a.length - b.length
}
