/** A value that ends; Infinity for one that does not. */
export interface Expiring<Value> {
  readonly value: Value
  readonly expiresMs: number
}

export interface ExpiringCacheOptions {
  readonly now?: () => number
  /** A value is asked for anew this long before it ends, but not before half of its time is over. Default 5 min. */
  readonly marginMs?: number
}

/** After a failure the same error is given this long, so that many waiting requests do not become many questions. */
const failureFreshMs = 5_000
/** A value younger than this is not thrown away because somebody refused it. */
const forgetAgeMs = 30_000

/** Keeps a credential until shortly before it ends. However many ask at once, it is fetched once. */
export class ExpiringCache<Value> {
  readonly #fetch: () => Promise<Expiring<Value>>
  readonly #now: () => number
  readonly #marginMs: number
  #held: Expiring<Value> | undefined
  #fetchedMs = -Infinity
  #pending: Promise<Value> | undefined
  #failure: unknown
  #failedMs = -Infinity

  constructor(fetch: () => Promise<Expiring<Value>>, options: ExpiringCacheOptions = {}) {
    this.#fetch = fetch
    this.#now = options.now ?? Date.now
    this.#marginMs = options.marginMs ?? 5 * 60_000
  }

  /** Rejects with what `fetch` rejects with, unless the value before is still good. */
  get(): Promise<Value> {
    const held = this.#held
    const now = this.#now()
    if (held !== undefined && now < this.#freshUntil(held)) return Promise.resolve(held.value)
    if (now - this.#failedMs < failureFreshMs) return this.#giveOld(this.#failure)
    this.#pending ??= this.#refresh().finally(() => (this.#pending = undefined))
    return this.#pending
  }

  /** Somebody refused the value: it is fetched anew, unless it is younger than 30 s. */
  forget(): void {
    if (this.#now() - this.#fetchedMs >= forgetAgeMs) this.#held = undefined
  }

  async #refresh(): Promise<Value> {
    try {
      const fetched = await this.#fetch()
      this.#held = fetched
      this.#fetchedMs = this.#now()
      return fetched.value
    } catch (error) {
      this.#failure = error
      this.#failedMs = this.#now()
      return this.#giveOld(error)
    }
  }

  #giveOld(error: unknown): Promise<Value> {
    const held = this.#held
    return held !== undefined && this.#now() < held.expiresMs ? Promise.resolve(held.value) : Promise.reject(error as Error)
  }

  #freshUntil({ expiresMs }: Expiring<Value>): number {
    if (expiresMs === Infinity) return Infinity
    return Math.max(expiresMs - this.#marginMs, (this.#fetchedMs + expiresMs) / 2)
  }
}
