import { RateMeter } from './rate-meter.ts'
import type { SenderTrouble } from './remote-sender.ts'
import type { MessageVersion } from './verdict.ts'

/** How one remote is doing. Rates are absent in the first seconds. */
export interface RemoteStatus {
  readonly name: string
  /** Without a password. */
  readonly url: string
  readonly version: MessageVersion
  readonly state: 'ok' | SenderTrouble['state']
  /** Why it is not ok: what the last attempt said. */
  readonly reason: string
  /** Frames that the remote has not acknowledged, and their bytes on disk. */
  readonly pendingFrames: number
  readonly pendingBytes: number
  /** Age of the oldest of them in milliseconds; 0 if there is none. */
  readonly pendingAgeMs: number
  readonly shards: number
  readonly samplesSent: number
  readonly samplesPerSecond?: number
  /** Until the backlog is gone at the present rates; absent while it grows. */
  readonly etaSeconds?: number
  /** Samples given up, by reason. */
  readonly lostSamples: Readonly<Record<string, number>>
}

export interface RemoteStorageStatus {
  readonly log: {
    readonly directory: string
    readonly bytes: number
    readonly bytesMax: number
    readonly segments: number
    /** False while the disk takes no frames and they are kept in memory. */
    readonly isWriting: boolean
    readonly samplesIn: number
    readonly samplesPerSecond?: number
  }
  readonly remotes: readonly RemoteStatus[]
}

/** Rates of one remote. */
export class RemoteProgress {
  readonly #samples = new RateMeter()
  readonly #frames = new RateMeter()

  note(nowMs: number, samplesSent: number, framesDone: number): void {
    this.#samples.note(nowMs, samplesSent)
    this.#frames.note(nowMs, framesDone)
  }

  get samplesPerSecond(): number | undefined {
    return this.#samples.perSecond
  }

  /** Seconds until `pending` frames are through while new ones come; undefined if they never are. */
  etaSeconds(pending: number, newPerSecond: number | undefined): number | undefined {
    const done = this.#frames.perSecond
    if (pending === 0) return 0
    if (done === undefined || newPerSecond === undefined || done <= newPerSecond) return undefined
    return pending / (done - newPerSecond)
  }
}
