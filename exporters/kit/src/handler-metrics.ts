import type { MetricWriter } from './collector.ts'

/** The metrics of the /metrics handler itself, under the names of Go's promhttp. */
export class HandlerMetrics {
  requestsInFlight = 0
  gatheringErrors = 0
  encodingErrors = 0
  // These three codes are shown from the start.
  readonly #requestsByCode = new Map<number, number>([
    [200, 0],
    [500, 0],
    [503, 0],
  ])

  countRequest(code: number): void {
    this.#requestsByCode.set(code, (this.#requestsByCode.get(code) ?? 0) + 1)
  }

  write(writer: MetricWriter): void {
    writer.family('promhttp_metric_handler_errors_total', 'Internal errors met by the metrics handler.', 'counter')
    writer.sample(this.encodingErrors, ['cause', 'encoding'])
    writer.sample(this.gatheringErrors, ['cause', 'gathering'])
    writer.family('promhttp_metric_handler_requests_in_flight', 'Scrapes being served now.', 'gauge')
    writer.sample(this.requestsInFlight)
    writer.family('promhttp_metric_handler_requests_total', 'Scrapes served, by HTTP status code.', 'counter')
    for (const [code, count] of this.#requestsByCode) writer.sample(count, ['code', String(code)])
  }
}
