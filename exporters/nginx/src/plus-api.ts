import { isObject, type JsonObject } from './json-object.ts'
import type { AskedServer } from './nginx-servers.ts'

// The REST API of NGINX Plus: https://nginx.org/en/docs/http/ngx_http_api_module.html

/** Newest version of the API that is read; the server's newest one that is not above it is asked. */
export const apiVersionMax = 9
/** The oldest that has what is read. */
const apiVersionMin = 4

/** The parts of the API that are read, by the names that they have here. */
const sections = {
  connections: 'connections',
  ssl: 'ssl',
  license: 'license',
  workers: 'workers',
  resolvers: 'resolvers',
  requests: 'http/requests',
  serverZones: 'http/server_zones',
  locationZones: 'http/location_zones',
  upstreams: 'http/upstreams',
  caches: 'http/caches',
  limitRequests: 'http/limit_reqs',
  limitConnections: 'http/limit_conns',
  streamServerZones: 'stream/server_zones',
  streamUpstreams: 'stream/upstreams',
  streamLimitConnections: 'stream/limit_conns',
  zoneSync: 'stream/zone_sync',
} as const

/** What one server told; a part that it does not have is undefined. */
export type PlusStatus = Readonly<Record<keyof typeof sections, JsonObject | readonly JsonObject[] | undefined>>

/** Reads all parts, four at a time at most (the client's connections). Rejects with one line if one of them cannot be read. */
export async function readPlusStatus(server: Pick<AskedServer, 'readPage' | 'readPageIfThere'>): Promise<PlusStatus> {
  const version = chooseVersion(parseJson(await server.readPage(), 'the list of versions'))
  const entries = await Promise.all(
    Object.entries(sections).map(async ([name, path]) => {
      const page = await server.readPageIfThere(`${version}/${path}`)
      return [name, page === undefined ? undefined : readSection(page, path)] as const
    }),
  )
  const status = Object.fromEntries(entries) as PlusStatus
  if (status.connections === undefined) throw new Error('cannot read the API of NGINX Plus: want connections, got none')
  return status
}

function chooseVersion(versions: unknown): number {
  const known = Array.isArray(versions) ? versions.filter((version): version is number => Number.isInteger(version)) : []
  const usable = known.filter((version) => version >= apiVersionMin && version <= apiVersionMax)
  if (usable.length === 0) {
    const got = JSON.stringify(versions).slice(0, 60)
    throw new Error(`cannot read the API of NGINX Plus: want a version from ${apiVersionMin} to ${apiVersionMax}, got ${got}`)
  }
  return Math.max(...usable)
}

function readSection(page: string, path: string): JsonObject | readonly JsonObject[] {
  const value = parseJson(page, path)
  if (Array.isArray(value)) return value.filter(isObject)
  if (isObject(value)) return value
  throw new Error(`cannot read ${path} of the API of NGINX Plus: want an object or a list, got ${page.slice(0, 60)}`)
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`cannot read ${what} of the API of NGINX Plus: want JSON, got ${JSON.stringify(text.slice(0, 60))}`, { cause })
  }
}
