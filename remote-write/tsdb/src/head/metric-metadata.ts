import type { MetricType } from '@narthex/model/metric-type'
import type { StateReader, StateWriter } from '../head-state/state-access.ts'

const familiesMax = 20_000
const textLengthMax = 4096

export interface Metadata {
  readonly type: MetricType
  readonly help: string
  readonly unit: string
}

/** Type, help and unit by metric name, as senders told them last. Bounded: 20,000 names, texts cut at 4,096 characters. */
export class MetricMetadata {
  readonly #families = new Map<string, Metadata>()
  /** Families not kept for lack of room. */
  refused = 0

  set(family: string, type: MetricType, help: string, unit: string): void {
    const known = this.#families.get(family)
    if (known === undefined && this.#families.size >= familiesMax) {
      this.refused++
      return
    }
    if (known?.type === type && known.help === help && known.unit === unit) return
    this.#families.set(family, { type, help: help.slice(0, textLengthMax), unit: unit.slice(0, textLengthMax) })
  }

  get(family: string): Metadata | undefined {
    return this.#families.get(family)
  }

  entries(): Iterable<readonly [string, Metadata]> {
    return this.#families.entries()
  }

  saveState(state: StateWriter): void {
    const texts = function* (families: ReadonlyMap<string, Metadata>): Generator<string> {
      for (const [family, { type, help, unit }] of families) yield* [family, type, help, unit]
    }
    state.texts('families', texts(this.#families))
  }

  restoreState(state: StateReader): void {
    const texts = state.texts('families')
    for (let i = 0; i < texts.length; i += 4) this.set(texts[i]!, texts[i + 1]! as MetricType, texts[i + 2]!, texts[i + 3]!)
  }

  get size(): number {
    return this.#families.size
  }
}
