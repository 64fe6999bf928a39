import { noItems } from './item-counts.ts'
import type { ItemCounts } from './item-counts.ts'

/** The answer of a remote, as far as the sender looks at it. Header names are in lower case. */
export interface RemoteAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Uint8Array
}

export type MessageVersion = 1 | 2

/** What to do with a request after an answer. */
export type Verdict =
  /** `written` is stored; for 1.0 that is all. */
  | { readonly kind: 'delivered'; readonly written: Readonly<ItemCounts> }
  /** Again later; `afterMs` is the remote's wish. */
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs: number | undefined }
  /** Nothing is wrong with the samples: wait long, then try the same request again. */
  | { readonly kind: 'hold'; readonly reason: string }
  /** The remote does not speak 2.0: the same samples again as 1.0. */
  | { readonly kind: 'fallback'; readonly reason: string }
  /** Given up; `written` of it is stored all the same. */
  | { readonly kind: 'drop'; readonly reason: DropReason; readonly written: Readonly<ItemCounts>; readonly isTooLarge: boolean }

export type DropReason = 'rejected' | 'too_large' | 'unsupported' | 'not_confirmed'

export interface VerdictContext {
  readonly version: MessageVersion
  /** Whether this remote may be given 1.0 instead. */
  readonly mayFallBack: boolean
  /** Whether a 2.0 request was delivered to this remote before. */
  readonly hasConfirmed2: boolean
  /** What the request carries. */
  readonly sent: Readonly<ItemCounts>
  readonly now: number
}

const retryAfterMaxMs = 10 * 60_000

/** Judges an answer by the rules of docs/differences.md: nothing that may succeed later is thrown away. */
export function judgeAnswer(answer: RemoteAnswer, context: VerdictContext): Verdict {
  const { status } = answer
  if (status >= 200 && status < 300) return judgeSuccess(answer, context)
  if (status === 429 || status >= 500) return { kind: 'retry', reason: `HTTP ${status}`, afterMs: readRetryAfter(answer, context.now) }
  if (status === 401 || status === 403 || status === 404) return { kind: 'hold', reason: `HTTP ${status}` }
  const written = context.version === 2 ? (readWritten(answer) ?? noItems) : noItems
  if (status === 415) return context.mayFallBack ? { kind: 'fallback', reason: 'HTTP 415' } : drop('unsupported', written)
  // A 2.0 receiver answers a bad sample with 400 too, but then it says how many it wrote.
  if (status === 400 && context.mayFallBack && !context.hasConfirmed2 && readWritten(answer) === undefined) {
    return { kind: 'fallback', reason: 'HTTP 400' }
  }
  return status === 413 ? { ...drop('too_large', written), isTooLarge: true } : drop('rejected', written)
}

function judgeSuccess(answer: RemoteAnswer, context: VerdictContext): Verdict {
  if (context.version === 1) return { kind: 'delivered', written: context.sent }
  const written = readWritten(answer)
  if (written !== undefined && (total(written) > 0 || total(context.sent) === 0)) return { kind: 'delivered', written }
  // Receivers of 1.0 that look at no Content-Type answer 2xx to what they cannot read, and store nothing.
  if (context.mayFallBack && !context.hasConfirmed2) return { kind: 'fallback', reason: `HTTP ${answer.status} without written samples` }
  return drop('not_confirmed', noItems)
}

function drop(reason: DropReason, written: Readonly<ItemCounts>): Verdict & { kind: 'drop' } {
  return { kind: 'drop', reason, written, isTooLarge: false }
}

function total({ samples, histograms, exemplars }: Readonly<ItemCounts>): number {
  return samples + histograms + exemplars
}

/** The numbers of the 2.0 headers; undefined if none of them is there. */
function readWritten(answer: RemoteAnswer): ItemCounts | undefined {
  const samples = readCount(answer, 'samples')
  const histograms = readCount(answer, 'histograms')
  const exemplars = readCount(answer, 'exemplars')
  if (samples === undefined && histograms === undefined && exemplars === undefined) return undefined
  return { samples: samples ?? 0, histograms: histograms ?? 0, exemplars: exemplars ?? 0 }
}

function readCount(answer: RemoteAnswer, kind: keyof ItemCounts): number | undefined {
  const value = answer.headers[`x-prometheus-remote-write-${kind}-written`]
  const text = Array.isArray(value) ? value[0] : value
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined
}

/** Retry-After as seconds or as an HTTP date, at most ten minutes. */
function readRetryAfter(answer: RemoteAnswer, now: number): number | undefined {
  const value = answer.headers['retry-after']
  const text = (Array.isArray(value) ? value[0] : value)?.trim()
  if (text === undefined || text === '') return undefined
  const afterMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(afterMs) || afterMs <= 0 ? undefined : Math.min(afterMs, retryAfterMaxMs)
}
