// References of our own logs are 1, 2, 3, …; those of Prometheus too, with gaps. Beyond this many they go into a map.
const denseMax = 1 << 26

/** From a log's series references to those of the head, while a log is read. */
export class SeriesMap {
  #dense = new Uint32Array(65_536)
  readonly #sparse = new Map<number, number>()
  /** The highest reference seen, of series or sample. */
  highest = 0

  set(logRef: number, headRef: number): void {
    this.#note(logRef)
    if (logRef >= denseMax) {
      this.#sparse.set(logRef, headRef)
      return
    }
    if (logRef >= this.#dense.length) {
      const larger = new Uint32Array(Math.min(denseMax, Math.max(logRef + 1, this.#dense.length * 2)))
      larger.set(this.#dense)
      this.#dense = larger
    }
    this.#dense[logRef] = headRef
  }

  /** 0 if no series of this reference was seen. */
  get(logRef: number): number {
    const ref = logRef < this.#dense.length ? this.#dense[logRef]! : (this.#sparse.get(logRef) ?? 0)
    if (ref === 0) this.#note(logRef)
    return ref
  }

  /** All that were set and are not 0. */
  forEach(visit: (headRef: number) => void): void {
    for (const headRef of this.#dense) if (headRef !== 0) visit(headRef)
    for (const headRef of this.#sparse.values()) if (headRef !== 0) visit(headRef)
  }

  #note(logRef: number): void {
    if (logRef > this.highest) this.highest = logRef
  }
}
