export type ScrapeFailure =
  'sample-limit' | 'bucket-limit' | 'body-size-limit' | 'label-limit' | 'target-limit' | 'http' | 'content-type' | 'body'

/** Why a scrape counts for nothing; `message` is what the Targets page shows, in Prometheus' words. */
export class ScrapeError extends Error {
  override name = 'ScrapeError'
  readonly failure: ScrapeFailure

  constructor(failure: ScrapeFailure, message: string, options?: ErrorOptions) {
    super(message, options)
    this.failure = failure
  }
}
