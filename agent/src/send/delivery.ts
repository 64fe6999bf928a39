import { Backoff, sleep } from './backoff.ts'
import type { ItemCounts } from './item-counts.ts'
import { judgeAnswer } from './verdict.ts'
import type { DropReason, MessageVersion, RemoteAnswer, Verdict } from './verdict.ts'

/** Posts one request body, which is valid until it settles; rejects for anything but an answer. Header names of the answer are in lower case. */
export interface RemotePoster {
  post(headers: Readonly<Record<string, string>>, body: Uint8Array, signal: AbortSignal): Promise<RemoteAnswer>
  /** Ends running requests and gives connections back. */
  close?(): Promise<void>
}

export interface DeliveryOptions {
  readonly poster: RemotePoster
  /** Of the configuration; the headers of the protocol win over them. */
  readonly headers: Readonly<Record<string, string>>
  readonly userAgent: string
  /** Undefined: 2.0 first, and 1.0 if the remote does not take it. */
  readonly fixedVersion: MessageVersion | undefined
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  /** Wait between probes while the remote refuses us (401, 403, 404). */
  readonly holdMs?: number
  readonly now: () => number
  readonly random?: () => number
  readonly onRetry: (reason: string, items: Readonly<ItemCounts>, isThrottled: boolean, isMetadata: boolean) => void
  readonly onFallback: (reason: string) => void
  /** `headers` and `body` are the refused request; the body is valid until it returns. */
  readonly onRefusal: (reason: DropReason, answer: RemoteAnswer, headers: Readonly<Record<string, string>>, body: Uint8Array) => void
  readonly onHold: (reason: string) => void
  /** Seconds that an answered attempt took. */
  readonly onAttempt: (seconds: number) => void
}

export interface BuiltParcel {
  readonly body: Uint8Array
  /** One without samples and histograms is not sent. */
  readonly items: Readonly<ItemCounts>
}

/** Something to be sent in either version; 1.0 may have to be built when 2.0 is not taken. */
export interface Parcel {
  /** Its items are families. */
  readonly isMetadata?: boolean
  build(version: MessageVersion): BuiltParcel
}

export type DeliveryResult =
  | { readonly kind: 'delivered'; readonly written: Readonly<ItemCounts>; readonly sent: Readonly<ItemCounts> }
  | {
      readonly kind: 'dropped'
      readonly reason: DropReason
      readonly written: Readonly<ItemCounts>
      readonly sent: Readonly<ItemCounts>
      readonly isTooLarge: boolean
    }
  | { readonly kind: 'aborted' }

export const defaultHoldMs = 30_000

const versionHeaders: Readonly<Record<MessageVersion, Readonly<Record<string, string>>>> = {
  1: { 'Content-Type': 'application/x-protobuf', 'X-Prometheus-Remote-Write-Version': '0.1.0' },
  2: { 'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request', 'X-Prometheus-Remote-Write-Version': '2.0.0' },
}

/** Sends to one remote until an answer settles it: shared by all shards, so what one learns of the remote holds for all. */
export class Delivery {
  readonly #options: DeliveryOptions
  #version: MessageVersion
  #hasConfirmed2 = false

  constructor(options: DeliveryOptions) {
    this.#options = options
    this.#version = options.fixedVersion ?? 2
  }

  get version(): MessageVersion {
    return this.#version
  }

  /** Tries until delivered, given up, or aborted. */
  async deliver(parcel: Parcel, signal: AbortSignal): Promise<DeliveryResult> {
    const { minBackoffMs, maxBackoffMs, random } = this.#options
    const backoff = new Backoff(minBackoffMs, maxBackoffMs, random ?? Math.random)
    const { isMetadata = false } = parcel
    let version = this.#version
    let request = parcel.build(version)
    if (isEmpty(request)) return { kind: 'delivered', written: request.items, sent: request.items }
    for (let attempt = 0; !signal.aborted; attempt++) {
      const verdict = await this.#attempt(version, request, attempt, signal)
      if (signal.aborted && verdict.kind === 'retry') break
      switch (verdict.kind) {
        case 'delivered':
          if (version === 2) this.#hasConfirmed2 = true
          return { kind: 'delivered', written: verdict.written, sent: request.items }
        case 'drop':
          return {
            kind: 'dropped',
            reason: verdict.reason,
            written: verdict.written,
            sent: request.items,
            isTooLarge: verdict.isTooLarge,
          }
        case 'fallback':
          this.#fallBack(verdict.reason)
          version = this.#version
          request = parcel.build(version)
          // 1.0 may have no place for what 2.0 carried.
          if (isEmpty(request)) return { kind: 'delivered', written: request.items, sent: request.items }
          attempt = -1
          break
        case 'hold':
          this.#options.onHold(verdict.reason)
          this.#options.onRetry(verdict.reason, request.items, false, isMetadata)
          await sleep(this.#options.holdMs ?? defaultHoldMs, signal)
          break
        case 'retry':
          this.#options.onRetry(verdict.reason, request.items, verdict.reason === 'HTTP 429' || verdict.afterMs !== undefined, isMetadata)
          await sleep(backoff.next(verdict.afterMs), signal)
      }
    }
    return { kind: 'aborted' }
  }

  async #attempt(version: MessageVersion, request: BuiltParcel, attempt: number, signal: AbortSignal): Promise<Verdict> {
    const { poster, headers, userAgent, fixedVersion, now } = this.#options
    const sent: Record<string, string> = { ...headers, ...versionHeaders[version], 'Content-Encoding': 'snappy', 'User-Agent': userAgent }
    if (attempt > 0) sent['Retry-Attempt'] = String(attempt)
    let answer: RemoteAnswer
    const startMs = performance.now()
    try {
      answer = await poster.post(sent, request.body, signal)
    } catch (error) {
      return { kind: 'retry', reason: error instanceof Error ? error.message : String(error), afterMs: undefined }
    }
    this.#options.onAttempt((performance.now() - startMs) / 1000)
    const context = {
      version,
      mayFallBack: fixedVersion === undefined && version === 2,
      hasConfirmed2: this.#hasConfirmed2,
      sent: request.items,
      now: now(),
    }
    const verdict = judgeAnswer(answer, context)
    if (verdict.kind === 'drop') this.#options.onRefusal(verdict.reason, answer, sent, request.body)
    return verdict
  }

  /** Another shard may have found out first. */
  #fallBack(reason: string): void {
    if (this.#version === 1) return
    this.#version = 1
    this.#options.onFallback(reason)
  }
}

function isEmpty({ items }: BuiltParcel): boolean {
  return items.samples + items.histograms === 0
}
