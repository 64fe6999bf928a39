import type { HttpClient, HttpResponseHead } from '@narthex/http/client'
import { HttpRequestError } from '@narthex/http/client-errors'
import { ApiFormatError, ApiStatusError } from './api-error.ts'
import type { KubernetesMetrics } from './kubernetes-metrics.ts'
import { statusError } from './watch-reader.ts'

/** More of a refusal is not read. */
const refusalBytesMax = 64 * 1024
/** A Retry-After beyond this is cut to it. */
const retryAfterMsMax = 60_000

export interface ApiRequest {
  readonly url: string
  /** Path of the request in metrics. */
  readonly endpoint?: string
  readonly accept: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Called when the server said yes, before the first byte. */
  readonly onAccepted?: () => void
  /** Takes the bytes of a 200 answer. */
  readonly onData: (chunk: Uint8Array) => void
}

/**
 * Sends one GET to an API server or kubelet and hands on its answer as it comes. Throws `ApiStatusError` when it refuses, else what the
 * client or `onData` threw. `metrics` count the request by status, with the time to the answer's head under the endpoint.
 */
export async function streamApi(client: HttpClient, request: ApiRequest, metrics?: KubernetesMetrics): Promise<void> {
  const { url, endpoint = '', accept, timeoutMs, signal, onAccepted, onData } = request
  const started = performance.now()
  const refusal: Uint8Array[] = []
  let refusalBytes = 0
  let head: HttpResponseHead | undefined
  const sink = {
    onHead(given: HttpResponseHead) {
      head = given
      metrics?.requests.inc(1, String(given.status))
      metrics?.requestDuration.observe((performance.now() - started) / 1000, endpoint)
      if (given.status === 200) onAccepted?.()
    },
    onData(chunk: Uint8Array) {
      if (head?.status === 200) return onData(chunk)
      refusalBytes += chunk.length
      if (refusalBytes > refusalBytesMax) throw readRefusal(head!, refusal)
      refusal.push(chunk)
    },
  }
  try {
    await client.requestStream({ url, headers: { accept }, timeoutMs, signal, bodyBytesMax: Infinity }, sink)
  } catch (error) {
    if (head === undefined && !signal.aborted) metrics?.requests.inc(1, '<error>')
    const cause = error instanceof HttpRequestError ? error.cause : undefined
    throw cause instanceof ApiStatusError || cause instanceof ApiFormatError ? cause : error
  }
  if (head !== undefined && head.status !== 200) throw readRefusal(head, refusal)
}

function readRefusal(head: HttpResponseHead, pieces: readonly Uint8Array[]): ApiStatusError {
  const text = Buffer.concat(pieces).toString('utf8')
  const seconds = Number(head.headers['retry-after'])
  const retryAfterMs = seconds > 0 ? Math.min(seconds * 1000, retryAfterMsMax) : undefined
  let status: unknown
  try {
    status = JSON.parse(text)
  } catch {
    // Proxies and kubelets answer with plain text.
    const line = text.replaceAll(/\s+/g, ' ').trim()
    return new ApiStatusError(head.status, line === '' ? 'no reason given' : line.slice(0, 500), retryAfterMs)
  }
  const error = statusError(status, head.status, retryAfterMs)
  return error.status === head.status ? error : new ApiStatusError(head.status, error.message, retryAfterMs)
}
