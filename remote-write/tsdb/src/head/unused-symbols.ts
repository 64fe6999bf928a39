import { epochAt } from './head-memory.ts'
import type { Symbols } from './symbols.ts'

/**
 * Texts of series that were refused: no series has them, so nobody would ever free them. They go at the end of the batch, up to which its
 * sender may use their ids for other series.
 */
export class UnusedSymbols {
  readonly #symbols: Symbols
  readonly #control: Int32Array
  readonly #ids = new Set<number>()

  constructor(symbols: Symbols, control: Int32Array) {
    this.#symbols = symbols
    this.#control = control
  }

  get isEmpty(): boolean {
    return this.#ids.size === 0
  }

  /** Takes note of those among the symbols of a refused series that no series has; an id of 0 is none. */
  note(symbols: Uint32Array, pairCount: number): void {
    for (let i = 0; i < 2 * pairCount; i++) {
      const id = symbols[i]!
      if (id !== 0 && !this.#symbols.isUsed(id)) this.#ids.add(id)
    }
  }

  /** Frees those that still no series has. */
  free(): void {
    const epoch = this.#control[epochAt]!
    for (const id of this.#ids) if (!this.#symbols.isUsed(id)) this.#symbols.remove(id, epoch)
    this.#ids.clear()
    // Who pins an epoch from here on does not meet them.
    Atomics.add(this.#control, epochAt, 1)
  }
}
