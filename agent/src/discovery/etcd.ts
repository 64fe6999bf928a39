import type { EtcdDiscovery } from '@narthex/config/etcd-discovery'
import type { Timer } from '../clock.ts'
import { EtcdError } from './etcd-answers.ts'
import { EtcdClient, type EtcdChange, type EtcdWatchEvents } from './etcd-client.ts'
import { EtcdKeys } from './etcd-keys.ts'
import type { DiscoveryContext } from './mechanisms.ts'
import type { Discoverer, TargetGroup } from './target-groups.ts'

/** A watch that is not confirmed in this time sits behind something that holds answers back. */
const watchCreatedTimeoutMs = 10_000
const backoffMinMs = 1_000
const backoffMaxMs = 30_000
/** A revision that is compacted sooner than this after it was read is a failure: reading again at once could go on for ever. */
const compactionMinMs = 1_000
/** A watch that lasted this long was a good one: the next failure is the first again. */
const steadyMs = 10_000

/**
 * etcd_sd_configs: reads all keys under a prefix, then watches them. A broken watch goes on at the next endpoint from where it was; a
 * revision that was compacted away, and every refresh interval, read all keys again.
 */
export class EtcdDiscoverer implements Discoverer {
  readonly #config: EtcdDiscovery
  readonly #context: DiscoveryContext
  readonly #client: EtcdClient
  readonly #keys: EtcdKeys
  readonly #stop = new AbortController()
  #update: (groups: readonly TargetGroup[]) => void = () => {}
  /** Where the next watch begins; undefined: read all keys first. */
  #nextRevision: bigint | undefined
  #readMs = 0
  #endpoint = 0
  #failures = 0
  #timer: Timer | undefined
  #wake: () => void = () => {}

  constructor(config: EtcdDiscovery, context: DiscoveryContext) {
    this.#config = config
    this.#context = context
    this.#client = new EtcdClient(config, context.userAgent)
    this.#keys = new EtcdKeys(config.prefix, (key, error) => {
      context.metrics.etcdBadValues.inc()
      context.log.error('Error reading value, its last good targets are kept', { key, err: error })
    })
  }

  start(update: (groups: readonly TargetGroup[]) => void): void {
    this.#update = update
    void this.#run()
  }

  stop(): void {
    this.#stop.abort(new Error('discovery stopped'))
    this.#wake()
    void this.#client.close()
  }

  async #run(): Promise<void> {
    const { clock } = this.#context
    while (!this.#stop.signal.aborted) {
      const started = clock.elapsed()
      try {
        await this.#follow(this.#config.endpoints[this.#endpoint]!)
        this.#failures = 0
      } catch (error) {
        if (this.#stop.signal.aborted) return
        const isCompacted = error instanceof EtcdError && error.isCompacted
        if (isCompacted) this.#nextRevision = undefined
        // Nobody's fault, unless it happens at once.
        if (isCompacted && clock.elapsed() - this.#readMs >= compactionMinMs) continue
        if (clock.elapsed() - started >= steadyMs) this.#failures = 0
        await this.#fail(error)
      }
    }
  }

  /** Reads and watches at one endpoint until the next refresh is due. Throws when that is not possible any more. */
  async #follow(endpoint: string): Promise<void> {
    const { clock } = this.#context
    if (this.#nextRevision === undefined) await this.#readAll(endpoint)
    let isDue = false
    const watch = new AbortController()
    const signal = AbortSignal.any([this.#stop.signal, watch.signal])
    const untilRefreshMs = this.#config.refreshIntervalMs - (clock.elapsed() - this.#readMs)
    const refresh = clock.setTimer(
      () => {
        isDue = true
        this.#nextRevision = undefined
        watch.abort(new Error('refresh is due'))
      },
      Math.max(0, untilRefreshMs),
    )
    const created = clock.setTimer(
      () => watch.abort(new Error(`no answer to a watch within ${watchCreatedTimeoutMs} ms`)),
      watchCreatedTimeoutMs,
    )
    const events: EtcdWatchEvents = {
      onCreated: () => clock.clearTimer(created),
      onChanges: (changes, nextRevision) => this.#takeChanges(changes, nextRevision),
    }
    try {
      await this.#client.watch(endpoint, this.#nextRevision!, events, signal)
      throw new Error('the server ended the watch')
    } catch (error) {
      if (!isDue) throw error
    } finally {
      clock.clearTimer(refresh)
      clock.clearTimer(created)
    }
  }

  #takeChanges(changes: readonly EtcdChange[], nextRevision: bigint): void {
    // What is half taken when this throws is read again.
    this.#nextRevision = undefined
    const groups = this.#keys.apply(changes)
    this.#nextRevision = nextRevision
    if (groups.length > 0) this.#update(groups)
  }

  async #readAll(endpoint: string): Promise<void> {
    const { clock, metrics, jobName } = this.#context
    const started = clock.elapsed()
    const reading = this.#keys.startReading()
    const revision = await this.#client.readAll(endpoint, (entries) => reading.take(entries), this.#stop.signal)
    if (this.#stop.signal.aborted) return
    metrics.refreshDuration.observe((clock.elapsed() - started) / 1000, 'etcd', jobName)
    this.#update(reading.finish())
    this.#nextRevision = revision + 1n
    this.#readMs = clock.elapsed()
  }

  /** Goes on with the next endpoint: at once, or after a pause when all have failed. */
  async #fail(error: unknown): Promise<void> {
    const { log, metrics, jobName } = this.#context
    const { endpoints, refreshIntervalMs } = this.#config
    metrics.etcdFailures.inc()
    if (this.#nextRevision === undefined) metrics.refreshFailures.inc(1, 'etcd', jobName)
    log.error('Error following targets in etcd', { endpoint: new URL(endpoints[this.#endpoint]!).host, err: error })
    this.#client.forgetToken()
    this.#endpoint = (this.#endpoint + 1) % endpoints.length
    this.#failures++
    const rounds = Math.floor(this.#failures / endpoints.length)
    if (this.#failures % endpoints.length !== 0) return
    await this.#sleep(Math.min(backoffMinMs * 2 ** (rounds - 1), backoffMaxMs, refreshIntervalMs))
  }

  /** Ends early when the discovery is stopped. */
  async #sleep(delayMs: number): Promise<void> {
    const { clock } = this.#context
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      this.#timer = clock.setTimer(resolve, delayMs)
    })
    clock.clearTimer(this.#timer)
  }
}

export function createEtcdDiscoverer(config: EtcdDiscovery, context: DiscoveryContext): EtcdDiscoverer {
  return new EtcdDiscoverer(config, context)
}
