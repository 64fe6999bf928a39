import type { RequestSource } from './load-source.ts'
import { WriteConnection, type WriteTarget } from './write-connection.ts'

export interface SentLoad {
  readonly requests: number
  readonly seconds: number
  /** How often the server asked to come again. */
  readonly refusals: number
  /** Of each request from its last byte sent to the answer; the last try, if there were several. */
  readonly answerMs: Float64Array
  /**
   * Of each request from the moment that it was due to its answer: what it waited for its turn is in it. Without a pace it is due when its
   * connection is free. One that was not made in time is due when it is made.
   */
  readonly dueMs: Float64Array
  /** Requests that were not made in time. */
  readonly madeLate: number
}

export interface SendOptions {
  readonly connections: number
  /** As fast as they are taken without. */
  readonly requestsPerSecond?: number
  /** Tells the time of the samples that were acknowledged last. */
  onAcknowledged?(timeMs: number): void
  /** Asked before each request: true ends the sending. */
  isEnough?(): boolean
}

/**
 * Sends all requests of a source over some connections, each busy until the server has answered. No sample overtakes an older one of its series: a
 * request waits until that of the step before is answered.
 */
export async function sendLoad(source: RequestSource, target: WriteTarget, options: SendOptions): Promise<SentLoad> {
  const { connections, requestsPerSecond, onAcknowledged, isEnough } = options
  const answerMs: number[] = []
  const dueMs: number[] = []
  const underWay = new Map<number, Promise<boolean>>()
  let refusals = 0
  let madeLate = 0
  let taken = 0
  const opened = await Promise.all(Array.from({ length: connections }, () => WriteConnection.open(target)))
  const beginMs = performance.now()
  /** False at the end of the source. */
  const sendNext = async (connection: WriteConnection, turn: number): Promise<boolean> => {
    const next = source.next()
    const request = await next
    if (request === undefined) return false
    const plannedMs = requestsPerSecond === undefined ? performance.now() : beginMs + (turn * 1000) / requestsPerSecond
    const isLate = next instanceof Promise && performance.now() > plannedMs
    if (isLate) madeLate++
    const dueAtMs = isLate ? performance.now() : plannedMs
    const waitMs = dueAtMs - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    await underWay.get(turn - source.requestsPerStep)
    const outcome = await connection.send(request.body)
    answerMs.push(outcome.answerMs)
    // A timer that fires a fraction early must not make a negative delay.
    dueMs.push(Math.max(outcome.answerMs, performance.now() - dueAtMs))
    refusals += outcome.refusals
    onAcknowledged?.(request.timeMs)
    return true
  }
  const work = async (connection: WriteConnection): Promise<void> => {
    for (let isOpen = true; isOpen && isEnough?.() !== true;) {
      const turn = taken++
      const sending = sendNext(connection, turn)
      underWay.set(turn, sending)
      isOpen = await sending
      underWay.delete(turn)
    }
  }
  try {
    await Promise.all(opened.map(work))
  } finally {
    for (const connection of opened) connection.close()
  }
  const seconds = (performance.now() - beginMs) / 1000
  const delays = { answerMs: Float64Array.from(answerMs), dueMs: Float64Array.from(dueMs) }
  return { requests: answerMs.length, seconds, refusals, madeLate, ...delays }
}

/** The value below which `share` of all lie, by the nearest rank. */
export function percentile(values: Float64Array, share: number): number {
  const sorted = values.toSorted()
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN
}
