import { isIPv6, type AddressInfo } from 'node:net'

/** An address cannot be listened on, or is none; the text is Go's. */
export class ListenError extends Error {
  override name = 'ListenError'
}

export interface ListenAddress {
  /** As given, for messages. */
  readonly text: string
  /** undefined: every interface, IPv6 and IPv4. */
  readonly host: string | undefined
  readonly port: number
  /** Listen on this unix socket instead. */
  readonly socketPath: string | undefined
  /** Listen on this open socket instead, which whoever started us has bound. */
  readonly descriptor?: number
}

/** Reads `:9090`, `0.0.0.0:9090`, `localhost:9090`, `[::1]:9090`, `unix:/run/x.sock`, `fd:3`. Throws `ListenError`. */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith('unix:')) {
    const socketPath = text.slice('unix:'.length).replace(/^\/\/(?=\/)/, '')
    if (socketPath === '') throw new ListenError(`cannot parse listen address ${text}: want a path after unix:, got none`)
    return { text, host: undefined, port: 0, socketPath }
  }
  const descriptor = /^fd:(\d{1,6})$/.exec(text)?.[1]
  if (descriptor !== undefined) return { text, host: undefined, port: 0, socketPath: undefined, descriptor: Number(descriptor) }
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d*)$/.exec(text)
  if (match === null) throw new ListenError(`listen tcp: address ${text}: ${explainBadAddress(text)}`)
  const host = match[1] ?? match[2] ?? ''
  const port = match[3] === '' ? 0 : Number(match[3])
  if (port > 65_535) throw new ListenError(`listen tcp: address ${match[3]}: invalid port`)
  return { text, host: host === '' ? undefined : host, port, socketPath: undefined }
}

/** True when only this machine can reach the address. */
export function isLoopbackAddress(address: ListenAddress): boolean {
  if (address.descriptor !== undefined) return false // it may be anything
  if (address.socketPath !== undefined) return true
  const host = address.host
  return host === 'localhost' || host === '::1' || (host !== undefined && /^127\.\d+\.\d+\.\d+$/.test(host))
}

/** The URL of an opened listener: `http://127.0.0.1:9090`; a listener on every interface is shown as localhost. */
export function formatListenUrl(opened: AddressInfo | string | null, address: ListenAddress, isTls: boolean): string {
  if (opened === null || typeof opened === 'string') return `unix:${opened ?? address.socketPath}`
  const isAny = address.host === undefined || address.host === '0.0.0.0' || address.host === '::'
  const host = isAny ? 'localhost' : address.host!
  return `${isTls ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${opened.port}`
}

function explainBadAddress(text: string): string {
  if (!text.includes(':')) return 'missing port in address'
  if (/^(?:\[[^\]]*\]|[^:]*):[^:]*$/.test(text)) return 'invalid port'
  return 'too many colons in address'
}
