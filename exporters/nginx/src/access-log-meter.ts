import { growDoubles } from '@narthex/bytes/grow'
import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { AnchoredRegex } from '@narthex/model/regex'
import { fieldIndex, type FieldPlaces } from './access-log-fields.ts'
import { withLabels } from './constant-labels.ts'
import { readDecimal } from './decimal.ts'
import { LabelValues } from './label-values.ts'
import { LatencyHistograms } from './latency-histograms.ts'
import { nextListItem } from './upstream-list.ts'

/** Sets of label values of one kind; what needs more is not counted, and that is told. */
export const rowsMax = 20_000

export interface AccessLogMeterOptions {
  readonly buckets: readonly number[]
  /** Values of each of the labels host, upstream, backend; all others are `other`. */
  readonly labelValuesMax: number
  /** Hosts that may be values; all if undefined. */
  readonly hosts: AnchoredRegex | undefined
  readonly constantLabels: readonly string[]
}

const methods = [
  'other',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'CONNECT',
  'TRACE',
  'PROPFIND',
  'MKCOL',
  'COPY',
  'MOVE',
]
const methodBytes = methods.map((method) => new TextEncoder().encode(method))
const cacheStatuses = ['other', 'MISS', 'BYPASS', 'EXPIRED', 'STALE', 'UPDATING', 'REVALIDATED', 'HIT', 'SCARCE']
const cacheBytes = cacheStatuses.map((status) => new TextEncoder().encode(status))
const space = 32

/** Rows of one kind by a number that stands for their label values. */
class Rows {
  readonly #byKey = new Map<number, number>()
  readonly labels: (readonly string[])[] = []
  readonly #labelsOf: (key: number) => readonly string[]
  /** Times that there was no room for a new row. */
  refused = 0

  constructor(labelsOf: (key: number) => readonly string[]) {
    this.#labelsOf = labelsOf
  }

  /** Number of the row, -1 if there are too many. */
  find(key: number): number {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const row = this.labels.length
    if (row >= rowsMax) {
      this.refused++
      return -1
    }
    this.#byKey.set(key, row)
    this.labels.push(this.#labelsOf(key))
    return row
  }
}

/** Counts the requests of access logs by host, method, status, upstream and cache status, in numbers that lie in arrays. */
export class AccessLogMeter {
  readonly hosts: LabelValues
  readonly upstreams: LabelValues
  readonly backends: LabelValues
  readonly #durations: LatencyHistograms
  readonly #upstreamDurations: LatencyHistograms
  readonly #responses: Rows
  readonly #durationRows: Rows
  readonly #upstreamRows: Rows
  readonly #cacheRows: Rows
  /** Of each row of responses: count, bytes sent, bytes received. */
  #responseCells = new Float64Array(0)
  #upstreamCounts = new Float64Array(0)
  #cacheCounts = new Float64Array(0)
  #knowsSizes = false
  #knowsRequestSizes = false
  readonly #item = { start: 0, end: 0, next: 0 }

