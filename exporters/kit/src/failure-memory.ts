/** Subjects whose failure is remembered by default; the one whose failure is oldest goes first. */
const rememberedMax = 10_000

/**
 * Knows which failures have been told, so that what is down for a day is one line in the log and not one per scrape. A subject is whatever
 * fails on its own: a collector, a file, a server.
 */
export class FailureMemory {
  readonly #rememberedMax: number
  readonly #reasons = new Map<string, string>()

  constructor(max = rememberedMax) {
    this.#rememberedMax = max
  }

  /** True for a failure that is worth a line: the subject did not fail before, or for another reason. */
  isNews(subject: string, reason: string): boolean {
    if (this.#reasons.get(subject) === reason) return false
    this.#reasons.delete(subject)
    this.#reasons.set(subject, reason)
    if (this.#reasons.size > this.#rememberedMax) this.#reasons.delete(this.#reasons.keys().next().value!)
    return true
  }

  /** The subject does not fail any more. True if it did until now. */
  isOver(subject: string): boolean {
    return this.#reasons.delete(subject)
  }
}

/** What tells one failure from another: the error's own words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
