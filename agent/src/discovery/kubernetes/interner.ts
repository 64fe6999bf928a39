/** Texts remembered at once; when they are more, all are forgotten: later ones are then shared among themselves. */
export const textsMax = 50_000
/** Longer texts hardly repeat. */
export const sharedLengthMax = 200

/** Gives one string for equal texts, so that what repeats in thousands of objects is kept once. */
export class Interner {
  readonly #texts = new Map<string, string>()

  /** Texts remembered now. */
  get size(): number {
    return this.#texts.size
  }

  share(text: string): string {
    if (text.length > sharedLengthMax) return text
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    if (this.#texts.size >= textsMax) this.#texts.clear()
    this.#texts.set(text, text)
    return text
  }
}
