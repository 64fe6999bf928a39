import { isIPv6, type Socket } from 'node:net'

/**
 * The header of the PROXY protocol, version 1, for a connection of our own: its two ends as they are. A server that listens with
 * `proxy_protocol` wants it before anything else. https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
 */
export function makeProxyHeader({
  localAddress,
  localPort,
  remoteAddress,
  remotePort,
}: Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>): Uint8Array {
  // A unix socket has no addresses.
  const ends =
    localAddress === undefined || remoteAddress === undefined ? '' : `${localAddress} ${remoteAddress} ${localPort} ${remotePort}`
  const family = ends === '' ? 'UNKNOWN' : isIPv6(localAddress!) ? 'TCP6' : 'TCP4'
  return Buffer.from(`PROXY ${family}${ends === '' ? '' : ` ${ends}`}\r\n`)
}
