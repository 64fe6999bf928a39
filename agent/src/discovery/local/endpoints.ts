import { isIPv4 } from 'node:net'
import { joinHostPort } from '../host-port.ts'
import type { ProcFiles } from './proc-files.ts'
import type { ProcessFacts } from './process-facts.ts'
import { RootFiles } from './root-files.ts'
import type { FoundService } from './scanner.ts'
import type { TcpListener } from './socket-tables.ts'

/** A place where a service can be spoken to from here. */
export type Endpoint =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly listener: TcpListener }
  /** `path` is where it is seen from here. */
  | { readonly kind: 'unix'; readonly path: string }

/** The kernel's bound of a socket's path. */
const socketPathBytesMax = 107

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/**
 * The places to reach a service at, best first: its unix sockets, then its addresses. In another network namespace a listener on loopback is
 * out of reach, and one on every address is reached at the namespace's own address, if this machine has a route to it that is not the
 * default one (else a stranger might answer). `ownTcp` are the listeners of our namespace.
 */
export async function findEndpoints(
  service: FoundService,
  facts: ProcessFacts,
  files: ProcFiles,
  ownTcp: readonly TcpListener[],
): Promise<Endpoint[]> {
  const endpoints: Endpoint[] = []
  for (const { path } of service.unix) {
    const seen = facts.rootPath === '' ? path : await resolveIn(facts.rootPath, path)
    if (seen !== undefined && Buffer.byteLength(seen) <= socketPathBytesMax) endpoints.push({ kind: 'unix', path: seen })
  }
  const tcp = service.isOwnNamespace
    ? service.tcp.flatMap((listener) => ownHosts(listener, ownTcp).map((host) => ({ host, listener })))
    : findForeignHosts(service, files)
  const seen = new Set<string>()
  for (const { host, listener } of tcp) {
    const place = joinHostPort(host, listener.port)
    if (!seen.has(place)) endpoints.push({ kind: 'tcp', host, port: listener.port, listener })
    seen.add(place)
  }
  return endpoints
}

async function resolveIn(rootPath: string, path: string): Promise<string | undefined> {
  try {
    return await new RootFiles(rootPath).resolve(path)
  } catch {
    return undefined
  }
}

/** `::` takes IPv4 too unless the program said otherwise, which cannot be seen; an IPv4 listener of another on the port tells that it does not. */
function ownHosts({ host, port, inode }: TcpListener, ownTcp: readonly TcpListener[]): string[] {
  if (host === '0.0.0.0') return ['127.0.0.1']
  if (host !== '::') return [host]
  const hasOther = ownTcp.some((other) => other.inode !== inode && other.port === port && isIPv4(other.host))
  return hasOther ? ['::1'] : ['127.0.0.1', '::1']
}

function findForeignHosts(service: FoundService, files: ProcFiles): { host: string; listener: TcpListener }[] {
  const pid = service.process?.pid
  if (pid === undefined) return []
  const addresses = readLocalAddresses(files.readText(`${pid}/net/fib_trie`) ?? '')
  const own = new Set(readLocalAddresses(files.readText('self/net/fib_trie') ?? ''))
  const routes = readRoutes(files.readText('self/net/route') ?? '')
  const reachable = addresses.filter((address) => !own.has(address) && hasRoute(routes, address))
  return service.tcp.flatMap((listener) => {
    const hosts = wildcards.has(listener.host) ? reachable.slice(0, 1) : reachable.filter((address) => address === listener.host)
    return hosts.map((host) => ({ host, listener }))
  })
}

/** The addresses of a network namespace but loopback's, from its `fib_trie`. */
export function readLocalAddresses(text: string): string[] {
  const found = new Set<string>()
  let last = ''
  for (const line of text.split('\n')) {
    const leaf = /\|-- (\d+\.\d+\.\d+\.\d+)/.exec(line)
    if (leaf !== null) last = leaf[1]!
    else if (line.includes('/32 host LOCAL') && last !== '' && !last.startsWith('127.')) found.add(last)
  }
  return [...found]
}

interface Route {
  readonly destination: number
  readonly mask: number
}

/** Routes of `/proc/net/route` that are up and not the default one. */
export function readRoutes(text: string): Route[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.split('\t')
      const flags = Number.parseInt(fields[3] ?? '0', 16)
      const mask = swapBytes(Number.parseInt(fields[7] ?? '0', 16))
      const isUsable = (flags & 1) === 1 && (flags & 0x200) === 0 && mask !== 0
      return isUsable ? [{ destination: swapBytes(Number.parseInt(fields[1] ?? '0', 16)), mask }] : []
    })
}

export function hasRoute(routes: readonly Route[], address: string): boolean {
  const value = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  return routes.some(({ destination, mask }) => (value & mask) >>> 0 === (destination & mask) >>> 0)
}

// The kernel prints the four bytes as one little-endian number.
function swapBytes(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | ((value >>> 24) & 0xff)) >>> 0
}
