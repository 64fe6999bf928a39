import type { Clock } from '@narthex/service/clock'
import { Labels } from '@narthex/model/labels'

/**
 * Phase of a group in its interval: hash of its file and name. Evaluation times are so the same after a restart, and groups
 * are spread over the interval. Computed in nanoseconds as Prometheus does, then cut to milliseconds.
 */
export function groupPhaseMs(file: string, name: string, intervalMs: number): number {
  const hash = Labels.from({ file, name }).hash()
  return Number((hash % (BigInt(intervalMs) * 1_000_000n)) / 1_000_000n)
}

/** The latest evaluation time at or before now: a multiple of the interval plus the phase. */
export function lastSlotMs(nowMs: number, intervalMs: number, phaseMs: number): number {
  const adjustedMs = nowMs - phaseMs
  return adjustedMs - (((adjustedMs % intervalMs) + intervalMs) % intervalMs) + phaseMs
}

export interface GroupScheduleOptions {
  readonly clock: Clock
  readonly intervalMs: number
  readonly phaseMs: number
  /** One evaluation; the next begins only after it has settled. It must not reject. */
  readonly run: (slotMs: number) => Promise<void>
  /** Slots that passed while an evaluation was still running. */
  readonly missed: (count: number) => void
  /** Called once per slot, run or missed. */
  readonly scheduled: (count: number) => void
}

/** Runs something at every slot of a group. Slots that an evaluation overruns are skipped and counted. */
export class GroupSchedule {
  readonly #options: GroupScheduleOptions
  #nextSlotMs: number
  #cancelTimer: () => void = () => {}
  #stopped = false
  #running: Promise<void> = Promise.resolve()

  constructor(options: GroupScheduleOptions) {
    this.#options = options
    this.#nextSlotMs = lastSlotMs(options.clock.now(), options.intervalMs, options.phaseMs) + options.intervalMs
    this.#arm()
  }

  /** No evaluation begins any more; resolves when the running one has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelTimer()
    await this.#running
  }

  #arm(): void {
    const { clock } = this.#options
    this.#cancelTimer = clock.setTimer(() => {
      this.#running = this.#tick()
    }, this.#nextSlotMs - clock.now())
  }

  async #tick(): Promise<void> {
    const { clock, intervalMs, run, missed, scheduled } = this.#options
    // A timer may come early by a fraction of a millisecond, or late by whole intervals after the machine slept.
    const late = Math.max(0, Math.floor((clock.now() - this.#nextSlotMs) / intervalMs))
    if (late > 0) missed(late)
    scheduled(late + 1)
    const slotMs = this.#nextSlotMs + late * intervalMs
    this.#nextSlotMs = slotMs + intervalMs
    await run(slotMs)
    if (!this.#stopped) this.#arm()
  }
}
