import { EventEmitter } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { QueryPool, type QueryPoolOptions } from '../query-pool.ts'
import type { QueryCall, QueryReply } from '../query-protocol.ts'

/** A thread that answers when the test says so. */
export class FakeQueryThread extends EventEmitter {
  readonly threadId: number
  call: QueryCall | undefined
  heldBytes = 0
  isTerminated = false

  constructor(threadId: number) {
    super()
    this.threadId = threadId
  }

  postMessage(call: QueryCall): void {
    this.call = call
  }

  terminate(): Promise<number> {
    this.isTerminated = true
    setImmediate(() => this.emit('exit', 1))
    return Promise.resolve(1)
  }

  get isCanceled(): boolean {
    return new Int32Array(this.call!.cancel)[0] === 1
  }

  /** To its newest call. */
  reply(reply: Partial<Extract<QueryReply, { status: number }>> = {}): void {
    this.emit('message', { id: this.call!.id, status: 200, body: new Uint8Array(1), ...reply })
  }
}

/** A pool of two such threads, if not otherwise said. */
export function createFakePool(options: Partial<QueryPoolOptions> = {}): { pool: QueryPool; threads: FakeQueryThread[] } {
  const threads: FakeQueryThread[] = []
  const pool = new QueryPool({
    startWorker() {
      const thread = new FakeQueryThread(threads.length + 1)
      threads.push(thread)
      return { worker: thread as unknown as Worker, release: () => {}, heldBytes: () => thread.heldBytes }
    },
    ...{ workersMax: 2, queueMax: 10, graceMs: 1_000, idleMs: 60_000 },
    listBlocks: () => [],
    log: { warn: () => {} },
    ...options,
  })
  return { pool, threads }
}
