import { KeptDeadline } from '@narthex/http/kept-deadline'
import type { Logger } from '@narthex/service/logger'
import { NoDataError, type CollectContext, type Collector } from './collector.ts'
import { FailureMemory, reasonOf } from './failure-memory.ts'
import { ScrapeWriter, type CollectorWriter, type FamiliesWriter } from './scrape-writer.ts'

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
  readonly deadline: Deadline
  readonly startMs: number
  outcome: CollectorOutcome | undefined
}

/** Stands for every run that had no end in time, and for those that could not start because of one: seconds would make each another reason. */
const timedOut = 'timed out'

/** Timers that are kept for further scrapes; more than that seldom wait at once. */
const idleTimersMax = 2

/**
 * Runs collectors side by side under one deadline. A collector that hangs (a dead mount, a query without an answer) is given up at the
 * deadline: it costs its own families and nothing else. While it still hangs, later scrapes do not start it again, so what it holds
 * (a thread of the pool, a connection) is bounded by the scrapes that were under way at the time.
 *
 * A failure is logged when it begins and when its reason changes, not at every scrape, and its end is logged too.
 */
export class CollectorRunner {
  readonly #log: Logger
  readonly #nowMs: () => number
  readonly #overrunSinceMs = new Map<Collector, number>()
  readonly #failures = new FailureMemory()
  readonly #idleTimers: KeptDeadline[] = []

  /** `nowMs` is a monotonic clock. */
  constructor(log: Logger, nowMs: () => number = () => performance.now()) {
    this.#log = log
    this.#nowMs = nowMs
  }

  /** Does not reject. */
  async run(collectors: readonly Collector[], families: FamiliesWriter, timeoutMs: number): Promise<RunResult> {
    const scrapeWriter = new ScrapeWriter(families)
    const deadline = new Deadline(this.#nowMs, this.#nowMs() + timeoutMs)
    const runs: Run[] = []
    const pending: Promise<void>[] = []
    for (const collector of collectors) {
      const run: Run = { collector, writer: scrapeWriter.createWriter(), deadline, startMs: this.#nowMs(), outcome: undefined }
      runs.push(run)
      const promise = this.#start(run)
      if (promise !== undefined) pending.push(promise)
    }
    if (pending.length > 0) await this.#awaitUntil(deadline, pending.length === 1 ? pending[0]! : Promise.all(pending))
    const outcomes: CollectorOutcome[] = []
    for (const run of runs) {
      if (run.outcome === undefined) this.#giveUp(run, timeoutMs)
      run.writer.close()
      outcomes.push(run.outcome!)
    }
    return { outcomes, typeClashes: scrapeWriter.typeClashes }
  }

  /** A promise that never rejects, or nothing if the collector is done already. */
  #start(run: Run): Promise<void> | undefined {
    const { collector } = run
    const since = this.#overrunSinceMs.get(collector)
    if (since !== undefined) {
      run.outcome = this.#outcome(run, false)
      const seconds = Math.round((this.#nowMs() - since) / 1000)
      this.#log.debug('collector is not started: an earlier run hangs', { name: collector.name, hanging_seconds: seconds })
      return undefined
    }
    try {
      const result = collector.collect(run.deadline.contextFor(run.writer))
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

  #awaitUntil(deadline: Deadline, all: Promise<unknown>): Promise<void> {
    const timer = this.#idleTimers.pop() ?? new KeptDeadline(this.#nowMs)
    return new Promise<void>((resolve) => {
      timer.start(deadline.remainingMs(), () => {
        deadline.expire()
        resolve()
      })
      // None of them rejects.
      void all.then(() => resolve())
    }).then(() => {
      timer.stop()
      if (this.#idleTimers.length < idleTimersMax) this.#idleTimers.push(timer)
    })
  }

  #succeed(run: Run): void {
    if (this.#settleLate(run)) return
    const { name } = run.collector
    run.outcome = this.#outcome(run, true)
    this.#log.debug('collector succeeded', { name, duration_seconds: run.outcome.durationSeconds })
    if (this.#failures.isOver(name)) this.#log.info('collector succeeds again', { name })
  }

  #fail(run: Run, error: unknown): void {
    if (this.#settleLate(run)) return
    const { name } = run.collector
    run.outcome = this.#outcome(run, false)
    const fields = { name, duration_seconds: run.outcome.durationSeconds, err: error }
    if (error instanceof NoDataError) {
      this.#log[this.#failures.isOver(name) ? 'info' : 'debug']('collector returned no data', fields)
      return
    }
    // One that listens to the signal fails at the deadline, in words of its own.
    const isNews = this.#failures.isNews(name, run.deadline.isExpired ? timedOut : reasonOf(error))
    this.#log[isNews ? 'error' : 'debug']('collector failed', fields)
  }

  #giveUp(run: Run, timeoutMs: number): void {
    const { name } = run.collector
    run.outcome = this.#outcome(run, false)
    this.#overrunSinceMs.set(run.collector, run.startMs)
    const isNews = this.#failures.isNews(name, timedOut)
    this.#log[isNews ? 'error' : 'debug']('collector timed out', { name, timeout_seconds: timeoutMs / 1000 })
  }

  /** True for a run that was given up before: its end only clears the way for the next one, which may take as long. */
  #settleLate(run: Run): boolean {
    if (run.outcome === undefined) return false
    if (this.#overrunSinceMs.delete(run.collector)) this.#log.debug('collector that was given up has ended', { name: run.collector.name })
    return true
  }

  #outcome(run: Run, isSuccess: boolean): CollectorOutcome {
    return { name: run.collector.name, durationSeconds: (this.#nowMs() - run.startMs) / 1000, isSuccess }
  }
}

class Deadline {
  readonly #nowMs: () => number
  readonly #atMs: number
  #controller: AbortController | undefined
  #isExpired = false

  constructor(nowMs: () => number, atMs: number) {
    this.#nowMs = nowMs
    this.#atMs = atMs
  }

  get isExpired(): boolean {
    return this.#isExpired
  }

  remainingMs(): number {
    return this.#atMs - this.#nowMs()
  }

  expire(): void {
    this.#isExpired = true
    this.#controller?.abort()
  }

  contextFor(writer: CollectorWriter): CollectContext {
    return new RunContext(this, writer)
  }

  // The controller is made on first use: most collectors read files and never ask for it.
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isExpired) this.#controller.abort()
    return this.#controller.signal
  }
}

/** A class, as an object with a getter of its own is made in V8's slow form: 26 KB of garbage a scrape for fifty collectors. */
class RunContext implements CollectContext {
  readonly writer: CollectorWriter
  readonly #deadline: Deadline

  constructor(deadline: Deadline, writer: CollectorWriter) {
    this.#deadline = deadline
    this.writer = writer
  }

  /** All collectors of a scrape have one deadline. */
  get scrape(): object {
    return this.#deadline
  }

  get signal(): AbortSignal {
    return this.#deadline.signal
  }

  remainingMs(): number {
    return this.#deadline.remainingMs()
  }
}
