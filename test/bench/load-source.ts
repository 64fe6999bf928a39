import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { LoadSpec } from './load-spec.ts'

export interface LoadRequest {
  /** A remote-write message, compressed. */
  readonly body: Uint8Array
  /** Time of its samples. */
  readonly timeMs: number
}

/** Where senders take their requests from, in the order of the load. */
export interface RequestSource {
  /** So many requests before, the same series had their sample of the step before. */
  readonly requestsPerStep: number
  /** Undefined at the end. */
  next(): LoadRequest | undefined | Promise<LoadRequest | undefined>
}

// Some megabytes: enough that a sender never waits while the next step's values are drawn.
const requestsAhead = 128

/** Requests of a load, made in a thread of their own while others are sent. */
export class LoadSource implements RequestSource {
  readonly #worker: Worker
  readonly #ready: LoadRequest[] = []
  readonly #waiting: ((request: LoadRequest | undefined) => void)[] = []
  #hasEnded = false
  #failure: Error | undefined
  #onFilled: (() => void) | undefined
  requestsPerStep = 0

  private constructor(worker: Worker) {
    this.#worker = worker
  }

  /** Resolves when the labels of all series and the first requests are made. */
  static async start(spec: LoadSpec): Promise<LoadSource> {
    const worker = new Worker(join(import.meta.dirname, 'load-worker.ts'), { workerData: spec })
    const source = new LoadSource(worker)
    const [{ requestCount }] = (await once(worker, 'message')) as [{ requestCount: number }]
    source.requestsPerStep = requestCount
    worker.on('message', (request: LoadRequest | undefined) => source.#take(request))
    worker.on('error', (error) => {
      source.#failure = error instanceof Error ? error : new Error(String(error))
      source.#take(undefined)
    })
    worker.postMessage(requestsAhead)
    await new Promise<void>((resolve) => (source.#onFilled = resolve))
    return source
  }

  next(): LoadRequest | undefined | Promise<LoadRequest | undefined> {
    if (this.#failure !== undefined) throw this.#failure
    const request = this.#ready.shift()
    if (request !== undefined) {
      this.#worker.postMessage(1)
      return request
    }
    if (this.#hasEnded) return undefined
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** The next `count` requests, or what is left of them. */
  async take(count: number): Promise<LoadRequest[]> {
    const requests: LoadRequest[] = []
    while (requests.length < count) {
      const request = await this.next()
      if (request === undefined) break
      requests.push(request)
    }
    return requests
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  #take(request: LoadRequest | undefined): void {
    if (request === undefined) {
      this.#hasEnded = true
      this.#onFilled?.()
      for (const resolve of this.#waiting.splice(0)) resolve(undefined)
      return
    }
    const resolve = this.#waiting.shift()
    if (resolve === undefined) {
      if (this.#ready.push(request) === requestsAhead) this.#onFilled?.()
    } else {
      this.#worker.postMessage(1)
      resolve(request)
    }
  }
}

/** Requests that are all made already; `begin` starts over. */
export class ReadyRequests implements RequestSource {
  readonly requestsPerStep: number
  readonly #requests: readonly LoadRequest[]
  #next = 0

  constructor(requests: readonly LoadRequest[], requestsPerStep: number) {
    this.#requests = requests
    this.requestsPerStep = requestsPerStep
  }

  get length(): number {
    return this.#requests.length
  }

  next(): LoadRequest | undefined {
    return this.#requests[this.#next++]
  }

  begin(): void {
    this.#next = 0
  }
}
