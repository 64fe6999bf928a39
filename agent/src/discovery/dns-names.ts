import { readFile } from 'node:fs/promises'
import { Resolver } from 'node:dns/promises'
import { parseResolv } from '@narthex/http/host-lookup'

/** What to ask and whom, as resolv.conf(5) says at this moment. */
export interface NameService {
  readonly resolver: Resolver
  /** The full names to ask for, in order. */
  listNames(name: string): string[]
}

export interface NameServiceOptions {
  readonly resolvConfPath?: string
  /** Servers as `address:port` instead of those of resolv.conf. */
  readonly servers?: readonly string[]
}

const queryTimeoutMs = 5_000
const queryTries = 2

/** Reads the system's settings; a missing file means no search list and the resolver's own defaults. */
export async function openNameService(options: NameServiceOptions = {}): Promise<NameService> {
  const { search, ndots } = parseResolv(await readIfThere(options.resolvConfPath ?? '/etc/resolv.conf'))
  // Made anew each time: it reads the servers of resolv.conf once.
  const resolver = new Resolver({ timeout: queryTimeoutMs, tries: queryTries })
  if (options.servers !== undefined) resolver.setServers([...options.servers])
  return { resolver, listNames: (name) => listNames(name, search, ndots) }
}

/** A name with fewer dots than `ndots` is tried under the search list first, one that ends in a dot only as it is. */
export function listNames(name: string, search: readonly string[], ndots: number): string[] {
  if (name.endsWith('.')) return [name]
  const searched = search.map((domain) => `${name}.${domain}.`)
  const dots = name.split('.').length - 1
  return dots >= ndots ? [`${name}.`, ...searched] : [...searched, `${name}.`]
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return ''
  }
}
