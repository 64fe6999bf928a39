import type { MetricsRequest, MetricsResponse } from './metrics-answer.ts'

/** One scrape by the program around an exporter. */
export interface EmbeddedScrape {
  readonly query: URLSearchParams
  readonly timeoutMs: number
}

export interface EmbeddedAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: Uint8Array
}

/** An exporter inside of another program. */
export interface Embedded {
  /** Never rejects; the body is text 0.0.4 and not compressed. */
  scrape(request: EmbeddedScrape): Promise<EmbeddedAnswer>
  close(): Promise<void>
}

/** Flags of an embedded exporter by their names. */
export type EmbeddedFlags = Readonly<Record<string, string | boolean | number | readonly string[]>>

/** Asks a handler as a client would that says its timeout: the exporter takes its offset from that, so its answer comes before the caller gives up. */
export async function scrapeEmbedded(
  handle: (request: MetricsRequest) => Promise<MetricsResponse>,
  { query, timeoutMs }: EmbeddedScrape,
): Promise<EmbeddedAnswer> {
  const headers = { 'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000) }
  const answer = await handle({ query, headers })
  return { status: answer.status, contentType: answer.headers['content-type']!, body: answer.body }
}
