import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Exporter } from '@narthex/exporter-kit/exporter'
import { parseFamilies } from '@narthex/exporter-kit/family-parser'
import { ensure } from './fuzz-target.ts'

/** A tree of files with an exporter that reads it. */
export interface ExporterTree {
  readonly directory: string
  readonly exporter: Pick<Exporter, 'handleMetrics' | 'close'>
  remove(): void
}

/** An exporter of files of its own, one of which is the input; the first byte of an input says which. */
export class ExporterOfFiles {
  readonly #names: readonly string[]
  readonly #readersOf: (name: string) => readonly string[]
  readonly #start: () => ExporterTree
  #tree: ExporterTree | undefined

  /**
   * `names` are the files that may be the input, below the tree's directory; `start` is called with the first input. `readersOf` gives the collectors
   * that read a file: the others need not run.
   */
  constructor(names: readonly string[], start: () => ExporterTree, readersOf: (name: string) => readonly string[] = () => []) {
    this.#names = names
    this.#start = start
    this.#readersOf = readersOf
  }

  seeds(): readonly Uint8Array[] {
    return this.#names.map((_, index) => Uint8Array.from([index, ...readFileSync(this.#path(index))]))
  }

  async scrape(input: Uint8Array): Promise<void> {
    const index = (input[0] ?? 0) % this.#names.length
    const file = this.#path(index)
    const query = new URLSearchParams(this.#readersOf(this.#names[index]!).map((name) => ['collect[]', name]))
    const before = readFileSync(file)
    writeFileSync(file, input.subarray(1))
    try {
      const { status, body } = await this.#started().exporter.handleMetrics({ query })
      ensure(status === 200, `a scrape has status ${status}`)
      parseFamilies(Buffer.from(body))
    } finally {
      writeFileSync(file, before)
    }
  }

  async close(): Promise<void> {
    await this.#tree?.exporter.close()
    this.#tree?.remove()
    this.#tree = undefined
  }

  #path(index: number): string {
    return join(this.#started().directory, this.#names[index]!)
  }

  #started(): ExporterTree {
    return (this.#tree ??= this.#start())
  }
}
