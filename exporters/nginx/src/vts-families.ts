import { formatFloat } from '@narthex/model/number'
import type { AddSample, StatusWriter } from './status-writer.ts'
import { listOf, numberOf, partOf, type JsonObject } from './json-object.ts'
import type { VtsStatus, VtsZone } from './vts-status.ts'
import { makeZoneKinds, type ZoneKind } from './vts-zones.ts'

export const connectionStates = ['accepted', 'active', 'handled', 'reading', 'requests', 'waiting', 'writing']
export const statusClasses = ['1xx', '2xx', '3xx', '4xx', '5xx']
export const cacheStates = ['bypass', 'expired', 'hit', 'miss', 'revalidated', 'scarce', 'stale', 'updating']

const { server, filter, upstream, cache } = makeZoneKinds('filter_name', 'cache_zone')

/** The families of the module's own page for Prometheus, `/status/format/prometheus`. */
export function writeVtsFamilies(writer: StatusWriter<VtsStatus>): void {
  writer.family('nginx_vts_info', 'NGINX and the module, with the value 1.', 'gauge', (status, add) =>
    add(1, ['hostname', status.hostName, 'module_version', status.moduleVersion, 'version', status.nginxVersion]),
  )
  writer.family('nginx_vts_start_time_seconds', 'When NGINX read its configuration, in seconds since 1970.', 'gauge', ({ loadMs }, add) =>
    add(loadMs / 1000),
  )
  writer.family('nginx_vts_main_connections', 'Connections and requests by state.', 'gauge', ({ connections }, add) => {
    for (const state of connectionStates) add(numberOf(connections, state), ['status', state])
  })
  writer.family(
    'nginx_vts_main_shm_usage_bytes',
    'Shared memory of the module: size, bytes and nodes in use.',
    'gauge',
    ({ sharedZones }, add) => {
      add(numberOf(sharedZones, 'maxSize'), ['shared', 'max_size'])
      add(numberOf(sharedZones, 'usedSize'), ['shared', 'used_size'])
      add(numberOf(sharedZones, 'usedNode'), ['shared', 'used_node'])
    },
  )
  for (const kind of [server, filter, upstream]) {
    writeTraffic(writer, kind)
    writeDurations(writer, kind, 'request', 'Seconds that requests took')
  }
  writeDurations(writer, upstream, 'response', 'Seconds that answers of servers took')
  for (const kind of [server, filter]) writeCacheStates(writer, `nginx_vts_${kind.name}_cache_total`, kind)
  writeBytes(writer, cache)
  writeCacheStates(writer, 'nginx_vts_cache_requests_total', cache)
  writer.family('nginx_vts_cache_usage_bytes', 'Bytes of a cache: most that it may have, and those in use.', 'gauge', (status, add) => {
    for (const zone of status.caches) {
      add(numberOf(zone.numbers, 'maxSize'), [...cache.labelsOf(zone), 'cache_size', 'max'])
      add(numberOf(zone.numbers, 'usedSize'), [...cache.labelsOf(zone), 'cache_size', 'used'])
    }
  })
  writer.family(
    'narthex_nginx_vts_upstream_down',
    'Whether the configuration says that a server of an upstream is down (1).',
    'gauge',
    (status, add) => {
      for (const zone of status.upstreams) {
        const isDown = zone.numbers['down']
        if (typeof isDown === 'boolean') add(isDown ? 1 : 0, upstream.labelsOf(zone))
      }
    },
  )
}

function writeTraffic(writer: StatusWriter<VtsStatus>, kind: ZoneKind): void {
  writeBytes(writer, kind)
  writer.family(`nginx_vts_${kind.name}_requests_total`, 'Requests by class of status.', 'counter', (status, add) => {
    for (const zone of kind.zonesOf(status)) {
      const responses = partOf(zone.numbers, 'responses')
      for (const code of statusClasses) add(numberOf(responses, code), ['code', code, ...kind.labelsOf(zone)])
    }
  })
}

function writeBytes(writer: StatusWriter<VtsStatus>, kind: ZoneKind): void {
  writer.family(`nginx_vts_${kind.name}_bytes_total`, 'Bytes received (in) and sent (out).', 'counter', (status, add) => {
    for (const zone of kind.zonesOf(status)) {
      add(numberOf(zone.numbers, 'inBytes'), ['direction', 'in', ...kind.labelsOf(zone)])
      add(numberOf(zone.numbers, 'outBytes'), ['direction', 'out', ...kind.labelsOf(zone)])
    }
  })
}

function writeCacheStates(writer: StatusWriter<VtsStatus>, name: string, kind: ZoneKind): void {
  writer.family(name, 'Requests by what the cache said.', 'counter', (status, add) => {
    for (const zone of kind.zonesOf(status)) {
      const responses = partOf(zone.numbers, 'responses')
      for (const state of cacheStates) add(numberOf(responses, state), [...kind.labelsOf(zone), 'status', state])
    }
  })
}

/** Sum, average and histogram of a duration; `what` is `request` or `response`. */
function writeDurations(writer: StatusWriter<VtsStatus>, kind: ZoneKind, what: 'request' | 'response', help: string): void {
  const prefix = `nginx_vts_${kind.name}_${what}`
  const forZones = (write: (zone: VtsZone, labels: readonly string[], add: AddSample) => void) => (status: VtsStatus, add: AddSample) => {
    for (const zone of kind.zonesOf(status)) write(zone, kind.labelsOf(zone), add)
  }
  writer.family(
    `${prefix}_seconds_total`,
    `${help}, in all.`,
    'counter',
    forZones((zone, labels, add) => add(numberOf(zone.numbers, `${what}MsecCounter`) / 1000, labels)),
  )
  writer.family(
    `${prefix}_seconds`,
    `${help}, lately and on average.`,
    'gauge',
    forZones((zone, labels, add) => add(numberOf(zone.numbers, `${what}Msec`) / 1000, labels)),
  )
  writer.family(
    `${prefix}_duration_seconds`,
    `${help}.`,
    'histogram',
    forZones((zone, labels, add) => addHistogram(zone.numbers, what, labels, add)),
  )
}

/** The module's buckets count what is at most as long, as Prometheus' do. Without `vhost_traffic_status_histogram_buckets` there are none. */
function addHistogram(numbers: JsonObject, what: 'request' | 'response', labels: readonly string[], add: AddSample): void {
  const buckets = partOf(numbers, `${what}Buckets`)
  const [bounds, counters] = [listOf(buckets, 'msecs'), listOf(buckets, 'counters')]
  const count = numberOf(numbers, 'requestCounter')
  if (bounds.length === 0 || bounds.length !== counters.length || Number.isNaN(count)) return
  for (const [i, bound] of bounds.entries()) add(counters[i]!, [...labels, 'le', formatFloat(bound / 1000)], '_bucket')
  add(count, [...labels, 'le', '+Inf'], '_bucket')
  add(numberOf(numbers, `${what}MsecCounter`) / 1000, labels, '_sum')
  add(count, labels, '_count')
}
