import type { Clock } from '@narthex/service/clock'
import type { Labels } from '@narthex/model/labels'
import type { Logger } from '@narthex/service/logger'
import type { Counter, Registry, Summary } from '@narthex/service/metrics'
import type { Silence, SilenceState } from './silence.ts'
import { canUpdateInPlace, compareSilences, findSilenceProblem, silences, silenceState } from './silence.ts'
import { decodeSilences, encodeSilences } from './silence-codec.ts'
import { msToNs } from '../rfc3339.ts'
import { randomUUID } from 'node:crypto'
import { SnapshotFile } from '../storage/snapshot-file.ts'

/** A silence that cannot be stored; the text is for the user. */
export class SilenceError extends Error {
  override name = 'SilenceError'
}

export class SilenceNotFoundError extends SilenceError {
  constructor() {
    super('silence not found')
  }
}

export interface SilenceStoreOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** How long a silence is kept after its end. */
  readonly retentionMs: number
  /** Most silences kept, expired ones included; 0 is no limit. */
  readonly silencesMax?: number
  readonly createId?: () => string
}

const maintenanceIntervalMs = 15 * 60_000

/** All silences; changes are on disk within a second. */
export class SilenceStore {
  readonly #silences = new Map<string, Silence>()
  readonly #options: SilenceStoreOptions
  readonly #file: SnapshotFile
  readonly #queries: Counter
  readonly #garbageDuration: Summary
  #cancelMaintenance: () => void = () => {}

  private constructor(options: SilenceStoreOptions) {
    this.#options = options
    const { path, clock, log, registry } = options
    const size = registry.gauge('alertmanager_silences_snapshot_size_bytes', 'Size of the last saved silences.')
    const duration = registry.summary('alertmanager_silences_snapshot_duration_seconds', 'How long saving the silences takes.')
    this.#file = new SnapshotFile({
      path,
      clock,
      log,
      encode: () => this.#encode(),
      saved: (bytes, durationMs) => {
        size.set(bytes)
        duration.observe(durationMs / 1000)
      },
    })
    this.#queries = registry.counter('alertmanager_silences_queries_total', 'Look-ups of silences.')
    registry.counter('alertmanager_silences_query_errors_total', 'Look-ups of silences that failed.')
    this.#garbageDuration = registry.summary('alertmanager_silences_gc_duration_seconds', 'How long forgetting old silences takes.')
    const states = registry.gauge('alertmanager_silences', 'Silences by state.', ['state'])
    registry.onCollect(() => {
      for (const [state, count] of this.#countStates()) states.set(count, state)
    })
  }

  /** Rejects if the file is there and cannot be read. */
  static async open(options: SilenceStoreOptions): Promise<SilenceStore> {
    const store = new SilenceStore(options)
    const content = await store.#file.read()
    if (content !== undefined) store.#load(content)
    store.#armMaintenance()
    return store
  }

  get(id: string): Silence | undefined {
    return this.#silences.get(id)
  }

  /** All silences in the order of the API. */
  all(): Silence[] {
    const nowNs = this.#now()
    return [...this.#silences.values()].sort((a, b) => compareSilences(a, b, nowNs))
  }

  state(silence: Silence): SilenceState {
    return silenceState(silence, this.#now())
  }

  /** Ids of the active silences for these labels, sorted. */
  findActive(labels: Labels): string[] {
    this.#queries.inc()
    const nowNs = this.#now()
    const ids: string[] = []
    for (const silence of this.#silences.values()) {
      if (silenceState(silence, nowNs) === 'active' && silences(silence, labels)) ids.push(silence.id)
    }
    return ids.sort()
  }

  /**
   * Creates a silence (empty id) or changes one; what may not be changed in place ends the old one and makes a new one.
   * Gives the id; throws `SilenceError`.
   */
  set(draft: Omit<Silence, 'updatedAtNs'>): string {
    const nowNs = this.#now()
    const previous = this.#silences.get(draft.id)
    if (draft.id !== '' && previous === undefined) throw new SilenceNotFoundError()
    if (previous !== undefined && canUpdateInPlace(previous, { ...draft, updatedAtNs: nowNs }, nowNs)) {
      return this.#store({ ...draft, updatedAtNs: nowNs })
    }
    const { createId = randomUUID } = this.#options
    const startsAtNs = draft.startsAtNs < nowNs ? nowNs : draft.startsAtNs
    const fresh: Silence = { ...draft, id: createId(), startsAtNs, updatedAtNs: nowNs }
    this.#checkSilence(fresh)
    if (previous !== undefined && silenceState(previous, nowNs) !== 'expired') this.expire(previous.id)
    return this.#store(fresh)
  }

  /** Ends a silence now. Throws `SilenceNotFoundError`; one that is over already stays as it is. */
  expire(id: string): void {
    const silence = this.#silences.get(id)
    if (silence === undefined) throw new SilenceNotFoundError()
    const nowNs = this.#now()
    const state = silenceState(silence, nowNs)
    if (state === 'expired') return
    const startsAtNs = state === 'pending' ? nowNs : silence.startsAtNs
    this.#store({ ...silence, startsAtNs, endsAtNs: nowNs, updatedAtNs: nowNs })
  }

  async close(): Promise<void> {
    this.#cancelMaintenance()
    await this.#file.close()
  }

  #checkSilence(silence: Silence): void {
    const problem = findSilenceProblem(silence)
    if (problem !== undefined) throw new SilenceError(`invalid silence: ${problem}`)
    const { silencesMax = 0 } = this.#options
    if (silencesMax > 0 && this.#silences.size >= silencesMax) {
      throw new SilenceError(`exceeded maximum number of silences: ${this.#silences.size} (limit: ${silencesMax})`)
    }
  }

  #store(silence: Silence): string {
    const problem = findSilenceProblem(silence)
    if (problem !== undefined) throw new SilenceError(`invalid silence: ${problem}`)
    this.#silences.set(silence.id, silence)
    this.#file.markDirty()
    return silence.id
  }

  #encode(): Uint8Array {
    const retentionNs = msToNs(this.#options.retentionMs)
    return encodeSilences([...this.#silences.values()].map((silence) => ({ silence, expiresAtNs: silence.endsAtNs + retentionNs })))
  }

  #load(content: Uint8Array): void {
    const nowNs = this.#now()
    try {
      for (const { silence, expiresAtNs } of decodeSilences(content)) if (expiresAtNs > nowNs) this.#silences.set(silence.id, silence)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`cannot load silences from ${this.#options.path}: ${reason}`, { cause: error })
    }
  }

  #countStates(): Map<SilenceState, number> {
    const counts = new Map<SilenceState, number>([
      ['active', 0],
      ['pending', 0],
      ['expired', 0],
    ])
    const nowNs = this.#now()
    for (const silence of this.#silences.values()) {
      const state = silenceState(silence, nowNs)
      counts.set(state, counts.get(state)! + 1)
    }
    return counts
  }

  #armMaintenance(): void {
    this.#cancelMaintenance = this.#options.clock.setTimer(() => {
      this.#dropOld()
      this.#armMaintenance()
    }, maintenanceIntervalMs)
  }

  #dropOld(): void {
    const startMs = this.#options.clock.now()
    const oldestNs = this.#now() - msToNs(this.#options.retentionMs)
    for (const [id, silence] of this.#silences) {
      if (silence.endsAtNs >= oldestNs) continue
      this.#silences.delete(id)
      this.#file.markDirty()
    }
    this.#garbageDuration.observe((this.#options.clock.now() - startMs) / 1000)
  }

  #now(): bigint {
    return msToNs(this.#options.clock.now())
  }
}
