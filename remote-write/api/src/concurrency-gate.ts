/** Lets so many in at a time; the others wait in their order. */
export class ConcurrencyGate {
  /** 0 = no limit. */
  readonly #max: number
  readonly #waiting: (() => void)[] = []
  #inside = 0

  constructor(max: number) {
    this.#max = max
  }

  /** Resolves when there is room, which is then taken until `leave`; rejects with the signal's reason if it comes first. */
  enter(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      if (this.#max === 0 || this.#inside < this.#max) {
        this.#inside++
        return resolve()
      }
      const admit = () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(admit), 1)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(admit)
    })
  }

  leave(): void {
    const next = this.#waiting.shift()
    // Its room goes to the next one.
    if (next) next()
    else this.#inside--
  }

  /** Those that are in and those that wait. */
  get count(): number {
    return this.#inside + this.#waiting.length
  }
}
