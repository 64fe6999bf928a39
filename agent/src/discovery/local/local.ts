import { hostname } from 'node:os'
import type { LocalDiscovery } from '@narthex/config/local-discovery'
import type { Timer } from '../../clock.ts'
import type { EmbeddedKind } from '../../embedded/embedded-exporter.ts'
import type { EmbeddedExporters } from '../../embedded/embedded-exporters.ts'
import type { DiscoveryContext } from '../mechanisms.ts'
import type { Discoverer, TargetGroup } from '../target-groups.ts'
import { serviceNames } from './known-services.ts'
import { describeState, instanceOf, metaLabels, nameOf } from './local-service.ts'
import type { LocalService } from './local-service.ts'
import { LocalServices } from './local-services.ts'
import { OccupiedPlaces } from './occupied-places.ts'
import { Scanner } from './scanner.ts'
import type { LocalSurroundings } from './surroundings.ts'

/** Between scans it is looked this often whether a process with a known name has started. */
const hintIntervalMs = 2000

interface Attached {
  readonly kind: EmbeddedKind
  readonly name: string
  /** What it was attached with, as text. */
  readonly key: string
}

/**
 * local_sd_configs: the services of this machine, found by their listening sockets. MySQL, Redis and NGINX get an exporter in this process;
 * known exporters and servers with a metrics page are targets themselves.
 */
export class LocalDiscoverer implements Discoverer {
  readonly #config: LocalDiscovery
  readonly #context: DiscoveryContext
  readonly #surroundings: LocalSurroundings
  readonly #scanner: Scanner
  readonly #services: LocalServices
  readonly #machine: string
  #attached = new Map<string, Attached>()
  #sources = new Map<string, string>()
  #timer: Timer | undefined
  #lastScanMs = -Infinity
  #wantsScan = false
  /** Services that could not be attached, told once. */
  readonly #refused = new Set<string>()
  #isStopped = false
  #longestSliceMs = 0

