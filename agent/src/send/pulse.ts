/** Lets waiters look again at what they wait for: `wait` resolves at the next `beat`. */
export class Pulse {
  #promise: Promise<void> | undefined
  #resolve: () => void = () => undefined

  wait(): Promise<void> {
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve
    })
    return this.#promise
  }

  beat(): void {
    if (this.#promise === undefined) return
    this.#promise = undefined
    this.#resolve()
  }
}
