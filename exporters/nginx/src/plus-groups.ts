import { entriesOf, isObject, objectOf, textOf, type JsonObject } from './json-object.ts'
import type { PlusStatus } from './plus-api.ts'

/** One thing that has numbers: a zone, a server of an upstream, a worker. */
export interface PlusItem {
  readonly labels: readonly string[]
  readonly numbers: JsonObject
}

/** A family: the end of its name, its help, its type, and the path of its number in an item. */
export type PlusField = readonly [suffix: string, help: string, type: 'counter' | 'gauge', path: string]

/** Families of one kind of things. */
export interface PlusGroup {
  /** Stands before the ends of the names. */
  readonly prefix: string
  readonly itemsOf: (status: PlusStatus) => readonly PlusItem[]
  readonly fields: readonly PlusField[]
}

const traffic: readonly PlusField[] = [
  ['discarded', 'Requests ended without an answer.', 'counter', 'discarded'],
  ['received', 'Bytes received.', 'counter', 'received'],
  ['sent', 'Bytes sent.', 'counter', 'sent'],
]

const tls: readonly PlusField[] = [
  ['handshakes', 'TLS handshakes that succeeded.', 'counter', 'handshakes'],
  ['handshakes_failed', 'TLS handshakes that failed.', 'counter', 'handshakes_failed'],
  ['session_reuses', 'TLS sessions used again.', 'counter', 'session_reuses'],
]
const handshakes = beneath('ssl', tls)

const connections: readonly PlusField[] = [
  ['accepted', 'Client connections accepted.', 'counter', 'accepted'],
  ['active', 'Client connections in use.', 'gauge', 'active'],
  ['dropped', 'Client connections dropped.', 'counter', 'dropped'],
  ['idle', 'Client connections that are idle.', 'gauge', 'idle'],
]

const requests: readonly PlusField[] = [
  ['current', 'Requests being answered.', 'gauge', 'current'],
  ['total', 'Requests received.', 'counter', 'total'],
]

const server: readonly PlusField[] = [
  ['active', 'Connections open now.', 'gauge', 'active'],
  ['fails', 'Attempts to reach the server that failed.', 'counter', 'fails'],
  ['limit', 'Most connections at once, 0 for no limit.', 'gauge', 'max_conns'],
  ['received', 'Bytes received from the server.', 'counter', 'received'],
  ['response_time', 'Milliseconds that the whole answer takes, on average.', 'gauge', 'response_time'],
  ['sent', 'Bytes sent to the server.', 'counter', 'sent'],
  ['unavail', 'Times that the server was taken out for its failures.', 'counter', 'unavail'],
  ...handshakes,
]

const limitedConnections: readonly PlusField[] = [
  ['passed', 'Connections within the limit.', 'counter', 'passed'],
  ['rejected', 'Connections refused.', 'counter', 'rejected'],
  ['rejected_dry_run', 'Connections that would have been refused.', 'counter', 'rejected_dry_run'],
]

