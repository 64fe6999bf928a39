import type { Worker } from 'node:worker_threads'
import { spawnWorker } from '@narthex/service/worker'
import { growingArenas } from '../head/page-toucher.ts'
import type { ChunkLoan, ReturnedChunks } from '../head/chunk-loan.ts'
import { HeadMemory } from '../head/head-memory.ts'
import type { SharedArena } from '../head/shared-arena.ts'
import { buffersOf } from './log-batch.ts'
import type { LogBatch } from './log-batch.ts'
import type { LoggedAppending, LogPart, LogPartSource } from './log-decoder.ts'
import type { LogFile } from './log-files.ts'

/** Plain data for the thread. */
export interface LogDecodingTask {
  readonly segments: readonly LogFile[]
  /** Of the head that is filled: `growingArenas`. */
  readonly arenas: readonly SharedArrayBuffer[]
}

/** For the thread: what it is to do with the chunks of the head, or a batch that is no longer needed here. */
export type ToDecodingThread =
  | { readonly kind: 'lent'; readonly loan: ChunkLoan; readonly used: SharedArrayBuffer }
  | { readonly kind: 'wanted back' }
  /** Its floats are appended, if chunks are lent. `used`: how far the arenas are. */
  | { readonly kind: 'batch'; readonly batch: LogBatch; readonly used: readonly number[] }

/** From the thread: parts of the log, undefined at its end, and chunks that were lent. */
export type FromDecodingThread = LogPart | { readonly kind: 'chunks'; readonly returned: ReturnedChunks } | undefined

/** A thread that reads a log, checks it and takes it apart, some megabytes ahead of this one; it may append the floats, too. */
export class LogDecodingThread implements LogPartSource {
  readonly #worker: Worker
  /** Undefined: the end. */
  readonly #ready: (LogPart | undefined)[] = []
  #failure: Error | undefined
  #onArrival: (() => void) | undefined
  #onReturned: PromiseWithResolvers<ReturnedChunks> | undefined

  readonly #arenas: readonly SharedArena[]

  /** `memory`: of the head that is filled. */
  constructor(segments: readonly LogFile[], memory: HeadMemory) {
    this.#arenas = growingArenas(memory)
    const workerData: LogDecodingTask = { segments, arenas: this.#arenas.map(({ buffer }) => buffer) }
    this.#worker = spawnWorker('log-decoding-worker', new URL('./log-decoding-worker.ts', import.meta.url), { workerData })
    this.#worker.on('message', (part: FromDecodingThread) => {
      if (part?.kind === 'chunks') this.#onReturned?.resolve(part.returned)
      else this.#ready.push(part)
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
    this.#tell({ kind: 'batch', batch, used: this.#arenas.map(({ usedWords }) => usedWords * 4) }, buffersOf(batch))
  }

  startAppending(loan: ChunkLoan): LoggedAppending {
    const used = new SharedArrayBuffer(8)
    const usedBytes = new Float64Array(used)
    usedBytes[0] = loan.writer.usedWords * 4
    const lent = new HeadMemory(loan.memory)
    this.#tell({ kind: 'lent', loan, used })
    return {
      get minTimeMs(): number {
        return lent.minTime
      },
      get maxTimeMs(): number {
        return lent.maxTime
      },
      get usedBytes(): number {
        return usedBytes[0]!
      },
      takeBack: () => {
        this.#onReturned = Promise.withResolvers<ReturnedChunks>()
        if (this.#failure !== undefined) this.#onReturned.reject(this.#failure)
        this.#tell({ kind: 'wanted back' })
        return this.#onReturned.promise
      },
    }
  }

  close(): void {
    void this.#worker.terminate()
  }

  #tell(message: ToDecodingThread, transferred: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transferred)
  }

  #failed(error: Error): void {
    this.#failure ??= error
    this.#onReturned?.reject(this.#failure)
    this.#arrived()
  }

  #arrived(): void {
    this.#onArrival?.()
    this.#onArrival = undefined
  }
}
