import { ListReader } from '@narthex/agent/discovery/kubernetes/list-reader'
import { readEndpointSlice, readPod } from '@narthex/agent/discovery/kubernetes/objects'
import { WatchReader } from '@narthex/agent/discovery/kubernetes/watch-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { AnswerReader } from '@narthex/agent/http/answer-reader'
import { parseAlertmanagerConfig } from '@narthex/config/alertmanager-config'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { parseStubStatus } from '@narthex/exporter-nginx/stub-status'
import { writeInfo } from '@narthex/exporter-redis/collect-info'
import { RespReader, type RespValue } from '@narthex/exporter-redis/resp-reader'
import { TargetWriter } from '@narthex/exporter-redis/target-writer'
import { entryEnd, entrySample, type ExpositionParser } from '@narthex/exposition/parser'
import { OpenMetricsParser } from '@narthex/exposition/openmetrics-parser'
import { prepareBody, type BodyOptions, type ExpositionKind } from '@narthex/exposition/read-body'
import { encodeFamilies } from '@narthex/exposition/testdata/metric-family'
import { TextParser } from '@narthex/exposition/text-parser'
import { validateOpenMetrics } from '@narthex/exposition/validate-openmetrics'
import { SampleColumns } from '@narthex/model/sample-columns'
import { parseProfiles } from '@narthex/http/sigv4-profiles'
import { parseXml } from '@narthex/http/xml-reader'
import { parseExpression } from '@narthex/promql/parse/parse'
import { parseTemplate } from '@narthex/template/template'
import { decodeXorChunk } from '@narthex/tsdb/chunk/xor-chunk'
import { RemoteWrite1Reader } from '@narthex/wire/remote-write-1'
import { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { compress, uncompress } from '@narthex/wire/snappy'
import { RemoteWriteLoad } from '../bench/remote-write-load.ts'

/** A reader of strangers' bytes: it may refuse with one of its own errors, and must do nothing else. */
export interface FuzzTarget {
  readonly name: string
  /** Valid inputs, the ground that mutations start from. */
  readonly seeds: readonly Uint8Array[]
  /** Names of the errors by which the reader refuses. */
  readonly refusals: readonly string[]
  read(bytes: Uint8Array): void
}

const text = (value: string) => new TextEncoder().encode(value)
const decode = (bytes: Uint8Array) => new TextDecoder('utf-8').decode(bytes)

const exposition = `# HELP http_requests_total Requests, by code.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="p\\"o\\\\st\\n",code="400"}    3
{"quoted.name","läbel"="x"} +Inf
# TYPE rpc_seconds summary
rpc_seconds{quantile="0.01"} 3.1e-05
rpc_seconds_sum NaN
rpc_seconds_count 2693
`
const openMetrics = `# HELP foo help
# TYPE foo counter
foo_total{a="b"} 17.0 1520879607.789 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.1
foo_created{a="b"} 1520430000.123
# TYPE h histogram
h_bucket{le="0.1"} 8 # {} 0.054
h_bucket{le="+Inf"} 20
# EOF
`

function parseAll(parser: ExpositionParser, bytes: Uint8Array): void {
  parser.begin(bytes, 0, bytes.length)
  for (let kind = parser.next(); kind !== entryEnd; kind = parser.next()) {
    if (kind === entrySample && !(parser.seriesStart < parser.seriesEnd && parser.seriesEnd <= bytes.length)) {
      throw new Error(`series range ${parser.seriesStart}..${parser.seriesEnd} lies outside the body of ${bytes.length} bytes`)
    }
  }
}

const openMetrics2 = `# TYPE foo_total counter
foo_total{a="b"} 17.0 1520879607.789 st@1520430000.123 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.1 # {} 1 2
# TYPE "my.h" histogram
{"my.h",a="b"} {count:6,sum:1.5,bucket:[0.5:1,1e6:4]} 5 st@4 # {i="1"} 0.5 1
# TYPE n histogram
n {count:7,sum:120,schema:0,zero_threshold:1e-4,zero_count:1,negative_spans:[1:2],negative_buckets:[1,1],positive_spans:[-1:2,3:1],positive_buckets:[1,1,2],bucket:[0.5:1,+Inf:2]}
# TYPE s summary
s {count:2,sum:3,quantile:[0.5:1,1:2]}
# EOF
`
const classicHistograms = `# TYPE h histogram
h_bucket{a="x",le="0.5"} 2 3
h_bucket{ le = "1" , a = "y\\n" } 1.5
h_bucket{"a"="y\\n",le="+Inf",} 2
h_sum{a="x"} 30
h_count{a="x"} 9
`

const bucket = {
  upper_bound: 0.5,
  cumulative_count: 2,
  exemplar: { label: [{ name: 'i', value: 'j' }], value: 0.5, timestamp: { seconds: 5 } },
}
const spans = {
  positive_span: [{ offset: 3, length: 2 }],
  positive_delta: [1, 1],
  negative_span: [{ offset: -1, length: 1 }],
  negative_delta: [1],
}
const histogram = { ...spans, sample_count: 4, sample_sum: 2.5, schema: 9, zero_threshold: 0.1, bucket: [bucket] }
const protobufBody = encodeFamilies([
  { name: 'a_total', help: 'x', type: 0, metric: [{ timestamp_ms: 5, counter: { value: 3, created_timestamp: { seconds: 9 } } }] },
  { name: 'h', type: 4, metric: [{ label: [{ name: 'a', value: 'b' }], histogram }, { histogram: { sample_count: 2, bucket: [bucket] } }] },
  { name: 's.x', type: 2, metric: [{ summary: { sample_count: 2, quantile: [{ quantile: 0.5, value: 1 }] } }] },
])

const linesOut = new ByteWriter()
const allOptions: BodyOptions = { nhcb: true, keepClassic: true, nativeHistograms: true, createdAsStart: true }

/** Reads the body as a scrape does, with all that may have to change in it, and every histogram and exemplar. */
function readRewritten(kind: ExpositionKind, bytes: Uint8Array, options: BodyOptions): void {
  const { body, parser } = prepareBody(kind, bytes, options, linesOut)
  parser.begin(body, 0, body.length)
  for (let kindOfEntry = parser.next(); kindOfEntry !== entryEnd; kindOfEntry = parser.next()) {
    if (kindOfEntry !== entrySample) continue
    parser.exemplars()
    if (parser.hasHistogram) parser.histogram()
    if (parser.valueStart <= parser.seriesEnd) throw new Error(`value at ${parser.valueStart}, series ends at ${parser.seriesEnd}`)
  }
}

const load = new RemoteWriteLoad(40, 20, 1_700_000_000_000)
const request1 = Uint8Array.from(load.encode(0))
const textParser = new TextParser()
const openMetricsParser = new OpenMetricsParser()
const reader1 = new RemoteWrite1Reader()
const reader2 = new RemoteWrite2Reader()
const columns = new SampleColumns()
const answerReader = new AnswerReader()

/** symbols ["", "__name__", "up", "job", "a"], one series of two samples. */
const request2 = Uint8Array.from([
  ...[0x22, 0, 0x22, 8, ...text('__name__'), 0x22, 2, ...text('up'), 0x22, 3, ...text('job'), 0x22, 1, ...text('a')],
  ...[0x2a, 34, 0x0a, 4, 1, 2, 3, 4, 0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0xe8, 0x07],
  ...[0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0x00, 0x40, 0x10, 0xd0, 0x0f],
])

/** All replies in the bytes, taken in pieces of a size. */
function readReplies(bytes: Uint8Array, pieceBytes: number): readonly RespValue[] {
  const replies: RespValue[] = []
  const reader = new RespReader((reply) => void replies.push(reply))
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes))
  return replies
}

