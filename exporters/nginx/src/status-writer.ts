import type { MetricWriter } from '@narthex/exporter-kit/collector'
import { withLabels } from './constant-labels.ts'

/** What one server told, and the labels that stand for it. */
export interface LabelledStatus<Status> {
  readonly status: Status
  readonly labels: readonly string[]
}

/** Adds a sample; `labels` in any order, `le` last. A value that is NaN is left out. */
export type AddSample = (value: number, labels?: readonly string[], suffix?: string) => void

/** Writes the samples of one family after the other, of all servers. */
export class StatusWriter<Status> {
  readonly #writer: MetricWriter
  readonly #statuses: readonly LabelledStatus<Status>[]

  constructor(writer: MetricWriter, statuses: readonly LabelledStatus<Status>[]) {
    this.#writer = writer
    this.#statuses = statuses
  }

  family(name: string, help: string, type: 'counter' | 'gauge' | 'histogram', write: (status: Status, add: AddSample) => void): void {
    this.#writer.family(name, help, type)
    for (const { labels, status } of this.#statuses) {
      write(status, (value, pairs = [], suffix) => {
        if (Number.isNaN(value)) return
        const isBucket = suffix === '_bucket'
        const all = withLabels(labels, isBucket ? pairs.slice(0, -2) : pairs)
        // The bound of a bucket stands last.
        this.#writer.sample(value, isBucket ? [...all, ...pairs.slice(-2)] : all, suffix)
      })
    }
  }
}
