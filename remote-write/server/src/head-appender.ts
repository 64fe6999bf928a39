import type { Labels } from '@narthex/model/labels'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import type { MetricType } from '@narthex/model/metric-type'

/** The writing side of the head as the server's own parts use it; `Head` of the storage fits it. */
export interface HeadAppender {
  /** When it has gone up, references that were asked for before may mean other series. */
  readonly referenceVersion: number
  internSymbol(bytes: Uint8Array, start: number, end: number): number
  refBySymbols(pairs: Uint32Array, pairCount: number): number
  refByLabels(labels: Labels): number
  /** The samples until the next commit or rollback are of the server's own scrapes and rules, not received: how late they may be differs. */
  beginOwn(): void
  append(ref: number, timeMs: number, lowWord: number, highWord: number): number
  appendHistogram(ref: number, timeMs: number, histogram: NativeHistogram): number
  appendStaleHistogram(ref: number, timeMs: number, isFloat: boolean): number
  commit(): void
  rollback(): void
  refusal(): string
}

/** Takes the exemplars of a scrape; `ExemplarStorage` of the storage fits it. */
export interface ScrapedExemplars {
  /** Labels are texts with their lengths at [from, to) of `bytes`. */
  appendTexts(ref: number, timeMs: number, lowWord: number, highWord: number, bytes: Uint8Array, from: number, to: number): number
  /** After that of the head. */
  commit(): void
  rollback(): void
}

/** Takes the metadata of scraped series. */
export interface ScrapedMetadata {
  setMetadata(family: string, type: MetricType, help: string, unit: string): void
  numberOf(type: MetricType, unit: string, help: string): number
  noteSeries(ref: number, number: number): void
  /** After that of the head. */
  commit(): void
  rollback(): void
}
