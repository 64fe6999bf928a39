import type { WireVersion } from './content-type.ts'
import { RequestReport } from './request-report.ts'
import type { RequestCounts } from './request-report.ts'

export interface ReceiveAnswer {
  /** 204 all stored · 400 malformed (nothing stored) or partly refused (the rest stored) · 415 wrong type or encoding · 429 too much waits · 500 log not written · 503 head or disk full (nothing stored, come again). */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Empty for 204. */
  readonly errorText: string
  readonly version: WireVersion | undefined
  readonly counts: Readonly<RequestCounts>
}

/** Who takes remote-write bodies: `Receiver`, or what stands in for it while the storage is not there. */
export interface RequestTaker {
  /** `body` is the compressed body as it came; nothing keeps a reference to it. */
  receive(contentType: string | undefined, contentEncoding: string | undefined, body: Uint8Array): ReceiveAnswer
}

const noHeaders: Readonly<Record<string, string>> = {}

export function answer(status: number, errorText: string, version: WireVersion | undefined, report: RequestReport): ReceiveAnswer {
  const headers = version === 2 ? writtenHeaders(report.counts) : noHeaders
  return { status, headers, errorText, version, counts: report.counts }
}

/** Nothing was stored, and the same request may be taken later. */
export function comeAgain(status: 429 | 503, text: string, version: WireVersion | undefined, retryAfterSeconds: number): ReceiveAnswer {
  const refused = answer(status, text, version, new RequestReport())
  return { ...refused, headers: { ...refused.headers, 'Retry-After': String(retryAfterSeconds) } }
}

/** For 2.0 only, on success and failure: senders of 1.0 must not see them. */
function writtenHeaders(counts: RequestCounts): Record<string, string> {
  return {
    'X-Prometheus-Remote-Write-Samples-Written': String(counts.samples),
    'X-Prometheus-Remote-Write-Histograms-Written': String(counts.histograms),
    'X-Prometheus-Remote-Write-Exemplars-Written': String(counts.exemplars),
  }
}