  /** Throws, with the reason in one line, for a name that the rule table does not have, and where there is no proc file system. `ownPid` is left out of what is found; default: this process. */
  constructor(config: LocalDiscovery, context: DiscoveryContext, surroundings: LocalSurroundings, ownPid?: number) {
    const unknown = config.services.find((name) => !serviceNames.has(name))
    if (unknown !== undefined) throw new Error(`local_sd_configs has no rule for a service named ${JSON.stringify(unknown)}`)
    this.#config = config
    this.#context = context
    this.#surroundings = surroundings
    this.#scanner = new Scanner(config.procfs, ownPid)
    if (!this.#scanner.isReadable)
      throw new Error(`local_sd_configs needs the proc file system of Linux: cannot read ${config.procfs}/self`)
    this.#machine = config.instanceHost ?? hostname()
    const { log, clock } = context
    this.#services = new LocalServices({
      config,
      scanner: this.#scanner,
      embedded: surroundings.embedded,
      log,
      nowMs: () => clock.elapsed(),
    })
  }

  /** The services of the last scan, for the metrics. */
  get services(): LocalServices {
    return this.#services
  }

  /** The longest time that a scan kept everything else waiting, in milliseconds. */
  get longestSliceMs(): number {
    return this.#longestSliceMs
  }

  start(update: (groups: readonly TargetGroup[]) => void): void {
    this.#surroundings.register(this)
    void this.#run(update)
  }

  stop(): void {
    this.#isStopped = true
    this.#context.clock.clearTimer(this.#timer)
    this.#surroundings.unregister(this)
    for (const { kind, name } of this.#attached.values()) this.#surroundings.embedded?.detach(kind, name, this)
    this.#attached.clear()
  }

  async #run(update: (groups: readonly TargetGroup[]) => void): Promise<void> {
    const { clock, metrics, jobName, log } = this.#context
    const { refreshIntervalMs } = this.#config
    const started = clock.elapsed()
    if (started - this.#lastScanMs >= refreshIntervalMs - 1 || this.#wantsScan || this.#scanner.hasNewService()) {
      try {
        await this.#scan(started, update)
        metrics.refreshDuration.observe((clock.elapsed() - started) / 1000, 'local', jobName)
      } catch (error) {
        metrics.refreshFailures.inc(1, 'local', jobName)
        log.error('Unable to refresh target groups', { err: error })
      }
    }
    if (this.#isStopped) return
    const untilScanMs = this.#lastScanMs + refreshIntervalMs - clock.elapsed()
    this.#timer = clock.setTimer(() => void this.#run(update), Math.max(0, Math.min(hintIntervalMs, untilScanMs)))
  }

  async #scan(startedMs: number, update: (groups: readonly TargetGroup[]) => void): Promise<void> {
    this.#lastScanMs = startedMs
    const scan = await this.#scanner.scan()
    if (this.#isStopped) return
    this.#wantsScan = scan.isAnyStarting
    this.#longestSliceMs = Math.max(this.#longestSliceMs, scan.longestSliceMs)
    await this.#services.take(scan, this.#findOccupied())
    if (this.#isStopped) return
    this.#publish(update)
  }

  #findOccupied(): OccupiedPlaces {
    const occupied = new OccupiedPlaces()
    for (const url of this.#surroundings.scrapeUrls(this.#context.jobName)) occupied.addUrl(url)
    for (const service of this.#surroundings.configuredServices()) occupied.addService(service)
    return occupied
  }

  /** Hands on the groups that are new, changed or gone. */
  #publish(update: (groups: readonly TargetGroup[]) => void): void {
    const groups = this.#makeGroups()
    const before = this.#sources
    this.#sources = new Map()
    const changed: TargetGroup[] = []
    for (const group of groups) {
      const text = JSON.stringify(group)
      if (before.get(group.source) !== text) changed.push(group)
      this.#sources.set(group.source, text)
      before.delete(group.source)
    }
    for (const source of before.keys()) changed.push({ source, targets: [], labels: {} })
    if (changed.length > 0) update(changed)
  }

  #makeGroups(): TargetGroup[] {
    const groups = new Map<string, TargetGroup>()
    const attached = new Map<string, Attached>()
    // One that is there comes before one that was there: a restart at the same place is the same target.
    const services = [...this.#services.all].sort((a, b) => b.lastSeenMs - a.lastSeenMs)
    for (const service of services) {
      if (service.state === 'ignored' || service.result === undefined) continue
      const instance = instanceOf(service, this.#machine)
      const source = `${nameOf(service)}/${instance}`
      if (groups.has(source)) continue
      const { rule } = service.found
      const target = rule.protocol === 'metrics' ? describePage(service) : this.#attach(service, rule.protocol, instance, attached)
      if (target === undefined) continue
      const labels = { job: nameOf(service), instance, ...metaLabels(service) }
      groups.set(source, { source, targets: [{ ...target, ...labels }], labels: {} })
    }
    for (const [source, { kind, name }] of this.#attached) {
      if (!attached.has(source)) this.#surroundings.embedded?.detach(kind, name, this)
    }
    this.#attached = attached
    return [...groups.values()]
  }

  /** The target of a service's exporter in this process, made when it is new. */
  #attach(
    service: LocalService,
    kind: EmbeddedKind,
    instance: string,
    attached: Map<string, Attached>,
  ): Record<string, string> | undefined {
    const { embedded } = this.#surroundings
    if (embedded === undefined) return undefined
    const name = `local-${instance.replace(/[^A-Za-z0-9_.:-]+/g, '-')}`
    const source = `${kind}/${name}`
    const key = `${service.found.key} ${service.placesKey}`
    try {
      if (this.#attached.get(source)?.key !== key) this.#attachExporter(service, kind, name, embedded)
      attached.set(source, { kind, name, key })
      return { __address__: embedded.address, __metrics_path__: embedded.pathOf(kind, name), __scheme__: 'http' }
    } catch (error) {
      if (!this.#refused.has(key)) this.#context.log.warn('cannot attach an exporter', { service: nameOf(service), instance, err: error })
      this.#refused.add(key)
      return undefined
    }
  }

  #attachExporter(service: LocalService, kind: EmbeddedKind, name: string, embedded: EmbeddedExporters): void {
    const flags = this.#config.exporterFlags[service.found.rule.service] ?? {}
    embedded.attach({
      kind,
      name,
      flags,
      owner: this,
      resolve: async (credentials) => {
        const { result, found, facts } = service
        const address = result !== undefined && 'address' in result ? result.address : undefined
        if (credentials !== '' && address !== undefined) {
          const { username, password } = await this.#services.credentials.findNamed(credentials, found, facts)
          return { ...address, username, password }
        }
        if (service.state !== 'attached' || address === undefined) throw new Error(describeState(service))
        return address
      },
    })
  }
}

/** The target of a service that has a metrics page of its own. */
function describePage({ result }: LocalService): Record<string, string> | undefined {
  if (result === undefined || !('address' in result) || result.address.uri === undefined) return undefined
  const { protocol, host, port, pathname } = new URL(result.address.uri)
  const scheme = protocol === 'https:' ? 'https' : 'http'
  return { __address__: port === '' ? `${host}:${scheme === 'https' ? 443 : 80}` : host, __metrics_path__: pathname, __scheme__: scheme }
}

/** Throws, with the reason in one line, where the configuration cannot be used: without an agent around it, or for an unknown service. */
export function createLocalDiscoverer(config: LocalDiscovery, context: DiscoveryContext): Discoverer {
  if (context.local === undefined) throw new Error('local_sd_configs finds targets of scrapes only')
  return new LocalDiscoverer(config, context, context.local)
}
