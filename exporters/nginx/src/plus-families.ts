import { objectOf, partOf, type JsonObject } from './json-object.ts'
import type { PlusStatus } from './plus-api.ts'
import { peers, plusGroups, zones, type PlusItem } from './plus-groups.ts'
import type { StatusWriter } from './status-writer.ts'

type ItemsOf = (status: PlusStatus) => readonly PlusItem[]

/** Numbers of the states of a server. */
const states: Readonly<Record<string, number>> = { up: 1, draining: 2, down: 3, unavail: 4, checking: 5, unhealthy: 6 }
const statusClasses = ['1xx', '2xx', '3xx', '4xx', '5xx']

/** The original's families of NGINX Plus. What a server leaves out of a part that it has is 0, as in the original. */
export function writePlusFamilies(writer: StatusWriter<PlusStatus>): void {
  for (const { fields, itemsOf, prefix } of plusGroups) {
    for (const [suffix, help, type, path] of fields) {
      const keys = path.split('.')
      writer.family(`nginxplus_${prefix}_${suffix}`, help, type, (status, add) => {
        for (const { labels, numbers } of itemsOf(status)) add(readNumber(numbers, keys), labels)
      })
    }
  }
  writeResponses(writer, 'server_zone', zones('serverZones', 'server_zone'))
  writeResponses(writer, 'location_zone', zones('locationZones', 'location_zone'))
  writeResponses(writer, 'upstream_server', peers('upstreams'))
  writer.family('nginxplus_stream_server_zone_sessions', 'Sessions by class of their status.', 'counter', (status, add) => {
    for (const { labels, numbers } of zones('streamServerZones', 'server_zone')(status)) {
      for (const code of ['2xx', '4xx', '5xx']) add(readNumber(numbers, ['sessions', code]), ['code', code, ...labels])
    }
  })
  for (const [prefix, itemsOf] of [
    ['upstream_server', peers('upstreams')],
    ['stream_upstream_server', peers('streamUpstreams')],
  ] as const) {
    writeState(writer, prefix, itemsOf)
    writeHealthChecks(writer, prefix, itemsOf)
  }
}

function writeResponses(writer: StatusWriter<PlusStatus>, prefix: string, itemsOf: ItemsOf): void {
  writer.family(`nginxplus_${prefix}_responses`, 'Answers by class of status.', 'counter', (status, add) => {
    for (const { labels, numbers } of itemsOf(status)) {
      for (const code of statusClasses) add(readNumber(numbers, ['responses', code]), ['code', code, ...labels])
    }
  })
  writer.family(`nginxplus_${prefix}_responses_codes`, 'Answers by status.', 'counter', (status, add) => {
    for (const { labels, numbers } of itemsOf(status)) {
      const codes = partOf(partOf(numbers, 'responses'), 'codes')
      for (const code of Object.keys(codes)) add(readNumber(codes, [code]), ['code', code, ...labels])
    }
  })
}

function writeState(writer: StatusWriter<PlusStatus>, prefix: string, itemsOf: ItemsOf): void {
  const help = 'State of the server: 1 up, 2 draining, 3 down, 4 unavailable, 5 checking, 6 unhealthy.'
  writer.family(`nginxplus_${prefix}_state`, help, 'gauge', (status, add) => {
    for (const { labels, numbers } of itemsOf(status)) {
      const { state } = numbers
      add((typeof state === 'string' && Object.hasOwn(states, state) ? states[state] : undefined) ?? 0, labels)
    }
  })
}

/** A server that was never checked has none of these families. */
function writeHealthChecks(writer: StatusWriter<PlusStatus>, prefix: string, itemsOf: ItemsOf): void {
  for (const [name, help] of [
    ['checks', 'Health checks.'],
    ['fails', 'Health checks that failed.'],
    ['unhealthy', 'Times that the server became unhealthy.'],
  ] as const) {
    writer.family(`nginxplus_${prefix}_health_checks_${name}`, help, 'counter', (status, add) => {
      for (const { labels, numbers } of itemsOf(status)) {
        const checks = partOf(numbers, 'health_checks')
        const isChecked = checks['last_passed'] === true || ['checks', 'fails', 'unhealthy'].some((key) => readNumber(checks, [key]) > 0)
        if (isChecked) add(readNumber(checks, [name]), labels)
      }
    })
  }
}

/** The number at the path; true is 1, and what is no number is 0. */
function readNumber(numbers: JsonObject, keys: readonly string[]): number {
  let value: unknown = numbers
  for (const key of keys) value = objectOf(value)[key]
  if (typeof value === 'boolean') return value ? 1 : 0
  return typeof value === 'number' ? value : 0
}
