import type { MessagePort } from 'node:worker_threads'
import { QueryError } from '@narthex/promql/query-error'
import type { QueryCall, QueryReply } from './query-protocol.ts'

/** Bytes on their way to a client that a thread is ahead of it. */
export const partBytesAheadMax = 4 * 1024 * 1024
/** A client that takes nothing for as long is given up: its query keeps memory of the head from being used again. */
export const stallMsMax = 60_000
const waitMs = 100

/**
 * Sends an answer in parts out of a thread that does nothing else meanwhile. It sleeps while the other side has too much of it: `flow` counts the
 * bytes that are not taken yet.
 */
export class PartSender {
  readonly #port: Pick<MessagePort, 'postMessage'>
  readonly #id: number
  readonly #flow: Int32Array
  readonly #check: () => void
  readonly #stallMsMax: number

  /** `check` throws when the query has to end. */
  constructor(
    port: Pick<MessagePort, 'postMessage'>,
    { id, flow }: Pick<QueryCall, 'id' | 'flow'>,
    check: () => void,
    stallMs: number = stallMsMax,
  ) {
    this.#port = port
    this.#id = id
    this.#flow = new Int32Array(flow ?? new SharedArrayBuffer(4))
    this.#check = check
    this.#stallMsMax = stallMs
  }

  /** The buffer of `part` is given away as a whole. Throws a QueryError if nobody takes what was sent. */
  send(part: Uint8Array<ArrayBuffer>): void {
    Atomics.add(this.#flow, 0, part.length)
    this.#port.postMessage({ id: this.#id, part } satisfies QueryReply, [part.buffer])
    let lastMs = Date.now()
    for (let ahead = Atomics.load(this.#flow, 0); ahead > partBytesAheadMax;) {
      Atomics.wait(this.#flow, 0, ahead, waitMs)
      this.#check()
      const next = Atomics.load(this.#flow, 0)
      if (next !== ahead) lastMs = Date.now()
      else if (Date.now() - lastMs > this.#stallMsMax) {
        throw new QueryError('timeout', `cannot go on with the answer: the client took nothing for ${this.#stallMsMax / 1000} s`)
      }
      ahead = next
    }
  }
}

/** The other side's word that it took bytes of a part. */
export function noteTaken(flow: SharedArrayBuffer, bytes: number): void {
  const cell = new Int32Array(flow)
  Atomics.sub(cell, 0, bytes)
  Atomics.notify(cell, 0)
}
