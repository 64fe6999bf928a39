import { Resolver, type LookupAddress } from 'node:dns'
import { readFile } from 'node:fs/promises'
import { isIP, type LookupFunction } from 'node:net'
import { hostname as ownHostname } from 'node:os'

/** How long the two files of the system and the resolver made from them are believed. */
const filesFreshMs = 5_000
const queryTimeoutMs = 5_000

interface SystemNames {
  readonly hosts: ReadonlyMap<string, readonly LookupAddress[]>
  readonly search: readonly string[]
  readonly ndots: number
  readonly resolver: Resolver
}

let names: Promise<SystemNames> | undefined
let namesReadMs = -Infinity

/**
 * Resolves like the system's resolver (/etc/hosts, then DNS with the search list of /etc/resolv.conf) but through c-ares, which waits on
 * sockets: `dns.lookup` blocks one of the four threads that do all file work. Other sources of names (mDNS, NIS) are not asked.
 */
export const lookupHost: LookupFunction = (hostname, options, callback) => {
  resolveHost(hostname, typeof options.family === 'number' ? options.family : 0).then(
    (addresses) => {
      if (options.all === true) callback(null, addresses)
      else callback(null, addresses[0]!.address, addresses[0]!.family)
    },
    (error: NodeJS.ErrnoException) => callback(error, []),
  )
}

/** All addresses of a host, IPv4 first; `family` 4 or 6 asks for one kind. Throws an error with code ENOTFOUND when there is none. */
export async function resolveHost(hostname: string, family = 0): Promise<LookupAddress[]> {
  const kind = isIP(hostname)
  if (kind !== 0) return [{ address: hostname, family: kind }]
  const lower = hostname.toLowerCase().replace(/\.$/, '')
  if (lower === 'localhost' || lower.endsWith('.localhost')) return keepFamily(localAddresses, family)
  const system = await readSystemNames()
  const listed = keepFamily(system.hosts.get(lower) ?? [], family)
  if (listed.length > 0) return listed
  let failure: unknown
  for (const candidate of listCandidates(hostname, system)) {
    try {
      const found = await queryBoth(system.resolver, candidate, family)
      if (found.length > 0) return found
    } catch (error) {
      failure = error
    }
  }
  // A machine that does not list its own name is still reachable under it.
  if (lower === ownHostname().toLowerCase()) return keepFamily(localAddresses, family)
  throw Object.assign(new Error(`lookup ${hostname}: no such host`, { cause: failure }), { code: readFailureCode(failure), hostname })
}

const localAddresses: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

function keepFamily(addresses: readonly LookupAddress[], family: number): LookupAddress[] {
  return addresses.filter((address) => family === 0 || address.family === family)
}

// resolv.conf(5): a name with fewer dots than ndots is tried under the search list first.
function listCandidates(hostname: string, system: SystemNames): string[] {
  if (hostname.endsWith('.')) return [hostname.slice(0, -1)]
  const searched = system.search.map((domain) => `${hostname}.${domain}`)
  const dots = hostname.split('.').length - 1
  return dots >= system.ndots ? [hostname, ...searched] : [...searched, hostname]
}

async function queryBoth(resolver: Resolver, name: string, family: number): Promise<LookupAddress[]> {
  const [four, six] = await Promise.allSettled([
    family === 6 ? Promise.resolve([]) : query(resolver, name, 4),
    family === 4 ? Promise.resolve([]) : query(resolver, name, 6),
  ])
  const found = [four, six].flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
  if (found.length === 0) throw four.status === 'rejected' ? four.reason : six.status === 'rejected' ? six.reason : new Error('no address')
  return found
}

function query(resolver: Resolver, name: string, family: 4 | 6): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    const done = (error: NodeJS.ErrnoException | null, addresses: string[]): void => {
      if (error !== null) reject(error)
      else resolve(addresses.map((address) => ({ address, family })))
    }
    if (family === 4) resolver.resolve4(name, done)
    else resolver.resolve6(name, done)
  })
}

function readFailureCode(failure: unknown): string {
  const code = failure instanceof Error && 'code' in failure && typeof failure.code === 'string' ? failure.code : 'ENOTFOUND'
  return code === 'ENODATA' ? 'ENOTFOUND' : code
}

function readSystemNames(): Promise<SystemNames> {
  if (names === undefined || performance.now() - namesReadMs > filesFreshMs) {
    namesReadMs = performance.now()
    names = loadSystemNames()
  }
  return names
}

async function loadSystemNames(): Promise<SystemNames> {
  const windowsHosts = `${process.env['SystemRoot'] ?? 'C:\\Windows'}\\System32\\drivers\\etc\\hosts`
  const [hosts, resolv] = await Promise.all([
    readIfThere(process.platform === 'win32' ? windowsHosts : '/etc/hosts'),
    readIfThere('/etc/resolv.conf'),
  ])
  return { hosts: parseHosts(hosts), ...parseResolv(resolv), resolver: new Resolver({ timeout: queryTimeoutMs, tries: 2 }) }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return ''
  }
}

export function parseHosts(text: string): Map<string, LookupAddress[]> {
  const hosts = new Map<string, LookupAddress[]>()
  for (const line of text.split('\n')) {
    const [address, ...namesOfLine] = line.replace(/#.*/, '').trim().split(/\s+/)
    const family = isIP(address ?? '')
    if (address === undefined || family === 0) continue
    for (const name of namesOfLine) {
      const lower = name.toLowerCase()
      const known = hosts.get(lower)
      if (known === undefined) hosts.set(lower, [{ address, family }])
      else known.push({ address, family })
    }
  }
  return hosts
}

export function parseResolv(text: string): { search: string[]; ndots: number } {
  let search: string[] = []
  let ndots = 1
  for (const line of text.split('\n')) {
    const [key, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/)
    if (key === 'search' || key === 'domain') search = values.map((domain) => domain.replace(/\.$/, '')).filter((domain) => domain !== '')
    if (key !== 'options') continue
    const option = values.find((value) => value.startsWith('ndots:'))
    if (option !== undefined) ndots = Math.min(15, Number.parseInt(option.slice(6), 10) || 0)
  }
  return { search, ndots }
}
