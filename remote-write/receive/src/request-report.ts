import type { Labels } from '@narthex/model/labels'

const linesMax = 10

export interface RequestCounts {
  /** Samples stored. */
  samples: number
  /** Samples refused by the head: order, bounds, duplicates, limits. */
  refusedSamples: number
  /** Samples of series whose labels are not valid. */
  invalidLabelSamples: number
  /** Histograms stored. */
  histograms: number
  /** Histograms refused by the head, or that are none. */
  refusedHistograms: number
  /** Exemplars stored, or stored before. */
  exemplars: number
  /** Others: none are kept, the series is not known, too long, out of order. */
  refusedExemplars: number
  metadata: number
}

/** What happened to one request: numbers for the headers and metrics, and the first ten reasons as text. */
export class RequestReport {
  readonly counts: RequestCounts = {
    samples: 0,
    refusedSamples: 0,
    invalidLabelSamples: 0,
    histograms: 0,
    refusedHistograms: 0,
    exemplars: 0,
    refusedExemplars: 0,
    metadata: 0,
  }
  #lines: string[] = []
  #failures = 0

  get failed(): boolean {
    return this.#failures > 0
  }

  /** Notes a reason for a 400; the text is made for the first ten only. */
  fail(describe: () => string): void {
    this.#failures++
    if (this.#lines.length < linesMax) this.#lines.push(describe())
  }

  text(): string {
    const more = this.#failures - this.#lines.length
    return this.#lines.join('\n') + (more > 0 ? `\n… and ${more} more` : '')
  }
}

export function failedSeriesText(reason: string, labels: Labels): string {
  return `${reason} for series ${labels.toString()}`
}
