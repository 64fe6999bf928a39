import { isIPv4, isIPv6 } from 'node:net'
import { joinHostPort } from '../discovery/host-port.ts'
import type { ServiceAddress } from './embedded-exporter.ts'

/** Splits `host:port`, an IPv6 host in brackets or not; undefined for anything else. The host comes without brackets. */
export function splitHostPort(address: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(address)
  if (match === null) return undefined
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3]) }
}

/** Whether an address is this machine to itself: loopback, or the wildcard that a listener is bound to. */
export function isOwnHost(host: string): boolean {
  const bare = host.toLowerCase()
  if (bare === 'localhost' || bare === '' || bare === '*') return true
  if (isIPv4(bare)) return bare.startsWith('127.') || bare === '0.0.0.0'
  return isIPv6(bare) && (bare === '::1' || bare === '::' || /^::ffff:(127\.|0\.0\.0\.0)/.test(bare))
}

/**
 * The `instance` of a service: `host:port`, where this machine's own addresses become its name, so that two machines never share an instance.
 * A service that has only a socket gets `host:/path`; one that is the machine itself, the machine's name.
 */
export function instanceOf(service: ServiceAddress, machine: string): string {
  const { address, socketPath, uri } = service
  if (address !== undefined) {
    const parts = splitHostPort(address)
    if (parts === undefined) return address
    return joinHostPort(isOwnHost(parts.host) ? machine : parts.host, parts.port)
  }
  if (socketPath !== undefined) return `${machine}:${socketPath}`
  if (uri === undefined) return machine
  if (uri.startsWith('unix:')) return `${machine}:${uri.slice('unix:'.length)}`
  if (!URL.canParse(uri)) return uri
  const { hostname, port, protocol } = new URL(uri)
  const host = hostname.replace(/^\[|\]$/g, '')
  return joinHostPort(isOwnHost(host) ? machine : host, port === '' ? (protocol === 'https:' ? 443 : 80) : port)
}
