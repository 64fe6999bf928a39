import type { FamilyWriter } from '@narthex/exposition/family-writer'

/** Where a collector writes its families: `family` starts one, `sample` adds to it. What arrives after the deadline is dropped. */
export type MetricWriter = Pick<FamilyWriter, 'family' | 'sample'>

export interface CollectContext {
  readonly writer: MetricWriter
  /** Identity of the scrape: collectors that read the same file share one reading per scrape by it. */
  readonly scrape: object
  /** Milliseconds that are left until the scrape is answered without this collector; may be negative. */
  remainingMs(): number
  /** Aborts when the deadline has passed: hand it to requests and queries. */
  readonly signal: AbortSignal
}

/**
 * One group of metric families that can be switched on and off. `collect` writes what it finds and throws when it found nothing useful;
 * families written before the throw are kept. One collector may be asked by several scrapes at once: only code between two `await`s
 * runs undisturbed.
 */
export interface Collector {
  /** As in flags (`--collector.NAME`) and queries (`collect[]=NAME`). */
  readonly name: string
  readonly defaultOn: boolean
  collect(context: CollectContext): void | Promise<void>
  /** Gives back processes, connections and the like. */
  close?(): void | Promise<void>
}

/** Thrown by a collector whose subject does not exist on this machine: success 0 as for any error, but nothing worth a log line. */
export class NoDataError extends Error {
  override name = 'NoDataError'
}
