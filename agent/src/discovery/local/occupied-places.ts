import { hostname, networkInterfaces } from 'node:os'
import type { ServiceAddress } from '../../embedded/embedded-exporter.ts'
import { isOwnHost, splitHostPort } from '../../embedded/instance-name.ts'
import { joinHostPort } from '../host-port.ts'
import type { FoundService } from './scanner.ts'

const defaultPorts: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443, 'redis:': 6379, 'rediss:': 6379, 'valkey:': 6379 }

/** Places that the configuration names already: what is there is not attached a second time. */
export class OccupiedPlaces {
  readonly #places = new Set<string>()
  readonly #ownHosts: ReadonlySet<string>

  constructor() {
    const machine = hostname().toLowerCase()
    const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address))
    this.#ownHosts = new Set([machine, machine.split('.')[0]!, ...addresses])
  }

  /** A target's URL, and, for exporters of many targets, what its parameter `target` names. */
  addUrl(text: string): void {
    if (!URL.canParse(text)) return
    const url = new URL(text)
    this.#addHost(url.hostname, url.port === '' ? defaultPorts[url.protocol] : Number(url.port))
    const target = url.searchParams.get('target')
    if (target !== null) this.#addTarget(target)
  }

  /** The service of a configured exporter. */
  addService({ address, socketPath, uri }: ServiceAddress): void {
    if (address !== undefined) this.#addTarget(address)
    if (socketPath !== undefined) this.#addTarget(socketPath)
    if (uri !== undefined) this.#addTarget(uri)
  }

  /** Whether the configuration has a target at a place where the service listens. */
  has({ tcp, unix, isOwnNamespace }: FoundService): boolean {
    const isOccupied = (host: string, port: number): boolean => {
      const isOwn = isOwnHost(host) || this.#ownHosts.has(host)
      return this.#places.has(isOwn && isOwnNamespace ? `:${port}` : joinHostPort(host, port))
    }
    return tcp.some(({ host, port }) => isOccupied(host, port)) || unix.some(({ path }) => this.#places.has(path))
  }

  #addTarget(target: string): void {
    if (target.startsWith('unix:')) return this.#addTarget(target.replace(/^unix:(\/\/)?/, '').replace(/:\/.*$/, ''))
    if (target.startsWith('/')) return void this.#places.add(target)
    const parts = splitHostPort(target)
    if (parts !== undefined) return this.#addHost(parts.host, parts.port)
    if (!URL.canParse(target)) return
    const { hostname: host, port, protocol } = new URL(target)
    this.#addHost(host, port === '' ? defaultPorts[protocol] : Number(port))
  }

  #addHost(given: string, port: number | undefined): void {
    if (port === undefined) return
    const host = given.toLowerCase().replace(/^\[|\]$/g, '')
    const isOwn = isOwnHost(host) || this.#ownHosts.has(host) || this.#ownHosts.has(host.split('.')[0]!)
    this.#places.add(isOwn ? `:${port}` : joinHostPort(host, port))
  }
}
