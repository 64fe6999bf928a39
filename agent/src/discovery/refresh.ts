import type { Timer } from '../clock.ts'
import type { DiscoveryContext } from './mechanisms.ts'
import type { Discoverer, TargetGroup } from './target-groups.ts'

/** Node.js' timers take no more. */
const timerMsMax = 0x7fffffff

/** An answer that comes after the next question is due is not waited for. */
export function requestTimeoutMs(refreshIntervalMs: number): number {
  return Math.min(refreshIntervalMs, timerMsMax)
}

export interface RefreshOptions {
  /** `mechanism` label of the metrics. */
  readonly mechanism: string
  readonly intervalMs: number
  /** Asks once, and gives every group there is. A throw keeps what was known: the reason is logged and counted. */
  refresh(signal: AbortSignal): Promise<readonly TargetGroup[]>
  /** Gives connections back. */
  close?(): void | Promise<void>
}

/** A mechanism that asks again and again: at the start, and one interval after each answer's begin. Sources that an answer does not have any more end. */
export class RefreshDiscoverer implements Discoverer {
  readonly #options: RefreshOptions
  readonly #context: DiscoveryContext
  readonly #abort = new AbortController()
  #sources: ReadonlySet<string> = new Set()
  #timer: Timer | undefined

  constructor(options: RefreshOptions, context: DiscoveryContext) {
    this.#options = options
    this.#context = context
  }

  start(update: (groups: readonly TargetGroup[]) => void): void {
    void this.#run(update)
  }

  stop(): void {
    this.#abort.abort(new Error('discovery stopped'))
    this.#context.clock.clearTimer(this.#timer)
    void this.#options.close?.()
  }

  async #run(update: (groups: readonly TargetGroup[]) => void): Promise<void> {
    const { clock, log, metrics, jobName } = this.#context
    const { mechanism, intervalMs, refresh } = this.#options
    const { signal } = this.#abort
    const started = clock.elapsed()
    try {
      const groups = await refresh.call(this.#options, signal)
      if (signal.aborted) return
      metrics.refreshDuration.observe((clock.elapsed() - started) / 1000, mechanism, jobName)
      update(this.#withEnded(groups))
    } catch (error) {
      if (signal.aborted) return
      metrics.refreshFailures.inc(1, mechanism, jobName)
      log.error('Unable to refresh target groups', { err: error })
    }
    this.#timer = clock.setTimer(() => void this.#run(update), Math.max(0, intervalMs - (clock.elapsed() - started)))
  }

  #withEnded(groups: readonly TargetGroup[]): readonly TargetGroup[] {
    const sources = new Set(groups.map((group) => group.source))
    const ended = [...this.#sources].filter((source) => !sources.has(source)).map((source) => ({ source, targets: [], labels: {} }))
    this.#sources = sources
    return ended.length === 0 ? groups : [...groups, ...ended]
  }
}
