import type { Worker } from 'node:worker_threads'
import { spawnWorker } from '@narthex/service/worker'
import { growingArenas } from '../head/page-toucher.ts'
import type { HeadMemory } from '../head/head-memory.ts'
import type { SharedArena } from '../head/shared-arena.ts'
import { buffersOf } from './log-batch.ts'
import type { LogBatch } from './log-batch.ts'
import type { LogPart, LogPartSource } from './log-decoder.ts'
import type { LogFile } from './log-files.ts'

/** Plain data for the thread. */
export interface LogDecodingTask {
  readonly segments: readonly LogFile[]
  /** Of the head that is filled: `growingArenas`. */
  readonly arenas: readonly SharedArrayBuffer[]
}

/** A batch that is no longer needed, and how far the arenas are used. */
export interface GivenBack {
  readonly batch: LogBatch
  readonly used: readonly number[]
}

/** A thread that reads a log, checks it and takes it apart, some megabytes ahead of this one. */
export class LogDecodingThread implements LogPartSource {
  readonly #worker: Worker
  /** Undefined: the end. */
  readonly #ready: (LogPart | undefined)[] = []
  #failure: Error | undefined
  #onArrival: (() => void) | undefined

  readonly #arenas: readonly SharedArena[]

  /** `memory`: of the head that is filled. */
  constructor(segments: readonly LogFile[], memory: HeadMemory) {
    this.#arenas = growingArenas(memory)
    const workerData: LogDecodingTask = { segments, arenas: this.#arenas.map(({ buffer }) => buffer) }
    this.#worker = spawnWorker('log-decoding-worker', new URL('./log-decoding-worker.ts', import.meta.url), { workerData })
    this.#worker.on('message', (part: LogPart | undefined) => {
      this.#ready.push(part)
      this.#arrived()
    })
    this.#worker.on('error', (error) => {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      this.#arrived()
    })
    this.#worker.on('exit', (code) => {
      this.#failure ??= new Error(`the thread that reads the log ended with ${code}`)
      this.#arrived()
    })
  }

  next(): LogPart | Promise<void> | undefined {
    if (this.#ready.length > 0) return this.#ready.shift()
    if (this.#failure !== undefined) throw this.#failure
    return new Promise((resolve) => (this.#onArrival = resolve))
  }

  giveBack(batch: LogBatch): void {
    const given: GivenBack = { batch, used: this.#arenas.map(({ usedWords }) => usedWords * 4) }
    this.#worker.postMessage(given, buffersOf(batch))
  }

  close(): void {
    void this.#worker.terminate()
  }

  #arrived(): void {
    this.#onArrival?.()
    this.#onArrival = undefined
  }
}