export const plusGroups: readonly PlusGroup[] = [
  { prefix: 'connections', itemsOf: one('connections'), fields: connections },
  { prefix: 'http_requests', itemsOf: one('requests'), fields: requests },
  { prefix: 'ssl', itemsOf: one('ssl'), fields: tls },
  {
    prefix: 'license',
    itemsOf: one('license'),
    fields: [
      ['expiration_timestamp_seconds', 'When the license ends, in seconds since 1970.', 'gauge', 'active_till'],
      ['reporting_fails_count', 'Reports of use that failed.', 'gauge', 'reporting.fails'],
      ['reporting_grace_period_seconds', 'Seconds that are left to report use.', 'gauge', 'reporting.grace'],
      ['reporting_healthy', 'Whether use is being reported (1).', 'gauge', 'reporting.healthy'],
    ],
  },
  {
    prefix: 'server_zone',
    itemsOf: zones('serverZones', 'server_zone'),
    fields: [
      ['processing', 'Requests being answered.', 'gauge', 'processing'],
      ['requests', 'Requests received.', 'counter', 'requests'],
      ...traffic,
      ...handshakes,
    ],
  },
  {
    prefix: 'location_zone',
    itemsOf: zones('locationZones', 'location_zone'),
    fields: [['requests', 'Requests received.', 'counter', 'requests'], ...traffic],
  },
  {
    prefix: 'upstream_server',
    itemsOf: peers('upstreams'),
    fields: [
      ['header_time', 'Milliseconds until the header of the answer comes, on average.', 'gauge', 'header_time'],
      ['requests', 'Requests passed to the server.', 'counter', 'requests'],
      ...server,
    ],
  },
  {
    prefix: 'upstream',
    itemsOf: zones('upstreams', 'upstream'),
    fields: [
      ['keepalive', 'Idle connections kept.', 'gauge', 'keepalive'],
      ['zombies', 'Servers taken out that still have requests.', 'gauge', 'zombies'],
    ],
  },
  {
    prefix: 'cache',
    itemsOf: zones('caches', 'zone'),
    fields: [
      ['cold', 'Whether the cache is still being read from disk (1).', 'gauge', 'cold'],
      ['max_size', 'Most bytes that the cache may have.', 'gauge', 'max_size'],
      ['size', 'Bytes in the cache.', 'gauge', 'size'],
      ...['bypass', 'expired', 'hit', 'miss', 'revalidated', 'stale', 'updating'].flatMap(cacheFields),
    ],
  },
  {
    prefix: 'limit_request',
    itemsOf: zones('limitRequests', 'zone'),
    fields: [
      ['delayed', 'Requests that had to wait.', 'counter', 'delayed'],
      ['delayed_dry_run', 'Requests that would have had to wait.', 'counter', 'delayed_dry_run'],
      ['passed', 'Requests within the limit.', 'counter', 'passed'],
      ['rejected', 'Requests refused.', 'counter', 'rejected'],
      ['rejected_dry_run', 'Requests that would have been refused.', 'counter', 'rejected_dry_run'],
    ],
  },
  { prefix: 'limit_connection', itemsOf: zones('limitConnections', 'zone'), fields: limitedConnections },
  {
    prefix: 'resolver',
    itemsOf: zones('resolvers', 'resolver'),
    fields: [
      ...['addr', 'name', 'srv'].map((kind): PlusField => [kind, `Requests to resolve (${kind}).`, 'counter', `requests.${kind}`]),
      ...['formerr', 'noerror', 'notimp', 'nxdomain', 'refused', 'servfail', 'timedout', 'unknown'].map((code): PlusField => [
        code,
        `Answers of name servers (${code}).`,
        'counter',
        `responses.${code}`,
      ]),
    ],
  },
  {
    prefix: 'worker',
    itemsOf: (status) =>
      listOf(status, 'workers').map((numbers) => ({ labels: ['id', plain(numbers['id']), 'pid', plain(numbers['pid'])], numbers })),
    fields: [...beneath('connections', connections, 'connection'), ...beneath('http.requests', requests)],
  },
  {
    prefix: 'stream_server_zone',
    itemsOf: zones('streamServerZones', 'server_zone'),
    fields: [
      ['connections', 'Client connections accepted.', 'counter', 'connections'],
      ['processing', 'Client connections being worked on.', 'gauge', 'processing'],
      ...traffic,
      ...handshakes,
    ],
  },
  {
    prefix: 'stream_upstream_server',
    itemsOf: peers('streamUpstreams'),
    fields: [
      ['connect_time', 'Milliseconds to connect to the server, on average.', 'gauge', 'connect_time'],
      ['connections', 'Connections passed to the server.', 'counter', 'connections'],
      ['first_byte_time', 'Milliseconds until the first byte comes, on average.', 'gauge', 'first_byte_time'],
      ...server,
    ],
  },
  {
    prefix: 'stream_upstream',
    itemsOf: zones('streamUpstreams', 'upstream'),
    fields: [['zombies', 'Servers taken out that still have connections.', 'gauge', 'zombies']],
  },
  { prefix: 'stream_limit_connection', itemsOf: zones('streamLimitConnections', 'zone'), fields: limitedConnections },
  {
    prefix: 'stream_zone_sync_status',
    itemsOf: (status) => one('zoneSync')(status).map(({ labels, numbers }) => ({ labels, numbers: objectOf(numbers['status']) })),
    fields: [
      ['bytes_in', 'Bytes received from other nodes.', 'counter', 'bytes_in'],
      ['bytes_out', 'Bytes sent to other nodes.', 'counter', 'bytes_out'],
      ['msgs_in', 'Messages received from other nodes.', 'counter', 'msgs_in'],
      ['msgs_out', 'Messages sent to other nodes.', 'counter', 'msgs_out'],
      ['nodes_online', 'Nodes that are connected.', 'gauge', 'nodes_online'],
    ],
  },
  {
    prefix: 'stream_zone_sync_zone',
    itemsOf: (status) =>
      one('zoneSync')(status).flatMap(({ numbers }) =>
        entriesOf(numbers['zones']).map(([name, zone]) => ({ labels: ['zone', name], numbers: zone })),
      ),
    fields: [
      ['records_pending', 'Records that wait to be sent.', 'gauge', 'records_pending'],
      ['records_total', 'Records in the zone.', 'gauge', 'records_total'],
    ],
  },
]