const redisInfo = `# Server
redis_version:7.0.15
uptime_in_seconds:12
# Commandstats
cmdstat_config|get:calls=1,usec=2,usec_per_call=2.00,rejected_calls=0,failed_calls=0
# Latencystats
latency_percentiles_usec_config|get:p50=1.003,p99=2.007,p99.9=3
# Errorstats
errorstat_ERR:count=4
# Replication
role:master
slave0:ip=10.0.0.1,port=6379,state=online,offset=1,lag=0
# Sentinel
master0:name=a,status=ok,address=127.0.0.1:6379,slaves=1,sentinels=1
# Keyspace
db0:keys=1,expires=0,avg_ttl=3000,subexpiry=0
`

export const fuzzTargets: readonly FuzzTarget[] = [
  {
    name: 'snappy',
    seeds: [compress(request1).slice(), compress(text('a')).slice(), compress(new Uint8Array(70_000)).slice()],
    refusals: ['SnappyError'],
    read: (bytes) => void uncompress(bytes, 1 << 20),
  },
  { name: 'remote-write-1', seeds: [request1], refusals: ['WireError'], read: (bytes) => reader1.read(bytes) },
  { name: 'remote-write-2', seeds: [request2], refusals: ['WireError'], read: (bytes) => reader2.read(bytes) },
  { name: 'text', seeds: [text(exposition)], refusals: ['ExpositionError'], read: (bytes) => parseAll(textParser, bytes) },
  { name: 'openmetrics', seeds: [text(openMetrics)], refusals: ['ExpositionError'], read: (bytes) => parseAll(openMetricsParser, bytes) },
  {
    name: 'protobuf-exposition',
    seeds: [protobufBody],
    refusals: ['ExpositionError'],
    read(bytes) {
      readRewritten('protobuf', bytes, { ...allOptions, nhcb: false })
      readRewritten('protobuf', bytes, { ...allOptions, nativeHistograms: false })
    },
  },
  {
    name: 'openmetrics-2',
    seeds: [text(openMetrics2)],
    refusals: ['ExpositionError'],
    read: (bytes) => readRewritten('openmetrics2', bytes, allOptions),
  },
  {
    name: 'classic-histograms',
    seeds: [text(classicHistograms)],
    refusals: ['ExpositionError'],
    read: (bytes) => readRewritten('text', bytes, allOptions),
  },
  {
    name: 'created-lines',
    seeds: [text(openMetrics)],
    refusals: ['ExpositionError'],
    read: (bytes) => readRewritten('openmetrics', bytes, { ...allOptions, nhcb: false }),
  },
  {
    name: 'validate-openmetrics',
    seeds: [text(openMetrics)],
    refusals: [],
    read: (bytes) => void validateOpenMetrics(bytes),
  },
  {
    name: 'http-answer',
    seeds: [
      text('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nup 1\n'),
      text(
        'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nup 1\r\n1\r\n\n\r\n0\r\nA: b\r\n\r\n',
      ),
      text('HTTP/1.0 503 Service Unavailable\r\nConnection: close\r\n\r\ntry later'),
    ],
    refusals: ['ProtocolError', 'LongAnswerError'],
    read(bytes) {
      answerReader.begin(100_000)
      const half = bytes.length >> 1
      const isWhole = answerReader.push(bytes.subarray(0, half)) || answerReader.push(bytes.subarray(half)) || answerReader.end()
      if (isWhole && answerReader.body.length > 100_000) throw new Error(`the body has ${answerReader.body.length} bytes`)
    },
  },
  {
    name: 'promql',
    seeds: [
      text('sum by (job) (rate(http_requests_total{code=~"5.."}[5m] offset 1m)) / on (job) group_left sum(up) > bool 0.1'),
      text('histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m:30s] @ end())))'),
      text('{"metric.name", a!~"b|c"} unless ignoring (x) -foo ^ 0x1F'),
    ],
    refusals: ['ParseError'],
    read: (bytes) => void parseExpression(decode(bytes)),
  },
  {
    name: 'prometheus-config',
    seeds: [
      text(`global:
  scrape_interval: 15s
  external_labels: {a: b}
scrape_configs:
  - job_name: x
    static_configs: [{targets: ['a:1'], labels: {b: c}}]
    relabel_configs:
      - {source_labels: [__address__], regex: '(.*):.*', target_label: host, action: replace}
remote_write:
  - url: http://a/b
    basic_auth: {username: u, password: p}
`),
    ],
    refusals: ['ConfigError'],
    read: (bytes) => void parsePrometheusConfig(decode(bytes), { path: 'fuzz.yml', mode: 'server', env: {} }),
  },
  {
    name: 'alertmanager-config',
    seeds: [
      text(`route:
  receiver: a
  group_by: [alertname]
  routes: [{matchers: ['severity=~"a|b"'], receiver: b, continue: true}]
receivers: [{name: a}, {name: b, webhook_configs: [{url: 'http://x'}]}]
`),
    ],
    refusals: ['ConfigError'],
    read: (bytes) => void parseAlertmanagerConfig(decode(bytes), 'fuzz.yml'),
  },
  {
    name: 'template',
    seeds: [text('{{ range $i, $x := .Labels }}{{ if eq $x "a" }}{{ $x | printf "%q" }}{{ else }}-{{ end }}{{ end }}{{- /* c */ -}}')],
    refusals: ['TemplateError'],
    read: (bytes) => void parseTemplate('fuzz', decode(bytes), {}),
  },
  {
    name: 'xor-chunk',
    // One sample (1000 ms, 1); two samples 15 s apart of the same value, whose difference is a single 0 bit.
    seeds: [
      Uint8Array.from([0, 1, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
      Uint8Array.from([0, 2, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x98, 0x75, 0]),
    ],
    refusals: ['ChunkError'],
    read: (bytes) => {
      columns.clear()
      decodeXorChunk(bytes, columns)
    },
  },
  {
    name: 'kubernetes-list',
    seeds: [
      text(
        '{"kind":"PodList","metadata":{"resourceVersion":"7","continue":"x"},"items":[{"metadata":{"name":"a"}},{"spec":{"containers":[]}}]}',
      ),
      text('{"items":[],"metadata":{"a":["]\\"}"]}}'),
    ],
    refusals: ['ApiFormatError'],
    read: (bytes) => {
      const reader = new ListReader((item) => void [readPod(item), readEndpointSlice(item)])
      for (let at = 0; at < bytes.length; at += 7) reader.write(bytes.subarray(at, at + 7))
      reader.end()
    },
  },
  {
    name: 'kubernetes-watch',
    seeds: [
      text('{"type":"ADDED","object":{"metadata":{"name":"a","labels":{"b":"c"}}}}\n{"type":"BOOKMARK","object":{}}\n'),
      text('{"type":"MODIFIED","object":{"spec":{"containers":[{"ports":[{"containerPort":1}]}]}}}\n'),
    ],
    refusals: ['ApiFormatError', 'ApiStatusError'],
    read: (bytes) => {
      const reader = new WatchReader(({ object }) => void readPod(object))
      for (let at = 0; at < bytes.length; at += 7) reader.write(bytes.subarray(at, at + 7))
    },
  },
  {
    name: 'resp',
    seeds: [
      text('*3\r\n$5\r\nhello\r\n:42\r\n*2\r\n$-1\r\n*0\r\n+OK\r\n-ERR no\r\n$0\r\n\r\n'),
      text('*2\r\n*1\r\n*1\r\n*1\r\n:-1\r\n*-1\r\n'),
    ],
    refusals: ['RespProtocolError'],
    read: (bytes) => {
      const whole = readReplies(bytes, bytes.length)
      const pieces = readReplies(bytes, 3)
      if (JSON.stringify(whole) !== JSON.stringify(pieces)) throw new Error('replies differ between one piece and many')
    },
  },
  {
    name: 'redis-info',
    seeds: [text(redisInfo)],
    refusals: [],
    read: (bytes) => {
      const nowhere = new TargetWriter({ family: () => undefined, sample: () => undefined }, 'redis')
      writeInfo(nowhere, decode(bytes), { databases: 16, includesEmptyDatabases: true, includesSystem: true, nowMs: 0 })
    },
  },
  {
    name: 'stub-status',
    seeds: [text('Active connections: 2 \nserver accepts handled requests\n 2 2 3 \nReading: 0 Writing: 1 Waiting: 1 \n')],
    refusals: ['Error'],
    read: (bytes) => void parseStubStatus(decode(bytes)),
  },
  {
    name: 'xml',
    seeds: [
      text('<?xml version="1.0"?><a:r xmlns:a="b"><!-- c --><i k=\'v\'>1 &lt;&#65;&#x1F600;</i><i/><i><![CDATA[<&]]>x</i ></a:r>'),
      text(
        '<DescribeInstancesResponse><reservationSet><item><id>r</id></item></reservationSet><nextToken>t</nextToken></DescribeInstancesResponse>',
      ),
    ],
    refusals: ['XmlError'],
    read: (bytes) => void parseXml(bytes),
  },
  {
    name: 'aws-profiles',
    seeds: [text('# a\n[default]\naws_access_key_id = k\nregion=r ; c\n[profile  p]\ns3 =\n  x = y\n')],
    refusals: [],
    read: (bytes) => void parseProfiles(decode(bytes)),
  },
]
