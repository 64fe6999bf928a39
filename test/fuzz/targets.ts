import { AnswerReader } from '@narthex/agent/http/answer-reader'
import { parseAlertmanagerConfig } from '@narthex/config/alertmanager-config'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { entryEnd, entrySample, type ExpositionParser } from '@narthex/exposition/parser'
import { OpenMetricsParser } from '@narthex/exposition/openmetrics-parser'
import { TextParser } from '@narthex/exposition/text-parser'
import { SampleColumns } from '@narthex/model/sample-columns'
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
]
