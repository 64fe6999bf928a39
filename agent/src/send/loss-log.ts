import type { Logger } from '@narthex/service/logger'

/** The same kind of loss is told at most this often: on a full disk every scrape may be one. */
export const lossTellingIntervalMs = 10_000

interface Losses {
  readonly remote: string
  readonly reason: string
  frames: number
  samples: number
  /** Some of the frames took their counts with them. */
  isExact: boolean
  toldMs: number
}

/** Tells an operator what remotes lost: the first loss at once, later ones of the same remote and reason gathered. */
export class LossLog {
  readonly #logger: Logger
  readonly #now: () => number
  readonly #losses = new Map<string, Losses>()

  /** `now` never goes back, in milliseconds. */
  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger
    this.#now = now
  }

  /** `samples` undefined: nobody knows how many. */
  add(remote: string, reason: string, frames: number, samples: number | undefined): void {
    const key = `${remote}\n${reason}`
    let losses = this.#losses.get(key)
    if (losses === undefined) this.#losses.set(key, (losses = { remote, reason, frames: 0, samples: 0, isExact: true, toldMs: -Infinity }))
    losses.frames += frames
    losses.samples += samples ?? 0
    losses.isExact &&= samples !== undefined
    this.#tell(losses, false)
  }

  /** Tells what was gathered for long enough, or with `all` everything. */
  flush(all = false): void {
    for (const losses of this.#losses.values()) this.#tell(losses, all)
  }

  #tell(losses: Losses, isLast: boolean): void {
    const { remote, reason, frames, samples, isExact } = losses
    if (frames === 0 || (!isLast && this.#now() - losses.toldMs < lossTellingIntervalMs)) return
    this.#logger.warn('samples were lost', { remote_name: remote, reason, frames, samples: isExact ? samples : 'unknown' })
    losses.frames = losses.samples = 0
    losses.isExact = true
    losses.toldMs = this.#now()
  }
}
