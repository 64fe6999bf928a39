import { entriesOf, isObject, numberOf, objectOf, textOf, type JsonObject } from './json-object.ts'

// What the module vhost traffic status tells in JSON: https://github.com/vozlt/nginx-module-vts#json

export interface VtsStatus {
  readonly hostName: string
  readonly moduleVersion: string
  readonly nginxVersion: string
  /** When NGINX read its configuration, and now, in milliseconds since 1970. */
  readonly loadMs: number
  readonly nowMs: number
  readonly connections: JsonObject
  readonly sharedZones: JsonObject
  readonly servers: readonly VtsZone[]
  readonly filters: readonly VtsZone[]
  readonly upstreams: readonly VtsZone[]
  readonly caches: readonly VtsZone[]
}

/** The numbers of one server, filter, server of an upstream, or cache. */
export interface VtsZone {
  /** Host; or group of filters; or upstream; or cache. */
  readonly name: string
  /** Filter; or address of the server of an upstream; else empty. */
  readonly member: string
  readonly numbers: JsonObject
}

/** Reads the page. What a version of the module does not have is empty. Throws one clear line for any other text. */
export function parseVtsStatus(text: string): VtsStatus {
  let page: unknown
  try {
    page = JSON.parse(text)
  } catch (cause) {
    throw new Error(`cannot read the page of the module vhost traffic status: want JSON, got ${JSON.stringify(text.slice(0, 60))}`, {
      cause,
    })
  }
  if (!isObject(page) || !isObject(page['connections'])) {
    throw new Error(`cannot read the page of the module vhost traffic status: want "connections", got ${JSON.stringify(text.slice(0, 60))}`)
  }
  return {
    hostName: textOf(page['hostName']),
    moduleVersion: textOf(page['moduleVersion']),
    nginxVersion: textOf(page['nginxVersion']),
    loadMs: numberOf(page, 'loadMsec'),
    nowMs: numberOf(page, 'nowMsec'),
    connections: page['connections'],
    sharedZones: objectOf(page['sharedZones']),
    servers: entriesOf(page['serverZones']).map(([name, numbers]) => ({ name, member: '', numbers })),
    filters: entriesOf(page['filterZones']).flatMap(([name, members]) =>
      entriesOf(members).map(([member, numbers]) => ({ name, member, numbers })),
    ),
    upstreams: Object.entries(objectOf(page['upstreamZones'])).flatMap(([name, servers]) =>
      (Array.isArray(servers) ? servers.filter(isObject) : []).map((numbers) => ({ name, member: textOf(numbers['server']), numbers })),
    ),
    caches: entriesOf(page['cacheZones']).map(([name, numbers]) => ({ name, member: '', numbers })),
  }
}
