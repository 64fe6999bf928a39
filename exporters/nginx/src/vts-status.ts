// What the module vhost traffic status tells in JSON: https://github.com/vozlt/nginx-module-vts#json

/** A part of the answer, not yet looked at. */
export type JsonObject = Readonly<Record<string, unknown>>

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

/** The number of that name, NaN if there is none. */
export function numberOf(numbers: JsonObject, name: string): number {
  const value = numbers[name]
  return typeof value === 'number' ? value : NaN
}

/** The object of that name, an empty one if there is none. */
export function partOf(numbers: JsonObject, name: string): JsonObject {
  return objectOf(numbers[name])
}

/** The numbers of a list; those that are none are NaN. */
export function listOf(numbers: JsonObject, name: string): number[] {
  const value = numbers[name]
  return Array.isArray(value) ? value.map((item: unknown) => (typeof item === 'number' ? item : NaN)) : []
}

function entriesOf(value: unknown): [string, JsonObject][] {
  return Object.entries(objectOf(value)).filter((entry): entry is [string, JsonObject] => isObject(entry[1]))
}

function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {}
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
