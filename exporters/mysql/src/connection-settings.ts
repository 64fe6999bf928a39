import type { Secret } from '@narthex/config/secret'

/** Where a server listens. */
export type ServerAddress =
  { readonly kind: 'tcp'; readonly host: string; readonly port: number } | { readonly kind: 'unix'; readonly path: string }

export interface TlsSettings {
  /** False: neither the certificate nor the name in it is checked. */
  readonly isVerified: boolean
  /** `preferred`: without TLS where the server has none. */
  readonly isRequired: boolean
  /** Paths, read whenever a connection is opened, so that new certificates need no restart. */
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
  readonly serverName?: string
  readonly versionMin?: TlsVersion
  readonly versionMax?: TlsVersion
}

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

/** Everything that one needs to log in to one server. */
export interface ConnectionSettings {
  readonly address: ServerAddress
  readonly user: string
  readonly password: Secret
  /** Absent: no TLS. */
  readonly tls?: TlsSettings
  /** Lets a server ask for the password as clear text. */
  readonly cleartextAllowed: boolean
}

export const portDefault = 3306

/** Reads `host:port`, `[::1]:3306`. Throws with Go's texts. */
export function parseHostPort(text: string): ServerAddress {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text)
  if (match === null) throw new Error(`address ${text}: ${text.includes(':') ? 'too many colons in address' : 'missing port in address'}`)
  const host = match[1] ?? match[2] ?? ''
  return { kind: 'tcp', host: host === '' ? 'localhost' : host, port: parsePort(match[3]!, text) }
}

/** A `target` parameter: `host:port` or `unix:///run/mysqld/mysqld.sock`. */
export function parseTarget(text: string): ServerAddress {
  const prefix = 'unix://'
  if (!text.startsWith(prefix)) return parseHostPort(text)
  if (text.length === prefix.length) throw new Error(`address ${text}: want a path after ${prefix}, got none`)
  return { kind: 'unix', path: text.slice(prefix.length) }
}

export function parsePort(text: string, place: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw new Error(`address ${place}: want a port from 1 to 65535, got ${JSON.stringify(text)}`)
  return port
}

/** As shown in log lines. */
export function formatAddress(address: ServerAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}
