import type { Worker } from 'node:worker_threads'
import { spawnWorker } from '@narthex/service/worker'
import type { CompactionAnswer, CompactionTask } from './compaction-protocol.ts'

/**
 * A thread for the tasks of one compaction. It starts with the first and is ended by `end`, as an idle one would hold 10 MB; also behind each large
 * task, as what that leaves to be collected would lie beside what the next one needs.
 */
export class CompactionThread {
  #worker: Worker | undefined

  /** One task at a time. A thread that dies gives a failure. */
  run(task: CompactionTask): Promise<CompactionAnswer> {
    const worker = (this.#worker ??= start())
    return new Promise((resolve) => {
      const settle = (answer: CompactionAnswer): void => {
        worker.off('message', settle)
        worker.off('error', onError)
        worker.off('exit', onExit)
        if (isLarge(task)) void this.end().finally(() => resolve(answer))
        else resolve(answer)
      }
      const fail = (reason: string): void => {
        this.#worker = undefined
        settle({ kind: 'failed', reason, isDamage: false })
      }
      const onError = (error: unknown): void => fail(error instanceof Error ? (error.stack ?? error.message) : String(error))
      const onExit = (code: number): void => fail(`the compaction thread ended with ${code}`)
      worker.on('message', settle)
      worker.on('error', onError)
      worker.on('exit', onExit)
      worker.postMessage(task)
    })
  }

  async end(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }
}

/** Whether it reads or writes as much as there are series. */
function isLarge({ kind }: CompactionTask): boolean {
  return kind === 'cut' || kind === 'merge' || kind === 'checkpoint'
}

function start(): Worker {
  const worker = spawnWorker('compaction-worker', new URL('./compaction-worker.ts', import.meta.url))
  // What goes wrong between two tasks shows in the next; unheard it would end the process.
  return worker.on('error', () => {})
}
