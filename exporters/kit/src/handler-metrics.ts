import type { MetricWriter } from './collector.ts'

const causeEncoding: readonly string[] = ['cause', 'encoding']
const causeGathering: readonly string[] = ['cause', 'gathering']

/** Answers of one status code. */
interface AnswerCount {
  readonly code: number
  readonly labels: readonly string[]
  count: number
}

function createCount(code: number): AnswerCount {
  return { code, labels: ['code', String(code)], count: 0 }
}

/** The metrics of the /metrics handler itself, under the names of Go's promhttp. */
export class HandlerMetrics {
  requestsInFlight = 0
  gatheringErrors = 0
  encodingErrors = 0
  // These three codes are shown from the start.
  readonly #answers = [200, 500, 503].map(createCount)

  countRequest(code: number): void {
    let answer = this.#answers.find((known) => known.code === code)
    if (answer === undefined) this.#answers.push((answer = createCount(code)))
    answer.count++
  }

  write(writer: MetricWriter): void {
    writer.family('promhttp_metric_handler_errors_total', 'Internal errors met by the metrics handler.', 'counter')
    writer.sample(this.encodingErrors, causeEncoding)
    writer.sample(this.gatheringErrors, causeGathering)
    writer.family('promhttp_metric_handler_requests_in_flight', 'Scrapes being served now.', 'gauge')
    writer.sample(this.requestsInFlight)
    writer.family('promhttp_metric_handler_requests_total', 'Scrapes served, by HTTP status code.', 'counter')
    for (let i = 0; i < this.#answers.length; i++) writer.sample(this.#answers[i]!.count, this.#answers[i]!.labels)
  }
}
