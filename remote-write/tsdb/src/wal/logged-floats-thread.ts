import type { MessagePort, Worker } from 'node:worker_threads'
import { spawnWorker } from '@narthex/service/worker'
import type { ChunkLoan, ReturnedChunks } from '../head/chunk-loan.ts'
import { HeadMemory } from '../head/head-memory.ts'
import { buffersOf } from './log-batch.ts'
import type { LogBatch } from './log-batch.ts'
import type { LoggedAppending } from './log-decoder.ts'

/** Plain data for the thread. */
export interface LoggedFloatsTask {
  readonly loan: ChunkLoan
  /** A double, in which it tells the bytes that chunks take. */
  readonly used: SharedArrayBuffer
  /** Where batches go whose floats are appended. */
  readonly back: MessagePort
}

/** Undefined: the chunks are wanted back, which is the last message. */
export type ToFloatsThread = LogBatch | undefined

/** A thread that appends floats of a log. */
export class LoggedFloatsThread implements LoggedAppending {
  readonly #worker: Worker
  readonly #used: Float64Array
  /** The thread writes its times there. */
  readonly #lent: HeadMemory
  readonly #returned = Promise.withResolvers<ReturnedChunks>()
  isAppending = true

  /** `back`: to whom batches are given that are no longer needed. */
  constructor(loan: ChunkLoan, back: MessagePort, onFailure: (error: Error) => void) {
    const used = new SharedArrayBuffer(8)
    this.#used = new Float64Array(used)
    this.#used[0] = loan.writer.usedWords * 4
    this.#lent = new HeadMemory(loan.memory)
    const workerData: LoggedFloatsTask = { loan, used, back }
    this.#worker = spawnWorker('logged-floats-worker', new URL('./logged-floats-worker.ts', import.meta.url), {
      workerData,
      transferList: [back],
    })
    // Whoever waits for the chunks is told; until then nobody does.
    this.#returned.promise.catch(() => undefined)
    const fail = (error: Error): void => {
      this.#returned.reject(error)
      onFailure(error)
    }
    this.#worker.on('message', (returned: ReturnedChunks) => this.#returned.resolve(returned))
    this.#worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))))
    this.#worker.on('exit', (code) => {
      if (code !== 0) fail(new Error(`the thread that appends the floats of the log ended with ${code}`))
    })
  }

  get minTimeMs(): number {
    return this.#lent.minTime
  }

  get maxTimeMs(): number {
    return this.#lent.maxTime
  }

  get usedBytes(): number {
    return this.#used[0]!
  }

  /** Appends the floats of a batch that is no longer needed here. */
  take(batch: LogBatch): void {
    this.#tell(batch, buffersOf(batch))
  }

  takeBack(): Promise<ReturnedChunks> {
    this.isAppending = false
    this.#tell(undefined)
    return this.#returned.promise
  }

  close(): void {
    void this.#worker.terminate()
  }

  #tell(message: ToFloatsThread, transferred: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transferred)
  }
}
