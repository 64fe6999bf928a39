import { FamilyWriter } from '@narthex/exposition/family-writer'
import type { MetricType } from '@narthex/model/metric-type'
import type { ReportedFamily, ReportedSample } from './send-protocol.ts'

/** Keeps what a registry writes, so that another thread writes it among its own families. */
export class FamilyRecorder extends FamilyWriter {
  #families: (ReportedFamily & { readonly samples: ReportedSample[] })[] = []

  constructor() {
    super(0)
  }

  override family(name: string, help: string, type: MetricType | 'untyped'): void {
    this.#families.push({ name, help, type, samples: [] })
  }

  override sample(value: number, labels: readonly string[] = [], suffix?: string): void {
    this.#families.at(-1)!.samples.push({ value, labels, ...(suffix === undefined ? {} : { suffix }) })
  }

  /** What was written since the last call. */
  take(): ReportedFamily[] {
    const families = this.#families
    this.#families = []
    return families
  }
}

/** Writes families that were recorded elsewhere. */
export function writeFamilies(writer: FamilyWriter, families: readonly ReportedFamily[]): void {
  for (const { name, help, type, samples } of families) {
    writer.family(name, help, type)
    for (const { value, labels, suffix } of samples) writer.sample(value, labels, suffix)
  }
}
