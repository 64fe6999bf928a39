import { redactGoUrl } from '@narthex/config/go-url'

/** Where a server is and what its URL says about getting in. */
export interface RedisAddress {
  /** As in the original's messages and password files, without credentials: `redis://127.0.0.1:6379`. */
  readonly text: string
  readonly isTls: boolean
  /** Without brackets around an IPv6 address; empty with a socket. */
  readonly host: string
  readonly port: number
  readonly socketPath: string | undefined
  readonly username: string
  readonly password: string
  /** Database to select; 0 is the server's own choice. */
  readonly database: number
}

const portDefault = 6379
const assumedScheme = 'redis://'
const schemes: ReadonlyMap<string, 'tcp' | 'tls' | 'unix'> = new Map([
  ['redis', 'tcp'],
  ['rediss', 'tls'],
  ['valkey', 'tcp'],
  ['valkeys', 'tls'],
  ['unix', 'unix'],
])

/**
 * Reads `redis://[user:password@]host[:port][/database]`, the same with `rediss`, `valkey` and `valkeys`, `unix:///path[?db=N]`, and a bare
 * `host[:port]`. Throws one line without the credentials.
 */
export function parseRedisAddress(given: string): RedisAddress {
  const text = given.trim()
  const separator = text.indexOf('://')
  const scheme = separator < 0 ? 'redis' : text.slice(0, separator).toLowerCase()
  const rest = separator < 0 ? text : text.slice(separator + 3)
  const kind = schemes.get(scheme)
  if (kind === undefined) throw wrong([...schemes.keys()].map((name) => `${name}://`).join(', '), `${scheme}://`)
  const end = /[/?#]/.exec(rest)?.index ?? rest.length
  const authority = rest.slice(0, end)
  const at = authority.lastIndexOf('@')
  if (kind !== 'unix' && at < 0 && rest.slice(end).includes('@')) {
    throw wrong('a password whose / ? # are written as %2F %3F %23', 'one of them before the @')
  }
  const { username, password } = readCredentials(at < 0 ? '' : authority.slice(0, at))
  const place = authority.slice(at + 1)
  const [path = '', query = ''] = splitOnce(rest.slice(end).replace(/#.*$/, ''), '?')
  const parameters = new URLSearchParams(query)
  if (kind === 'unix') {
    const socketPath = decode(place + path)
    if (socketPath === '') throw wrong('a path after unix://', 'none')
    return {
      text: `unix://${socketPath}`,
      isTls: false,
      host: '',
      port: 0,
      socketPath,
      username,
      password,
      database: readDatabase(parameters.get('db') ?? ''),
    }
  }
  const { host, port } = readPlace(place)
  const shown = host.includes(':') ? `[${host}]` : host
  return {
    text: `${scheme}://${shown}:${port}`,
    isTls: kind === 'tls',
    host,
    port,
    socketPath: undefined,
    username,
    password,
    database: readDatabase(path.replace(/^\//, '') || (parameters.get('db') ?? '')),
  }
}

/** For messages: the address with its password covered, whatever it looks like. */
export function redactAddress(given: string): string {
  return given.includes('://') ? redactGoUrl(given) : redactGoUrl(assumedScheme + given).slice(assumedScheme.length)
}

function readCredentials(userinfo: string): { username: string; password: string } {
  const [username = '', password = ''] = splitOnce(userinfo, ':')
  return { username: decode(username), password: decode(password) }
}

function readPlace(place: string): { host: string; port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^:[\]]*))(?::([0-9]*))?$/.exec(place)
  if (match === null) throw wrong('host[:port], an IPv6 host in brackets', JSON.stringify(place))
  const port = match[3] === undefined || match[3] === '' ? portDefault : Number(match[3])
  if (port < 1 || port > 65_535) throw wrong('a port from 1 to 65535', match[3]!)
  const host = match[1] ?? match[2] ?? ''
  return { host: host === '' ? 'localhost' : host, port }
}

function readDatabase(text: string): number {
  if (text === '') return 0
  if (!/^[0-9]{1,9}$/.test(text)) throw wrong('a database number', JSON.stringify(text.slice(0, 32)))
  return Number(text)
}

function splitOnce(text: string, separator: string): readonly string[] {
  const index = text.indexOf(separator)
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)]
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function wrong(want: string, got: string): Error {
  return new Error(`cannot parse redis address: want ${want}, got ${got}`)
}
