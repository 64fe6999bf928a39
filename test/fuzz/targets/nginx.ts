import { createFieldPlaces, type LineReader } from '@narthex/exporter-nginx/access-log-fields'
import { AccessLogMeter } from '@narthex/exporter-nginx/access-log-meter'
import { readAutomatically } from '@narthex/exporter-nginx/automatic-format'
import { compileLogFormat } from '@narthex/exporter-nginx/log-format'
import { readPlusStatus } from '@narthex/exporter-nginx/plus-api'
import { writePlusFamilies } from '@narthex/exporter-nginx/plus-families'
import { StatusWriter } from '@narthex/exporter-nginx/status-writer'
import { writeVtsExporterFamilies } from '@narthex/exporter-nginx/vts-exporter-families'
import { writeVtsFamilies } from '@narthex/exporter-nginx/vts-families'
import { parseVtsStatus } from '@narthex/exporter-nginx/vts-status'
import { decode, encode, encodeJson, ensure, type FuzzTarget } from '../fuzz-target.ts'

const format =
  '$host "$request" $status $bytes_sent $request_length $request_time "$proxy_host" "$upstream_addr" "$upstream_status" "$upstream_response_time" $upstream_cache_status'
const readFormat = compileLogFormat(format)
const places = createFieldPlaces()
const nothing = new Uint8Array(0)
const nowhere = {
  family: () => undefined,
  sample: (value: number) => ensure(!Number.isNaN(value), 'a sample is NaN'),
}

/** Reads all lines of the bytes, and looks that no field lies outside of its line and no count is NaN. */
function readLog(reader: LineReader, bytes: Uint8Array): void {
  const meter = new AccessLogMeter({ buckets: [0.01, 1], labelValuesMax: 3, hosts: undefined, constantLabels: [] })
  for (let start = 0; start <= bytes.length;) {
    const found = bytes.indexOf(10, start)
    const end = found < 0 ? bytes.length : found
    if (reader(bytes, start, end, places)) {
      for (let i = 0; i < places.length; i += 2) {
        const [from, to] = [places[i]!, places[i + 1]!]
        ensure((from === 0 && to === 0) || (from >= start && from <= to && to <= end), `field ${i / 2} is at ${from} to ${to}`)
      }
      meter.record(bytes, places, nothing)
    }
    start = end + 1
  }
  ensure(meter.hosts.size <= 4 && meter.backends.size <= 4, 'more values than are allowed')
  meter.write(nowhere)
}

const zone = {
  requestCounter: 3,
  inBytes: 1,
  outBytes: 2,
  responses: { '2xx': 3, hit: 1 },
  requestMsecCounter: 9,
  requestMsec: 3,
  requestBuckets: { msecs: [5, 10], counters: [1, 3] },
}
const vtsPage = {
  hostName: 'a',
  moduleVersion: 'v0.2.2',
  nginxVersion: '1.26.2',
  loadMsec: 1,
  nowMsec: 2000,
  connections: { active: 1, accepted: 2 },
  sharedZones: { maxSize: 1 },
  serverZones: { '*': zone },
  filterZones: { country: { AT: zone } },
  upstreamZones: {
    app: [{ server: '10.0.0.1:80', ...zone, responseBuckets: { msecs: [5], counters: [1] }, responseMsecCounter: 5, down: false }],
  },
  cacheZones: { static: { maxSize: 1, usedSize: 1, inBytes: 0, outBytes: 0, responses: { hit: 1 } } },
}

const peer = {
  server: '10.0.0.1:80',
  state: 'up',
  responses: { '2xx': 1, codes: { '200': 1 } },
  health_checks: { checks: 1 },
  ssl: { handshakes: 1 },
}
const plusPages = {
  '': [8, 9, 10],
  '9/connections': { accepted: 1 },
  '9/workers': [{ id: 0, pid: 1, http: { requests: { total: 1 } } }],
  '9/http/server_zones': { a: { processing: 1, responses: { '2xx': 1, codes: { '200': 1 } } } },
  '9/http/upstreams': { app: { peers: [peer], zombies: 1 } },
  '9/http/caches': { c: { cold: true, hit: { bytes: 1 } } },
  '9/stream/zone_sync': { zones: { z: { records_total: 1 } }, status: { nodes_online: 1 } },
}

/** All pages of the API as one JSON object, by their paths. */
async function readPlus(bytes: Uint8Array): Promise<void> {
  const pages: unknown = JSON.parse(decode(bytes))
  if (typeof pages !== 'object' || pages === null) return
  const readPageIfThere = (path: string): Promise<string | undefined> =>
    Promise.resolve(Object.hasOwn(pages, path) ? JSON.stringify((pages as Record<string, unknown>)[path]) : undefined)
  const status = await readPlusStatus({ readPageIfThere, readPage: async (path?: string) => (await readPageIfThere(path ?? '')) ?? '' })
  writePlusFamilies(new StatusWriter(nowhere, [{ status, labels: ['addr', 'a'] }]))
}

export const nginxTargets: readonly FuzzTarget[] = [
  {
    name: 'access-log',
    seeds: [
      encode('::1 - - [29/Nov/2026:14:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl"\n::1 - - [x] "-" 400 0 "-" "-"\n'),
      encode(
        '{"status":"200","request_method":"GET","host":"a\\u0022","request_time":"0.005","upstream_addr":"1.1.1.1:1, 2.2.2.2:2 : -","upstream_status":"502, 200"}\n',
      ),
    ],
    refusals: [],
    read: (bytes) => readLog(readAutomatically, bytes),
  },
  {
    name: 'access-log-format',
    seeds: [encode('a.test "GET / HTTP/1.1" 200 5 7 0.005 "app" "1.1.1.1:1, unix:/a : 3.3.3.3:3" "502, - : 200" "0.1, - : 0.2" HIT\n')],
    refusals: [],
    read: (bytes) => readLog(readFormat, bytes),
  },
  {
    name: 'nginx-vts',
    seeds: [encodeJson(vtsPage)],
    isJson: true,
    refusals: ['Error'],
    read: (bytes) => {
      const writer = new StatusWriter(nowhere, [{ status: parseVtsStatus(decode(bytes)), labels: ['addr', 'a'] }])
      writeVtsFamilies(writer)
      writeVtsExporterFamilies(writer)
    },
  },
  {
    name: 'nginx-plus',
    seeds: [encodeJson(plusPages)],
    isJson: true,
    refusals: ['Error', 'SyntaxError'],
    read: readPlus,
  },
]
