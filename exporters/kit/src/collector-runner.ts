import type { FamilyWriter } from '@narthex/exposition/family-writer'
import type { Logger } from '@narthex/service/logger'
import { NoDataError, type CollectContext, type Collector } from './collector.ts'
import { ScrapeWriter, type CollectorWriter } from './scrape-writer.ts'

/** How one collector fared in one scrape. */
export interface CollectorOutcome {
  readonly name: string
  readonly durationSeconds: number
  readonly isSuccess: boolean
}

export interface RunResult {
  readonly outcomes: readonly CollectorOutcome[]
  /** Families dropped because two collectors disagree on their type. */
  readonly typeClashes: number
}

interface Run {
  readonly collector: Collector
  readonly writer: CollectorWriter
  readonly startMs: number
  outcome: CollectorOutcome | undefined
}

/**
 * Runs collectors side by side under one deadline. A collector that hangs (a dead mount, a query without an answer) is given up at the
 * deadline: it costs its own families and nothing else. While it still hangs, later scrapes do not start it again, so what it holds
 * (a thread of the pool, a connection) is bounded by the scrapes that were under way at the time.
 */
export class CollectorRunner {
  readonly #log: Logger
  readonly #nowMs: () => number
  readonly #overrunSinceMs = new Map<Collector, number>()

  /** `nowMs` is a monotonic clock. */
  constructor(log: Logger, nowMs: () => number = () => performance.now()) {
    this.#log = log
    this.#nowMs = nowMs
  }

  async run(collectors: readonly Collector[], families: FamilyWriter, timeoutMs: number): Promise<RunResult> {
    const scrapeWriter = new ScrapeWriter(families)
    const deadline = new Deadline(this.#nowMs, this.#nowMs() + timeoutMs)
    const runs: Run[] = []
    const pending: Promise<void>[] = []
    for (const collector of collectors) {
      const run: Run = { collector, writer: scrapeWriter.createWriter(), startMs: this.#nowMs(), outcome: undefined }
      runs.push(run)
      const promise = this.#start(run, deadline)
      if (promise !== undefined) pending.push(promise)
    }
    if (pending.length > 0) await this.#awaitUntil(deadline, Promise.all(pending))
    for (const run of runs) {
      if (run.outcome === undefined) this.#giveUp(run, timeoutMs)
      run.writer.close()
    }
    return { outcomes: runs.map((run) => run.outcome!), typeClashes: scrapeWriter.typeClashes }
  }

  /** A promise that never rejects, or nothing if the collector is done already. */
  #start(run: Run, deadline: Deadline): Promise<void> | undefined {
    const { collector } = run
    const since = this.#overrunSinceMs.get(collector)
    if (since !== undefined) {
      const seconds = Math.round((this.#nowMs() - since) / 1000)
      this.#fail(run, new Error(`cannot start collector: an earlier run has been hanging for ${seconds} s`))
      return undefined
    }
    try {
      const result = collector.collect(deadline.contextFor(run.writer))
      if (result === undefined) {
        this.#succeed(run)
        return undefined
      }
      return result.then(
        () => this.#succeed(run),
        (error: unknown) => this.#fail(run, error),
      )
    } catch (error) {
      this.#fail(run, error)
      return undefined
    }
  }

  async #awaitUntil(deadline: Deadline, all: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const expiry = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        deadline.expire()
        resolve()
      }, deadline.remainingMs())
    })
    await Promise.race([all, expiry])
    clearTimeout(timer)
  }

  #succeed(run: Run): void {
    if (this.#settleLate(run)) return
    run.outcome = this.#outcome(run, true)
    this.#log.debug('collector succeeded', { name: run.collector.name, duration_seconds: run.outcome.durationSeconds })
  }

  #fail(run: Run, error: unknown): void {
    if (this.#settleLate(run)) return
    run.outcome = this.#outcome(run, false)
    const fields = { name: run.collector.name, duration_seconds: run.outcome.durationSeconds, err: error }
    if (error instanceof NoDataError) this.#log.debug('collector returned no data', fields)
    else this.#log.error('collector failed', fields)
  }

  #giveUp(run: Run, timeoutMs: number): void {
    run.outcome = this.#outcome(run, false)
    this.#overrunSinceMs.set(run.collector, run.startMs)
    this.#log.error('collector timed out', { name: run.collector.name, timeout_seconds: timeoutMs / 1000 })
  }

  /** True for a run that was given up before: its end only clears the way for the next one. */
  #settleLate(run: Run): boolean {
    if (run.outcome === undefined) return false
    if (this.#overrunSinceMs.delete(run.collector)) this.#log.info('collector answers again', { name: run.collector.name })
    return true
  }

  #outcome(run: Run, isSuccess: boolean): CollectorOutcome {
    return { name: run.collector.name, durationSeconds: (this.#nowMs() - run.startMs) / 1000, isSuccess }
  }
}

class Deadline {
  readonly #nowMs: () => number
  readonly #atMs: number
  readonly #scrape = {}
  #controller: AbortController | undefined
  #isExpired = false

  constructor(nowMs: () => number, atMs: number) {
    this.#nowMs = nowMs
    this.#atMs = atMs
  }

  remainingMs(): number {
    return this.#atMs - this.#nowMs()
  }

  expire(): void {
    this.#isExpired = true
    this.#controller?.abort()
  }

  // The controller is made on first use: most collectors read files and never ask for it.
  contextFor(writer: CollectorWriter): CollectContext {
    const signal = (): AbortSignal => {
      this.#controller ??= new AbortController()
      if (this.#isExpired) this.#controller.abort()
      return this.#controller.signal
    }
    return {
      writer,
      scrape: this.#scrape,
      remainingMs: () => this.remainingMs(),
      get signal() {
        return signal()
      },
    }
  }
}
