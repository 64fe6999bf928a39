import { MessageChannel } from 'node:worker_threads'
import type { MessagePort, Worker } from 'node:worker_threads'
import { spawnWorker } from '@narthex/service/worker'
import type { ChunkLoan } from '../head/chunk-loan.ts'
import { buffersOf } from './log-batch.ts'
import type { LogBatch } from './log-batch.ts'
import type { LoggedAppending, LogPart, LogPartSource } from './log-decoder.ts'
import type { LogFile } from './log-files.ts'
import { LoggedFloatsThread } from './logged-floats-thread.ts'

/** Plain data for the thread. */
export interface LogDecodingTask {
  readonly segments: readonly LogFile[]
  /** Batches come back there from another thread. */
  readonly others: MessagePort
}

/** A thread that reads a log, checks it and takes it apart, some megabytes ahead of this one. Another one may append the floats. */
export class LogDecodingThread implements LogPartSource {
  readonly #worker: Worker
  /** Undefined: the end. */
  readonly #ready: (LogPart | undefined)[] = []
  #failure: Error | undefined
  #onArrival: (() => void) | undefined
  /** For who gives batches back instead of this thread. */
  readonly #back: MessagePort
  #floats: LoggedFloatsThread | undefined

  constructor(segments: readonly LogFile[]) {
    const { port1, port2 } = new MessageChannel()
    this.#back = port1
    const workerData: LogDecodingTask = { segments, others: port2 }
    this.#worker = spawnWorker('log-decoding-worker', new URL('./log-decoding-worker.ts', import.meta.url), {
      workerData,
      transferList: [port2],
    })
    this.#worker.on('message', (part: LogPart | undefined) => {
      this.#ready.push(part)
      this.#arrived()
    })
    this.#worker.on('error', (error) => this.#failed(error instanceof Error ? error : new Error(String(error))))
    this.#worker.on('exit', (code) => this.#failed(new Error(`the thread that reads the log ended with ${code}`)))
  }

  next(): LogPart | Promise<void> | undefined {
    if (this.#ready.length > 0) return this.#ready.shift()
    if (this.#failure !== undefined) throw this.#failure
    return new Promise((resolve) => (this.#onArrival = resolve))
  }

  giveBack(batch: LogBatch): void {
    if (this.#floats?.isAppending === true) this.#floats.take(batch)
    else this.#worker.postMessage(batch, buffersOf(batch))
  }

  startAppending(loan: ChunkLoan): LoggedAppending {
    this.#floats = new LoggedFloatsThread(loan, this.#back, (error) => this.#failed(error))
    return this.#floats
  }

  close(): void {
    void this.#worker.terminate()
    this.#floats?.close()
    this.#back.close()
  }

  #failed(error: Error): void {
    this.#failure ??= error
    this.#arrived()
  }

  #arrived(): void {
    this.#onArrival?.()
    this.#onArrival = undefined
  }
}
