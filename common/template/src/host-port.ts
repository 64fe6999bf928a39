import { isIP } from 'node:net'

/** `host:port` without the port, brackets of an IPv6 address with it; anything else as it is. */
export function stripPort(address: string): string {
  return splitHostPort(address)?.host ?? address
}

/** `host.domain:port` without the domain: `host:port`. Addresses that are numbers stay. */
export function stripDomain(address: string): string {
  const parts = splitHostPort(address)
  const host = parts?.host ?? address
  if (isIP(host) !== 0 && !host.includes('%')) return address
  const label = host.split('.')[0]!
  if (parts === undefined || parts.port === '') return label
  return label.includes(':') || label.includes('%') ? `[${label}]:${parts.port}` : `${label}:${parts.port}`
}

/** Go's `net.SplitHostPort`; undefined where it gives an error. */
function splitHostPort(address: string): { host: string; port: string } | undefined {
  const colon = address.lastIndexOf(':')
  if (colon < 0) return undefined
  const port = address.slice(colon + 1)
  let host = address.slice(0, colon)
  if (address.startsWith('[')) {
    if (!host.endsWith(']') || host.indexOf(']') !== host.length - 1) return undefined
    host = host.slice(1, -1)
  } else if (host.includes(':')) return undefined
  return /[[\]]/.test(host + port) ? undefined : { host, port }
}
