/** Time for a scrape whose client does not say how long it waits. */
export const scrapeTimeoutDefaultMs = 10_000

/**
 * Milliseconds until a scrape must be answered: what the client says in `X-Prometheus-Scrape-Timeout-Seconds`, less the offset that
 * sending the answer takes. A header that is no positive number, or not above the offset, does not count.
 */
export function readScrapeTimeoutMs(header: string | undefined, offsetMs: number): number {
  if (header === undefined || !/^\s*[0-9]+(\.[0-9]*)?\s*$/.test(header)) return scrapeTimeoutDefaultMs
  const timeoutMs = Number(header) * 1000
  if (timeoutMs <= offsetMs) return scrapeTimeoutDefaultMs
  // Node's timers overflow above 2^31 ms.
  return Math.min(timeoutMs - offsetMs, 0x7fff_ffff)
}