  constructor({ buckets, constantLabels, hosts, labelValuesMax }: AccessLogMeterOptions) {
    this.hosts = new LabelValues(labelValuesMax, hosts)
    this.upstreams = new LabelValues(labelValuesMax)
    this.backends = new LabelValues(labelValuesMax)
    this.#durations = new LatencyHistograms(buckets)
    this.#upstreamDurations = new LatencyHistograms(buckets)
    const make = (...pairs: readonly string[]): readonly string[] => withLabels(constantLabels, pairs)
    const classOf = (key: number): string => `${key % 10}xx`
    this.#responses = new Rows((key) => {
      const rest = Math.floor(key / 1000)
      const status = String(key % 1000).padStart(3, '0')
      return make('host', this.hosts.text(Math.floor(rest / 16)), 'method', methods[rest % 16]!, 'status', status)
    })
    this.#durationRows = new Rows((key) => make('code', classOf(key), 'host', this.hosts.text(Math.floor(key / 10))))
    this.#upstreamRows = new Rows((key) => {
      const rest = Math.floor(key / 10)
      const [backend, upstream] = [this.backends.text(rest % 65_536), this.upstreams.text(Math.floor(rest / 65_536))]
      return make('backend', backend, 'code', key % 10 === 0 ? '' : classOf(key), 'upstream', upstream)
    })
    this.#cacheRows = new Rows((key) => {
      return make('host', this.hosts.text(Math.floor(key / 16)), 'status', cacheStatuses[key % 16]!.toLowerCase())
    })
  }

  /** Rows that had no room. */
  get refused(): number {
    return this.#responses.refused + this.#durationRows.refused + this.#upstreamRows.refused + this.#cacheRows.refused
  }

  /** Counts one line; false, and nothing counted, if it has no status. `fileHost` is the host of a log that does not name any. */
  record(bytes: Uint8Array, places: FieldPlaces, fileHost: Uint8Array): boolean {
    const statusAt = places[2 * fieldIndex.status]!
    const status = places[2 * fieldIndex.status + 1]! - statusAt === 3 ? readDecimal(bytes, statusAt, statusAt + 3) : NaN
    if (!Number.isInteger(status)) return false
    const host = this.#findHost(bytes, places, fileHost)
    const row = this.#responses.find((host * 16 + findMethod(bytes, places)) * 1000 + status)
    if (row >= 0) this.#addResponse(row, bytes, places)
    this.#addDuration(host, Math.trunc(status / 100), bytes, places)
    if (places[2 * fieldIndex.upstream_addr + 1]! > 0) this.#addUpstreams(bytes, places)
    this.#addCache(host, bytes, places)
    return true
  }

  #addResponse(row: number, bytes: Uint8Array, places: FieldPlaces): void {
    const start = 3 * row
    this.#responseCells = withRoom(this.#responseCells, start + 3)
    this.#responseCells[start]!++
    // Of both sizes the one that counts the header, too.
    let size = readField(bytes, places, fieldIndex.bytes_sent)
    if (Number.isNaN(size)) size = readField(bytes, places, fieldIndex.body_bytes_sent)
    if (!Number.isNaN(size)) {
      this.#knowsSizes = true
      this.#responseCells[start + 1]! += size
    }
    const requestSize = readField(bytes, places, fieldIndex.request_length)
    if (!Number.isNaN(requestSize)) {
      this.#knowsRequestSizes = true
      this.#responseCells[start + 2]! += requestSize
    }
  }

  #addDuration(host: number, statusClass: number, bytes: Uint8Array, places: FieldPlaces): void {
    const seconds = readField(bytes, places, fieldIndex.request_time)
    if (Number.isNaN(seconds)) return
    const row = this.#durationRows.find(host * 10 + statusClass)
    if (row >= 0) this.#durations.observe(row, seconds)
  }

  // Lists of the servers that were tried: "10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80", with a status and a time of each.
  #addUpstreams(bytes: Uint8Array, places: FieldPlaces): void {
    const upstream = this.upstreams.find(
      bytes,
      places[2 * fieldIndex.proxy_host]!,
      this.#endUnlessDash(bytes, places, fieldIndex.proxy_host),
    )
    const item = this.#item
    let addressAt = places[2 * fieldIndex.upstream_addr]!
    let statusAt = places[2 * fieldIndex.upstream_status]!
    let timeAt = places[2 * fieldIndex.upstream_response_time]!
    const addressEnd = this.#endUnlessDash(bytes, places, fieldIndex.upstream_addr)
    const statusEnd = places[2 * fieldIndex.upstream_status + 1]!
    const timeEnd = places[2 * fieldIndex.upstream_response_time + 1]!
    while (addressAt < addressEnd) {
      nextListItem(bytes, addressAt, addressEnd, item)
      addressAt = item.next
      const backend = this.backends.find(bytes, item.start, item.end)
      nextListItem(bytes, statusAt, statusEnd, item)
      statusAt = item.next
      const status = readDecimal(bytes, item.start, item.end)
      nextListItem(bytes, timeAt, timeEnd, item)
      timeAt = item.next
      const seconds = readDecimal(bytes, item.start, item.end)
      const statusClass = Number.isNaN(status) ? 0 : Math.trunc(status / 100) % 10
      const row = this.#upstreamRows.find((upstream * 65_536 + backend) * 10 + statusClass)
      if (row < 0) continue
      this.#upstreamCounts = withRoom(this.#upstreamCounts, row + 1)
      this.#upstreamCounts[row]!++
      if (!Number.isNaN(seconds)) this.#upstreamDurations.observe(row, seconds)
    }
  }

  #addCache(host: number, bytes: Uint8Array, places: FieldPlaces): void {
    const start = places[2 * fieldIndex.upstream_cache_status]!
    const end = this.#endUnlessDash(bytes, places, fieldIndex.upstream_cache_status)
    if (end === start) return
    const row = this.#cacheRows.find(host * 16 + findWord(cacheBytes, bytes, start, end))
    if (row < 0) return
    this.#cacheCounts = withRoom(this.#cacheCounts, row + 1)
    this.#cacheCounts[row]!++
  }

  /** The server's name is one of the configuration; what the client says is used where there is none. */
  #findHost(bytes: Uint8Array, places: FieldPlaces, fileHost: Uint8Array): number {
    for (const field of hostFields) {
      const [start, end] = [places[2 * field]!, places[2 * field + 1]!]
      // `_` is the usual name of a server that has none.
      if (end - start > 1 || (end - start === 1 && bytes[start] !== dash && bytes[start] !== underscore))
        return this.hosts.find(bytes, start, end)
    }
    return this.hosts.find(fileHost, 0, fileHost.length)
  }

  /** End of the field; its start if the field is `-`, which is empty. */
  #endUnlessDash(bytes: Uint8Array, places: FieldPlaces, field: number): number {
    const [start, end] = [places[2 * field]!, places[2 * field + 1]!]
    return end - start === 1 && bytes[start] === dash ? start : end
  }

  write(writer: MetricWriter): void {
    const responses = this.#responses.labels
    const writeResponses = (name: string, help: string, cell: number): void => {
      writer.family(name, help, 'counter')
      for (const [row, labels] of responses.entries()) writer.sample(this.#responseCells[3 * row + cell]!, labels)
    }
    writeResponses('nginx_http_response_count_total', 'Requests answered, of the access log.', 0)
    if (this.#knowsSizes) writeResponses('nginx_http_response_size_bytes', 'Bytes sent to clients, of the access log.', 1)
    if (this.#knowsRequestSizes) writeResponses('nginx_http_request_size_bytes', 'Bytes received from clients, of the access log.', 2)
    writer.family('nginx_http_request_duration_seconds', 'Seconds from the first byte of a request to the last of its answer.', 'histogram')
    for (const [row, labels] of this.#durationRows.labels.entries()) this.#durations.write(writer, row, labels)
    writer.family('nginx_http_upstream_requests_total', 'Requests passed to a server of an upstream, repeated ones included.', 'counter')
    for (const [row, labels] of this.#upstreamRows.labels.entries()) writer.sample(this.#upstreamCounts[row]!, labels)
    writer.family('nginx_http_upstream_duration_seconds', 'Seconds that a server of an upstream took for its answer.', 'histogram')
    for (const [row, labels] of this.#upstreamRows.labels.entries()) this.#upstreamDurations.write(writer, row, labels)
    writer.family('nginx_http_cache_requests_total', 'Requests by what the cache said.', 'counter')
    for (const [row, labels] of this.#cacheRows.labels.entries()) writer.sample(this.#cacheCounts[row]!, labels)
  }
}

const dash = 45
const underscore = 95
const hostFields = [fieldIndex.server_name, fieldIndex.host, fieldIndex.http_host]

function readField(bytes: Uint8Array, places: FieldPlaces, field: number): number {
  return readDecimal(bytes, places[2 * field]!, places[2 * field + 1]!)
}

/** Of `$request_method`, or the first word of `$request`; 0 for none that is known. */
function findMethod(bytes: Uint8Array, places: FieldPlaces): number {
  const isAlone = places[2 * fieldIndex.request_method + 1]! > 0
  const field = isAlone ? fieldIndex.request_method : fieldIndex.request
  const [start, limit] = [places[2 * field]!, places[2 * field + 1]!]
  let end = start
  while (end < limit && bytes[end] !== space) end++
  return findWord(methodBytes, bytes, start, end)
}

/** Index of the word, 0 if it is none of them. */
function findWord(words: readonly Uint8Array[], bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  for (let i = 1; i < words.length; i++) {
    const word = words[i]!
    if (word.length !== length) continue
    let at = 0
    while (at < length && bytes[start + at] === word[at]) at++
    if (at === length) return i
  }
  return 0
}

function withRoom(cells: Float64Array<ArrayBuffer>, room: number): Float64Array<ArrayBuffer> {
  return room <= cells.length ? cells : growDoubles(cells, Math.max(room, 2 * cells.length))
}
