import type { CustomQuery } from './custom-query-file.ts'
import type { CustomSamples } from './custom-query-samples.ts'
import type { ServerIdentity } from './mysql-collector.ts'

/** Samples kept at the same time, of all servers; the answers asked for longest ago go first. */
export const cachedSamplesMax = 200_000
/** A query that failed is asked again after this time at the latest. */
const failureMsMax = 60_000

export type CachedAnswer = { readonly samples: readonly CustomSamples[]; readonly ageMs: number } | { readonly error: Error }

interface Entry {
  readonly answer: readonly CustomSamples[] | Error
  readonly storedMs: number
  readonly sampleCount: number
}

/** The last answers to queries that have a `min_interval`, by server. */
export class CustomQueryCache {
  readonly #nowMs: () => number
  /** In the order in which they were stored. */
  readonly #entries = new Map<string, Entry>()
  #sampleCount = 0

  /** `nowMs` is a monotonic clock. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  get sampleCount(): number {
    return this.#sampleCount
  }

  /** The answer, or the failure, that still holds. */
  find(server: ServerIdentity, query: CustomQuery): CachedAnswer | undefined {
    if (query.minIntervalMs === 0) return undefined
    const entry = this.#entries.get(keyOf(server, query))
    if (entry === undefined) return undefined
    const ageMs = this.#nowMs() - entry.storedMs
    const { answer } = entry
    if (answer instanceof Error) return ageMs < Math.min(query.minIntervalMs, failureMsMax) ? { error: answer } : undefined
    return ageMs < query.minIntervalMs ? { samples: answer, ageMs } : undefined
  }

  store(server: ServerIdentity, query: CustomQuery, answer: readonly CustomSamples[] | Error): void {
    if (query.minIntervalMs === 0) return
    const key = keyOf(server, query)
    this.#delete(key)
    const sampleCount = answer instanceof Error ? 1 : answer.reduce((sum, { values }) => sum + values.length, 1)
    this.#entries.set(key, { answer, storedMs: this.#nowMs(), sampleCount })
    this.#sampleCount += sampleCount
    for (const oldest of this.#entries.keys()) {
      if (this.#sampleCount <= cachedSamplesMax) return
      this.#delete(oldest)
    }
  }

  #delete(key: string): void {
    this.#sampleCount -= this.#entries.get(key)?.sampleCount ?? 0
    this.#entries.delete(key)
  }
}

function keyOf({ address, section }: ServerIdentity, { name }: CustomQuery): string {
  return `${section}\0${address}\0${name}`
}
