import { readTreeUsage } from './measure.ts'
import type { BenchServer } from './server-contenders.ts'

const everyMs = 500
/** Until the pages that a cut frees have been given back, or not. */
const settleMs = 2_000

/** Resident memory a moment after the head was cut. */
export interface AfterCut {
  /** Cuts until then: several at once are seen as one. */
  readonly cuts: number
  readonly bytes: number
}

/** Looks twice a second whether a head was cut, and notes the resident memory a moment after each time. */
export class HeadCutWatch {
  readonly #server: BenchServer
  readonly #afterCuts: AfterCut[] = []
  readonly #timer: NodeJS.Timeout
  #seen = 0
  #isBusy = false
  #pending: NodeJS.Timeout | undefined

  constructor(server: BenchServer) {
    this.#server = server
    this.#timer = setInterval(() => void this.#look(), everyMs)
  }

  async stop(): Promise<readonly AfterCut[]> {
    await this.#look()
    if (this.#pending !== undefined) {
      this.end()
      await new Promise((resolve) => setTimeout(resolve, settleMs))
      this.#note()
    }
    this.end()
    return this.#afterCuts
  }

  end(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#pending)
  }

  async #look(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      const count = (await this.#server.metric('prometheus_tsdb_head_truncations_total')) ?? 0
      if (count <= this.#seen) return
      this.#seen = count
      clearTimeout(this.#pending)
      this.#pending = setTimeout(() => this.#note(), settleMs)
    } catch {
      // Too busy to tell, or stopped: the next look counts.
    } finally {
      this.#isBusy = false
    }
  }

  #note(): void {
    this.#pending = undefined
    this.#afterCuts.push({ cuts: this.#seen, bytes: readTreeUsage(this.#server.pid).residentBytes })
  }
}
