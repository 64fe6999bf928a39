/** After this time what was before counts for a third. */
const memoryMs = 30_000

/** How fast a total grows, smoothed over about half a minute. */
export class RateMeter {
  #lastMs: number | undefined
  #lastTotal = 0
  #perSecond: number | undefined

  /** Takes the total as it stands now; call it every few seconds. */
  note(nowMs: number, total: number): void {
    const lastMs = this.#lastMs
    const grown = total - this.#lastTotal
    this.#lastMs = nowMs
    this.#lastTotal = total
    if (lastMs === undefined || nowMs <= lastMs) return
    const current = (grown / (nowMs - lastMs)) * 1000
    const before = this.#perSecond
    this.#perSecond = before === undefined ? current : before + (current - before) * (1 - Math.exp((lastMs - nowMs) / memoryMs))
  }

  /** Undefined before the second total. */
  get perSecond(): number | undefined {
    return this.#perSecond
  }
}
