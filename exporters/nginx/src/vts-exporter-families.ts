import type { StatusWriter } from './status-writer.ts'
import { cacheStates, connectionStates, statusClasses } from './vts-families.ts'
import { numberOf, partOf } from './json-object.ts'
import type { VtsStatus } from './vts-status.ts'
import { makeZoneKinds, type ZoneKind } from './vts-zones.ts'

const { server, filter, upstream, cache } = makeZoneKinds('filterName', 'zone')

/** The families of nginx-vts-exporter, for dashboards that were made for it. */
export function writeVtsExporterFamilies(writer: StatusWriter<VtsStatus>): void {
  writer.family('nginx_server_info', 'Seconds since NGINX read its configuration.', 'gauge', (status, add) =>
    add(Math.trunc((status.nowMs - status.loadMs) / 1000), ['hostName', status.hostName, 'nginxVersion', status.nginxVersion]),
  )
  writer.family('nginx_server_connections', 'Connections and requests by state.', 'gauge', ({ connections }, add) => {
    for (const state of connectionStates) add(numberOf(connections, state), ['status', state])
  })
  for (const kind of [server, filter, upstream]) writeRequests(writer, kind)
  for (const kind of [server, filter, upstream, cache]) writeBytes(writer, kind)
  for (const kind of [filter, upstream]) writeAverage(writer, kind)
  writeStates(writer, 'nginx_server_cache', server)
  writeStates(writer, 'nginx_cache_requests', cache)
}

function writeRequests(writer: StatusWriter<VtsStatus>, kind: ZoneKind): void {
  writer.family(`nginx_${kind.name}_requests`, 'Requests by class of status, and in all (total).', 'counter', (status, add) => {
    for (const zone of kind.zonesOf(status)) {
      const responses = partOf(zone.numbers, 'responses')
      for (const code of statusClasses) add(numberOf(responses, code), ['code', code, ...kind.labelsOf(zone)])
      add(numberOf(zone.numbers, 'requestCounter'), ['code', 'total', ...kind.labelsOf(zone)])
    }
  })
}

function writeBytes(writer: StatusWriter<VtsStatus>, kind: ZoneKind): void {
  writer.family(`nginx_${kind.name}_bytes`, 'Bytes received (in) and sent (out).', 'counter', (status, add) => {
    for (const zone of kind.zonesOf(status)) {
      add(numberOf(zone.numbers, 'inBytes'), ['direction', 'in', ...kind.labelsOf(zone)])
      add(numberOf(zone.numbers, 'outBytes'), ['direction', 'out', ...kind.labelsOf(zone)])
    }
  })
}

function writeAverage(writer: StatusWriter<VtsStatus>, kind: ZoneKind): void {
  writer.family(`nginx_${kind.name}_responseMsec`, 'Milliseconds that answers took lately, on average.', 'gauge', (status, add) => {
    for (const zone of kind.zonesOf(status)) add(numberOf(zone.numbers, 'responseMsec'), kind.labelsOf(zone))
  })
}

function writeStates(writer: StatusWriter<VtsStatus>, name: string, kind: ZoneKind): void {
  writer.family(name, 'Requests by what the cache said.', 'counter', (status, add) => {
    for (const zone of kind.zonesOf(status)) {
      const responses = partOf(zone.numbers, 'responses')
      for (const state of cacheStates) add(numberOf(responses, state), [...kind.labelsOf(zone), 'status', state])
    }
  })
}
