import { parseDuration } from '@narthex/model/duration'
import type { FlagSpec, FlagValues } from './flag-spec.ts'

/** Reads flag values with their types checked and the spec's default where none was given. */
export class FlagReader {
  readonly #specs = new Map<string, FlagSpec>()
  readonly #values: FlagValues

  constructor(specs: readonly FlagSpec[], values: FlagValues) {
    for (const spec of specs) this.#specs.set(spec.name, spec)
    this.#values = values
  }

  isGiven(name: string): boolean {
    return this.#values[name] !== undefined
  }

  string(name: string): string {
    const value = this.#value(name) ?? ''
    if (typeof value !== 'string') throw this.#mismatch(name, 'a text', value)
    return value
  }

  boolean(name: string): boolean {
    const value = this.#value(name) ?? false
    if (typeof value !== 'boolean') throw this.#mismatch(name, 'true or false', value)
    return value
  }

  number(name: string): number {
    const value = this.#value(name)
    if (typeof value !== 'number' || Number.isNaN(value)) throw this.#mismatch(name, 'a number', value)
    return value
  }

  /** Milliseconds of a duration flag, whose value may be a text or milliseconds already. */
  durationMs(name: string): number {
    const value = this.#value(name)
    return typeof value === 'number' ? value : parseDuration(this.string(name))
  }

  strings(name: string): readonly string[] {
    const value = this.#value(name) ?? []
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    return list.map((item) => {
      if (typeof item !== 'string') throw this.#mismatch(name, 'texts', item)
      return item
    })
  }

  /** Of several spellings of one flag, the first that was given, else the first with its default (old names stay valid). */
  stringOfFirstGiven(...names: readonly [string, ...string[]]): string {
    return this.string(names.find((name) => this.isGiven(name)) ?? names[0])
  }

  #value(name: string): unknown {
    const spec = this.#specs.get(name)
    if (spec === undefined) throw new Error(`BUG: flag ${name} is read but not specified`)
    return this.#values[name] ?? spec.default
  }

  #mismatch(name: string, want: string, got: unknown): Error {
    return new Error(`cannot read flag --${name}: want ${want}, got ${JSON.stringify(got)}`)
  }
}
