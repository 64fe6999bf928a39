import type { DiskGuard } from '../disk-guard.ts'
import type { CompactionAnswer, CompactionTask } from './compaction-protocol.ts'

interface TaskThread {
  run(task: CompactionTask): Promise<CompactionAnswer>
  end(): Promise<void>
}

/** A thread whose tasks may use the reserve of a full disk: a head block, a merge and a checkpoint make room in the end. */
export class GuardedThread implements TaskThread {
  readonly #thread: TaskThread
  readonly #disk: DiskGuard

  constructor(thread: TaskThread, disk: DiskGuard) {
    this.#thread = thread
    this.#disk = disk
  }

  run(task: CompactionTask): Promise<CompactionAnswer> {
    return this.#disk.work(() => this.#thread.run(task))
  }

  end(): Promise<void> {
    return this.#thread.end()
  }
}
