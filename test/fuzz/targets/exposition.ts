import { ByteWriter } from '@narthex/bytes/byte-writer'
import { entryEnd, entrySample, type ExpositionParser } from '@narthex/exposition/parser'
import { OpenMetricsParser } from '@narthex/exposition/openmetrics-parser'
import { prepareBody, type BodyOptions, type ExpositionKind } from '@narthex/exposition/read-body'
import { encodeFamilies } from '@narthex/exposition/testdata/metric-family'
import { TextParser } from '@narthex/exposition/text-parser'
import { validateOpenMetrics } from '@narthex/exposition/validate-openmetrics'
import { encode, ensure, type FuzzTarget } from '../fuzz-target.ts'

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
    ensure(
      kind !== entrySample || (parser.seriesStart < parser.seriesEnd && parser.seriesEnd <= bytes.length),
      `series range ${parser.seriesStart}..${parser.seriesEnd} lies outside the body of ${bytes.length} bytes`,
    )
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
    ensure(parser.valueStart > parser.seriesEnd, `value at ${parser.valueStart}, series ends at ${parser.seriesEnd}`)
  }
}

const textParser = new TextParser()
const openMetricsParser = new OpenMetricsParser()

export const expositionTargets: readonly FuzzTarget[] = [
  { name: 'text', seeds: [encode(exposition)], refusals: ['ExpositionError'], read: (bytes) => parseAll(textParser, bytes) },
  { name: 'openmetrics', seeds: [encode(openMetrics)], refusals: ['ExpositionError'], read: (bytes) => parseAll(openMetricsParser, bytes) },
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
    seeds: [encode(openMetrics2)],
    refusals: ['ExpositionError'],
    read: (bytes) => readRewritten('openmetrics2', bytes, allOptions),
  },
  {
    name: 'classic-histograms',
    seeds: [encode(classicHistograms)],
    refusals: ['ExpositionError'],
    read: (bytes) => readRewritten('text', bytes, allOptions),
  },
  {
    name: 'created-lines',
    seeds: [encode(openMetrics)],
    refusals: ['ExpositionError'],
    read: (bytes) => readRewritten('openmetrics', bytes, { ...allOptions, nhcb: false }),
  },
  {
    name: 'validate-openmetrics',
    seeds: [encode(openMetrics)],
    refusals: [],
    read: (bytes) => void validateOpenMetrics(bytes),
  },
]