/** Fields of an object within an item; `name` stands before the ends of their names. */
function beneath(path: string, fields: readonly PlusField[], name = path.replaceAll('.', '_')): PlusField[] {
  return fields.map(([suffix, help, type, end]) => [`${name}_${suffix}`, help, type, `${path}.${end}`])
}

/** Servers of the upstreams of a part: labels server and upstream. */
export function peers(section: 'upstreams' | 'streamUpstreams'): (status: PlusStatus) => PlusItem[] {
  return (status) =>
    entriesOf(status[section]).flatMap(([name, { peers: list }]) =>
      (Array.isArray(list) ? list.filter(isObject) : []).map((numbers) => ({
        labels: ['server', textOf(numbers['server']), 'upstream', name],
        numbers,
      })),
    )
}

/** The things of a part that has them by their names. */
export function zones(section: keyof PlusStatus, label: string): (status: PlusStatus) => PlusItem[] {
  return (status) => entriesOf(status[section]).map(([name, numbers]) => ({ labels: [label, name], numbers }))
}

function one(section: keyof PlusStatus): (status: PlusStatus) => PlusItem[] {
  return (status) => {
    const numbers = status[section]
    return isObject(numbers) ? [{ labels: [], numbers }] : []
  }
}

function listOf(status: PlusStatus, section: keyof PlusStatus): readonly JsonObject[] {
  const list: unknown = status[section]
  return Array.isArray(list) ? list.filter(isObject) : []
}

function plain(value: unknown): string {
  return typeof value === 'number' ? String(value) : ''
}

/** Answers and bytes by what the cache said; of those that were not in it, also what was written. */
function cacheFields(state: string): PlusField[] {
  const read: PlusField[] = [
    [`${state}_bytes`, `Bytes of answers (${state}).`, 'counter', `${state}.bytes`],
    [`${state}_responses`, `Answers (${state}).`, 'counter', `${state}.responses`],
  ]
  if (state !== 'bypass' && state !== 'expired') return read
  return [
    ...read,
    [`${state}_bytes_written`, `Bytes written to the cache (${state}).`, 'counter', `${state}.bytes_written`],
    [`${state}_responses_written`, `Answers written to the cache (${state}).`, 'counter', `${state}.responses_written`],
  ]
}
