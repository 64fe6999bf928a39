/** Also while the process is below its ceiling; a look costs some 10 µs, and leaves nothing to collect. */
const lookEveryMs = 200
/** Refusals end when so much of the ceiling is free again, so that they do not come and go. */
const freeShare = 0.03
const tellEveryMs = 60_000

export interface MemoryGuardOptions {
  readonly bytesMax: number
  /** Resident bytes of the process. */
  readonly readBytes?: () => number
  readonly now?: () => number
  /** Called after each look. */
  readonly onLook: () => void
  readonly log: { warn(message: string, fields?: Record<string, unknown>): void }
}

/**
 * Watches the memory of the whole process. The parts keep to their shares by themselves; this is for what they do not count: garbage, fragments
 * of freed memory, libraries. Above the ceiling new series are refused; the owner sees to the queries at each look.
 */
export class MemoryGuard {
  /** Newest measurement, and the highest. */
  bytes = 0
  bytesPeak = 0
  timesReached = 0
  readonly bytesMax: number
  readonly #options: MemoryGuardOptions
  readonly #read: () => number
  readonly #now: () => number
  #isReached = false
  #toldMs = -Infinity
  #timer: NodeJS.Timeout | undefined

  constructor(options: MemoryGuardOptions) {
    this.#options = options
    this.bytesMax = options.bytesMax
    this.#read = options.readBytes ?? process.memoryUsage.rss
    this.#now = options.now ?? (() => performance.now())
  }

  start(): void {
    this.look()
    this.#timer = setInterval(() => this.look(), lookEveryMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Why no new series is taken now, if so. */
  refusal(): string | undefined {
    if (!this.#isReached) return undefined
    return `memory ceiling of the process reached: ${this.bytes} of ${this.bytesMax} bytes are in use (--server.memory-max)`
  }

  look(): void {
    this.bytes = this.#read()
    this.bytesPeak = Math.max(this.bytesPeak, this.bytes)
    this.#judge()
    this.#options.onLook()
  }

  #judge(): void {
    if (this.bytes <= this.bytesMax) {
      if (this.bytes <= this.bytesMax * (1 - freeShare)) this.#isReached = false
      return
    }
    if (!this.#isReached) this.timesReached++
    this.#isReached = true
    if (this.#now() - this.#toldMs >= tellEveryMs) {
      this.#toldMs = this.#now()
      this.#options.log.warn('The memory ceiling of the process is reached: new series and large queries are refused', {
        bytes: this.bytes,
        limit: this.bytesMax,
      })
    }
  }
}
