import type { Logger } from '@narthex/service/logger'
import type { ContainerRow } from './container-row.ts'
import type { ContainerMetadata, Engine } from './engines/engine.ts'

/** Questions to engines under way at once. */
const questionsMax = 8
/** Longest time of a scrape that engines may take, whatever the scraper allows. */
const waitMsMax = 3_000
/** A question that the end of the scrape's time cut off sooner than this says nothing of the engine. */
const patienceMs = 900
/** An engine that could not be asked is left alone for this long. */
const engineRestMs = 30_000
/** Containers are looked up again after this long: names and labels can change. */
const refreshMs = 300_000
/** Longest wait before an engine is asked again for a container that none knew. */
const missMsMax = 300_000
const firstMissMs = 1_000

interface Lookup {
  /** Of the cgroup that was looked up. */
  incarnation: number
  askAtMs: number
  misses: number
}

interface EngineState {
  readonly engine: Engine
  restUntilMs: number
  /** That it cannot be asked was logged. */
  hasFailed: boolean
}

/**
 * Metadata of containers, asked once for each and kept. An engine that is down or hangs costs the first scrape at most three seconds and the
 * others nothing: containers are then named by their cgroup.
 */
export class MetadataStore {
  readonly #states: readonly EngineState[]
  readonly #log: Logger
  readonly #monotonicMs: () => number
  readonly #lookups = new WeakMap<ContainerRow, Lookup>()
  readonly #versions = new Map<Engine, string>()

  constructor(engines: readonly Engine[], log: Logger, monotonicMs: () => number) {
    this.#states = engines.map((engine) => ({ engine, restUntilMs: -Infinity, hasFailed: false }))
    this.#log = log
    this.#monotonicMs = monotonicMs
  }

  /** The engines that answer now, as far as is known. */
  get engines(): readonly Engine[] {
    return this.#usable().map(({ engine }) => engine)
  }

  /** Sets `metadata` and `isHealthy` of the rows that are containers. Never rejects; takes at most `timeoutMs`. */
  async update(rows: readonly ContainerRow[], timeoutMs: number): Promise<void> {
    const usable = this.#usable()
    if (usable.length === 0 || timeoutMs <= 0) return
    const abort = new AbortController()
    const timer = setTimeout(() => abort.abort(), Math.min(timeoutMs, waitMsMax))
    try {
      await this.#askAll(
        rows.filter((row) => this.#isDue(row)),
        abort.signal,
      )
      await Promise.all(usable.map((state) => this.#updateHealth(state, rows, abort.signal)))
    } finally {
      clearTimeout(timer)
    }
  }

  /** Asks an engine; undefined, with one log line, if it cannot be asked. Never rejects. */
  async ask<T>(engine: Engine, question: (signal: AbortSignal) => Promise<T>, timeoutMs: number): Promise<T | undefined> {
    const state = this.#usable().find((usable) => usable.engine === engine)
    if (state === undefined || timeoutMs <= 0) return undefined
    const abort = new AbortController()
    const timer = setTimeout(() => abort.abort(), Math.min(timeoutMs, waitMsMax))
    try {
      const answer = await question(abort.signal)
      this.#succeed(state)
      return answer
    } catch (error) {
      if (!abort.signal.aborted || timeoutMs >= patienceMs) this.#fail(state, error)
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }

  /** The version that an engine told last; undefined before it has told one. */
  async findVersion(engine: Engine, timeoutMs: number): Promise<string | undefined> {
    const known = this.#versions.get(engine)
    if (known !== undefined) return known
    const { findVersion } = engine
    const version = findVersion === undefined ? undefined : await this.ask(engine, (signal) => findVersion(signal), timeoutMs)
    if (version !== undefined) this.#versions.set(engine, version)
    return version
  }

  async close(): Promise<void> {
    await Promise.all(this.#states.map(({ engine }) => engine.close()))
  }

  #usable(): EngineState[] {
    const nowMs = this.#monotonicMs()
    return this.#states.filter((state) => {
      if (!state.engine.isThere()) {
        this.#versions.delete(state.engine)
        return false
      }
      return state.restUntilMs <= nowMs
    })
  }

  #isDue(row: ContainerRow): boolean {
    if (row.container === undefined) return false
    const lookup = this.#lookups.get(row)
    if (lookup === undefined) return true
    if (lookup.incarnation === row.cgroup.incarnation) return lookup.askAtMs <= this.#monotonicMs()
    // Started again: its process is another one.
    if (row.metadata !== undefined) row.metadata = { ...row.metadata, processId: 0 }
    return true
  }

  async #askAll(rows: readonly ContainerRow[], signal: AbortSignal): Promise<void> {
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < rows.length && !signal.aborted) await this.#askFor(rows[next++]!, signal)
    }
    await Promise.all(Array.from({ length: Math.min(questionsMax, rows.length) }, worker))
  }

  async #askFor(row: ContainerRow, signal: AbortSignal): Promise<void> {
    const { engine: named, id } = row.container!
    let wasAsked = false
    for (const state of this.#states) {
      const { engine } = state
      if (named !== undefined && engine.name !== named) continue
      if (state.restUntilMs > this.#monotonicMs() || !engine.isThere()) continue
      const startMs = performance.now()
      try {
        const metadata = await engine.find(id, signal)
        this.#succeed(state)
        wasAsked = true
        if (metadata === undefined) continue
        this.#keep(row, metadata)
        return
      } catch (error) {
        const isCutOff = signal.aborted && performance.now() - startMs < patienceMs
        if (!isCutOff) this.#fail(state, error)
        if (signal.aborted) return
      }
    }
    if (wasAsked) this.#miss(row)
  }

  #keep(row: ContainerRow, metadata: ContainerMetadata): void {
    row.metadata = metadata
    // Spread, so that containers that came at once are not asked for at once for ever.
    const spreadMs = Number.parseInt(metadata.name === '' ? '0' : row.container!.id.slice(0, 4), 16)
    const askAtMs = this.#monotonicMs() + refreshMs + spreadMs
    this.#lookups.set(row, { incarnation: row.cgroup.incarnation, askAtMs, misses: 0 })
  }

  #miss(row: ContainerRow): void {
    const misses = (this.#lookups.get(row)?.misses ?? 0) + 1
    const waitMs = Math.min(missMsMax, firstMissMs * 2 ** Math.min(misses, 16))
    this.#lookups.set(row, { incarnation: row.cgroup.incarnation, askAtMs: this.#monotonicMs() + waitMs, misses })
  }

  async #updateHealth(state: EngineState, rows: readonly ContainerRow[], signal: AbortSignal): Promise<void> {
    const { engine } = state
    const checked = rows.filter(({ metadata }) => metadata?.engine === engine.name && metadata.hasHealthCheck)
    if (checked.length === 0 || engine.findHealthy === undefined || signal.aborted) return
    try {
      const healthy = await engine.findHealthy(signal)
      for (const row of checked) row.isHealthy = healthy.has(row.container!.id)
    } catch (error) {
      if (!signal.aborted) this.#fail(state, error)
    }
  }

  #succeed(state: EngineState): void {
    if (!state.hasFailed) return
    state.hasFailed = false
    this.#log.info('container engine answers again', { engine: state.engine.name })
  }

  #fail(state: EngineState, error: unknown): void {
    state.restUntilMs = this.#monotonicMs() + engineRestMs
    if (state.hasFailed) return
    state.hasFailed = true
    this.#log.warn('cannot ask container engine: containers are named by their cgroup', { engine: state.engine.name, err: error })
  }
}
