import type { FrameRef } from '../store/sample-frame.ts'

/** One way through a log of frames. `LogReader` is one. */
export interface FrameReader {
  /** The next sequence to read. */
  readonly position: number
  /** Reads to before this sequence only. */
  readonly until: number
  /** Everything before `until` was read. */
  readonly isFinished: boolean
  /** Whether there are frames that `load` has to fetch. */
  readonly isBehind: boolean
  /** Called when there may be more. */
  onAppend: (() => void) | undefined
  /** The next frame if it is in memory; undefined if `load` is needed or there is none. */
  tryNext(): FrameRef | undefined
  load(): Promise<void>
}

/** What a sender reads from, and tells how far its remote is. `FrameLog` is one. */
export interface SenderLog {
  /** Behind the last frame that there is; an estimate where frames are made as they are read. */
  readonly nextSequence: number
  reader(remote: string): FrameReader
  /** A second reader, of what comes from now on: only with `queue_config.live_first`. */
  openLane(remote: string): FrameReader
  closeLane(remote: string): void
  /** All frames before `next` are through, and those of the second reader before `liveNext`. */
  acknowledge(remote: string, next: number, liveNext?: number): void
  /** Frames that were read, with their samples, and are left for the next run. */
  abandon(remote: string, unsettled: ReadonlyMap<number, number>): void
  pendingFrames(remote: string): number
}
