/** The bounds of a bench: each with the figure beside it. In a smoke run they are shown, but nothing is held to them. */
export class Bounds {
  readonly #isSmoke: boolean
  readonly #lines: string[] = []
  #missed = 0

  constructor(isSmoke: boolean) {
    this.#isSmoke = isSmoke
  }

  /** A figure that is missing has missed. */
  atMost(what: string, value: number | undefined, most: number, unit: string): void {
    this.#note(what, value, value !== undefined && value <= most, `≤ ${most} ${unit}`, unit)
  }

  atLeast(what: string, value: number | undefined, least: number, unit: string): void {
    this.#note(what, value, value !== undefined && value >= least, `≥ ${least} ${unit}`, unit)
  }

  /** Prints them; whether all are kept. */
  print(): boolean {
    console.log(`\n${this.#lines.join('\n')}`)
    if (!this.#isSmoke) return this.#missed === 0
    console.log('smoke run: too small for the bounds to mean anything')
    return true
  }

  #note(what: string, value: number | undefined, isKept: boolean, want: string, unit: string): void {
    if (!isKept) this.#missed++
    const figure = value === undefined || Number.isNaN(value) ? 'no figure' : `${value.toFixed(2)} ${unit}`
    this.#lines.push(`${isKept ? 'kept  ' : 'MISSED'}  ${what}: ${figure} (want ${want})`)
  }
}
