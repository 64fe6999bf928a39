import type { LocalDiscovery } from '@narthex/config/local-discovery'
import type { Logger } from '@narthex/service/logger'
import type { EmbeddedExporters } from '../../embedded/embedded-exporters.ts'
import { CredentialsChain } from './credentials-chain.ts'
import type { Credentials } from './credentials.ts'
import { findEndpoints } from './endpoints.ts'
import { matchesAny } from './glob.ts'
import { nameOf } from './local-service.ts'
import type { LocalService, ServiceState } from './local-service.ts'
import type { OccupiedPlaces } from './occupied-places.ts'
import { probeService } from './probe.ts'
import type { ProbeResult } from './probe-result.ts'
import { readProcessFacts } from './process-facts.ts'
import type { FoundService, Scanner, ScanResult } from './scanner.ts'

/** Probes at a time. */
const probesMax = 8
/** A probe that nobody answered is repeated after a minute, then after twice as long as before, to an hour. */
const firstRetryMs = 60_000
const retryMsMax = 3_600_000
/** A service that is gone is kept for this many refresh intervals: a restart is no end. */
const keptScans = 2

export interface LocalServicesOptions {
  readonly config: LocalDiscovery
  readonly scanner: Scanner
  readonly embedded: EmbeddedExporters | undefined
  readonly log: Logger
  /** Milliseconds of a clock that never goes back. */
  nowMs(): number
}

/** What is known of the services of this machine, from scan to scan. */
export class LocalServices {
  readonly credentials: CredentialsChain
  readonly #options: LocalServicesOptions
  readonly #services = new Map<string, LocalService>()

  constructor(options: LocalServicesOptions) {
    const { config, log } = options
    this.#options = options
    this.credentials = new CredentialsChain({
      directory: config.credentialsDirectory,
      readServiceConfigs: config.readServiceConfigs,
      log,
    })
  }

  /** Those of the last scan, and those that were there a short time ago. */
  get all(): IterableIterator<LocalService> {
    return this.#services.values()
  }

  countStates(): Map<string, Map<ServiceState, number>> {
    const counts = new Map<string, Map<ServiceState, number>>()
    for (const service of this.#services.values()) {
      const name = nameOf(service)
      const states = counts.get(name) ?? new Map<ServiceState, number>()
      states.set(service.state, (states.get(service.state) ?? 0) + 1)
      counts.set(name, states)
    }
    return counts
  }

  /** Takes a scan: looks closer at what is new, and forgets what has been gone for long. */
  async take(scan: ScanResult, occupied: OccupiedPlaces): Promise<void> {
    const { config, nowMs } = this.#options
    const now = nowMs()
    const pending: LocalService[] = []
    for (const found of scan.services) {
      const service = this.#services.get(found.key) ?? (await this.#create(found))
      service.found = found
      service.lastSeenMs = now
      if (!this.#isIgnored(service, occupied)) pending.push(service)
    }
    for (const [key, { lastSeenMs }] of this.#services) {
      if (now - lastSeenMs > keptScans * config.refreshIntervalMs) this.#services.delete(key)
    }
    await forEachLimited(pending, probesMax, (service) => this.#look(service, scan))
  }

  async #create(found: FoundService): Promise<LocalService> {
    const facts = await readProcessFacts(this.#options.scanner.files, found)
    const fresh = { placesKey: '', endpoints: [], credentials: undefined, result: undefined, retryMs: 0, retries: 0, lastSeenMs: 0 }
    const service: LocalService = { ...fresh, found, facts, state: 'not_reachable', reason: '' }
    this.#services.set(found.key, service)
    return service
  }

  #isIgnored(service: LocalService, occupied: OccupiedPlaces): boolean {
    const reason = this.#findIgnoreReason(service, occupied)
    if (reason !== undefined) this.#setState(service, 'ignored', reason)
    // Nothing is connected while it is ignored, so that what was found before may have changed.
    if (reason !== undefined) service.placesKey = ''
    return reason !== undefined
  }

  #findIgnoreReason({ found, facts }: LocalService, occupied: OccupiedPlaces): string | undefined {
    const { config, embedded } = this.#options
    const { rule, process, tcp, unix } = found
    if (config.services.length > 0 && !config.services.includes(rule.service)) return 'it is not among the services of the configuration'
    const names = [process?.comm, process?.exeName, facts.exe, facts.containerId, facts.systemdUnit]
    const places = [...tcp.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`), ...unix.map(({ path }) => path)]
    const excluded = [...names, ...places].find((name) => name !== undefined && name !== '' && matchesAny(config.exclude, name))
    if (excluded !== undefined) return `${excluded} is excluded by the configuration`
    if (facts.isOptedOut) return 'its environment has NARTHEX_DISCOVERY=off'
    if (rule.protocol !== 'metrics' && embedded?.has(rule.protocol) !== true)
      return `the ${rule.protocol} exporter is not part of this program`
    return occupied.has(found) ? 'the configuration has a target there' : undefined
  }

  async #look(service: LocalService, scan: ScanResult): Promise<void> {
    const { scanner, nowMs } = this.#options
    const { found, facts } = service
    const placesKey = JSON.stringify([found.tcp, found.unix])
    const credentials = await this.credentials.find(found, facts)
    const isMoved = service.placesKey !== placesKey
    if (isMoved) {
      service.placesKey = placesKey
      service.endpoints = await findEndpoints(found, facts, scanner.files, scan.ownTcp)
      service.retries = 0
    }
    const isNewLogin = !isSameLogin(service.credentials, credentials)
    const isRetry = service.result?.kind === 'not-reachable' && nowMs() >= service.retryMs
    if (!isMoved && !isNewLogin && !isRetry) return this.#judge(service)
    service.credentials = credentials
    const { endpoints } = service
    const reason = 'it is in another network namespace, where no socket and no address of it can be reached'
    service.result =
      endpoints.length === 0 ? { kind: 'not-reachable', reason } : await probeService({ service: found, facts, endpoints, credentials })
    service.retryMs = nowMs() + Math.min(firstRetryMs * 2 ** service.retries++, retryMsMax)
    this.#judge(service)
  }

  #judge(service: LocalService): void {
    const result: ProbeResult = service.result!
    if (result.kind === 'confirmed') this.#setState(service, 'attached', '')
    else if (result.kind === 'needs-credentials') this.#setState(service, 'needs_credentials', result.reason)
    else if (result.kind === 'not-reachable') this.#setState(service, 'not_reachable', result.reason)
    else this.#setState(service, 'ignored', result.reason)
  }

  #setState(service: LocalService, state: ServiceState, reason: string): void {
    if (service.state === state && service.reason === reason) return
    service.state = state
    service.reason = reason
    const { found } = service
    const place = found.tcp[0] === undefined ? found.unix[0]?.path : `${found.tcp[0].host}:${found.tcp[0].port}`
    const fields = { service: nameOf(service), place, pid: found.process?.pid, state, ...(reason === '' ? {} : { reason }) }
    this.#options.log.info('found a local service', fields)
  }
}

function isSameLogin(a: Credentials | undefined, b: Credentials | undefined): boolean {
  return a?.username === b?.username && a?.password === b?.password && a?.source === b?.source
}

async function forEachLimited<Item>(items: readonly Item[], limit: number, work: (item: Item) => Promise<void>): Promise<void> {
  const queue = items.values()
  const run = async (): Promise<void> => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, run))
}
