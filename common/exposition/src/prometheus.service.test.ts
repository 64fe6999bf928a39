import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { Labels } from '@narthex/model/labels'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { formatFloat } from '@narthex/model/number'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '@narthex/test/kit/process'
import { startPrometheus } from '@narthex/test/kit/services'
import type { Service } from '@narthex/test/kit/services'
import { sumDeltas } from './bucket-runs.ts'
import { entryEnd, entrySample } from './parser.ts'
import { prepareBody } from './read-body.ts'
import type { ExpositionKind } from './read-body.ts'
import { parseSeriesText } from './series-text.ts'
import { encodeFamilies } from './testdata/metric-family.ts'

// A real Prometheus scrapes two bodies; what it stores is compared with what we read of them.

const nowSeconds = Math.floor(Date.now() / 1000)
const exemplar = (value: number, agoSeconds: number) => ({
  label: [{ name: 'trace_id', value: `t${value}` }],
  value,
  timestamp: { seconds: nowSeconds - agoSeconds, nanos: 123_999_999 },
})
const labels = (...texts: string[]) => texts.map((value, i) => ({ name: `l${i}`, value }))

/** Deltas of `length` buckets with changing counts, some empty; returns them with the sum of the counts. */
function makeDeltas(length: number): { deltas: number[]; total: number } {
  const counts = Array.from({ length }, (_, i) => (i % 5 === 3 ? 0 : ((i * 7) % 11) + 1))
  return { deltas: counts.map((count, i) => count - (counts[i - 1] ?? 0)), total: counts.reduce((sum, count) => sum + count, 0) }
}
const positive = makeDeltas(40)
const negative = makeDeltas(9)

const families = [
  {
    name: 'c_total',
    help: 'c',
    type: 0,
    metric: [{ label: labels('a "b"\n\\', 'ü'), counter: { value: 3.25, exemplar: exemplar(0.5, 9) } }],
  },
  { name: 'g', type: 1, metric: [{ gauge: { value: -1e-9 } }, { label: labels('x'), gauge: { value: NaN } }, { label: labels('y') }] },
  { name: 'u', type: 3, metric: [{ untyped: { value: Infinity } }] },
  {
    name: 's',
    type: 2,
    metric: [
      { summary: { sample_count: 3, sample_sum: 1.5, quantile: [{ quantile: 0.5, value: 2 }, { quantile: 0.99 }, { quantile: 1 }] } },
      { label: labels('empty'), summary: { sample_count: 9 } },
    ],
  },
  {
    name: 'classic',
    type: 4,
    metric: [
      {
        label: labels('z'),
        histogram: {
          sample_count: 7,
          sample_sum: 2.5,
          bucket: [
            { upper_bound: 1e-7, cumulative_count: 1 },
            { upper_bound: 1, cumulative_count: 3, exemplar: exemplar(0.25, 8) },
            { upper_bound: 2_500_000, cumulative_count: 5 },
          ],
        },
      },
    ],
  },
  {
    name: 'native',
    type: 4,
    metric: [
      {
        histogram: {
          schema: 2,
          sample_count: positive.total + negative.total + 6,
          sample_sum: 12.5,
          zero_threshold: 0.001,
          zero_count: 6,
          positive_span: [
            { offset: -9, length: 20 },
            { offset: 0, length: 0 },
            { offset: 3, length: 20 },
          ],
          positive_delta: positive.deltas,
          negative_span: [{ offset: 4, length: 9 }],
          negative_delta: negative.deltas,
          bucket: [{ upper_bound: 1, cumulative_count: 3, exemplar: exemplar(0.75, 7) }],
        },
      },
      { label: labels('empty'), histogram: { schema: 3, zero_threshold: 1e-128, positive_span: [{ offset: 0, length: 0 }] } },
    ],
  },
  {
    name: 'gauge_native',
    type: 5,
    metric: [
      {
        histogram: {
          schema: -1,
          sample_count_float: 3.5,
          zero_threshold: 1e-128,
          zero_count_float: 1,
          positive_span: [{ offset: 0, length: 3 }],
          positive_count: [2, 0, 0.5],
        },
      },
    ],
  },
]

const openMetrics = `# HELP om_c c
# TYPE om_c counter
om_c_total{a="b\\"\\n"} 17.5 # {trace_id="x",b="ü"} 0.67 ${nowSeconds - 5}.1239
om_c_created{a="b\\"\\n"} ${nowSeconds - 100}.5
# TYPE om_h histogram
om_h_bucket{le="0.1"} 8 # {trace_id="y"} 0.05 ${nowSeconds - 6}
om_h_bucket{le="1"} 8
om_h_bucket{le="+Inf"} 20
om_h_sum 324789.3
om_h_count 20
# TYPE om_s summary
om_s{quantile="1"} NaN
# EOF
`

const bodies: readonly (readonly [kind: ExpositionKind, contentType: string, body: Uint8Array])[] = [
  [
    'protobuf',
    'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited',
    Uint8Array.from(encodeFamilies(families)),
  ],
  ['openmetrics', 'application/openmetrics-text; version=1.0.0; charset=utf-8', Buffer.from(openMetrics)],
]

let target: Server
let prometheus: Service

beforeAll(async () => {
  target = createServer((request, response) => {
    const [, contentType, body] = bodies.find(([kind]) => request.url === `/${kind}`)!
    response.setHeader('content-type', contentType)
    response.end(body)
  })
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve))
  const { port } = target.address() as AddressInfo
  const jobs = bodies.map(
    ([kind]) => `  - job_name: ${kind}\n    metrics_path: /${kind}\n    static_configs: [{targets: ['127.0.0.1:${port}']}]\n`,
  )
  prometheus = await startPrometheus({
    config: `global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\nscrape_configs:\n${jobs.join('')}`,
    args: ['--enable-feature=native-histograms,exemplar-storage'],
  })
})

afterAll(async () => {
  await prometheus.stop()
  target.close()
})

interface Answer {
  metric: Record<string, string>
  value?: [number, string]
  histogram?: [number, { count: string; sum: string; buckets?: [number, string, string, string][] }]
}

async function ask<T>(path: string, parameters: Record<string, string>): Promise<T> {
  const response = await fetch(`${prometheus.url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
  return ((await response.json()) as { data: T }).data
}

function isOwn(labels: Labels): boolean {
  return !/^(?:up|scrape_.*)$/.test(labels.get('__name__'))
}

/** What Prometheus has of a job: `metric value`, histograms as count, sum and the counts of their buckets. */
async function readTheirs(job: string): Promise<string[]> {
  const { result } = await ask<{ result: Answer[] }>('query', { query: `{job="${job}"}` })
  const lines = result.flatMap(({ metric, value, histogram }) => {
    const own = Labels.from(metric).without('job', 'instance')
    if (!isOwn(own)) return []
    if (histogram === undefined) return [`${own.metricString()} ${value![1]}`]
    const counts = (histogram[1].buckets ?? []).map(([, , , count]) => Number(count))
    return [`${own.metricString()} ${describe(Number(histogram[1].count), Number(histogram[1].sum), counts)}`]
  })
  return lines.sort()
}

function describe(count: number, sum: number, buckets: readonly number[]): string {
  return `histogram ${count} ${sum} [${[...buckets].sort((a, b) => a - b).join(' ')}]`
}

function countsOf(histogram: NativeHistogram): number[] {
  const sides = histogram.isFloat
    ? [histogram.positiveCounts, histogram.negativeCounts]
    : [sumDeltas(histogram.positiveDeltas), sumDeltas(histogram.negativeDeltas)]
  return [histogram.zeroCount, ...sides.flat()].filter((count) => count !== 0)
}

function readOurs(kind: ExpositionKind, body: Uint8Array): { samples: string[]; exemplars: string[] } {
  const options = { nhcb: false, keepClassic: false, nativeHistograms: true, createdAsStart: false }
  const { body: lines, parser } = prepareBody(kind, body, options, new ByteWriter())
  const samples: string[] = []
  const exemplars: string[] = []
  parser.begin(lines, 0, lines.length)
  for (let entry = parser.next(); entry !== entryEnd; entry = parser.next()) {
    if (entry !== entrySample) continue
    const metric = parseSeriesText(lines, parser.seriesStart, parser.seriesEnd, parser.type).metricString()
    const histogram = parser.hasHistogram ? parser.histogram() : undefined
    samples.push(
      `${metric} ${histogram === undefined ? formatFloat(parser.value) : describe(histogram.count, histogram.sum, countsOf(histogram))}`,
    )
    for (const { labels: flat, value, timestampMs } of parser.exemplars()) {
      exemplars.push(`${metric} ${Labels.fromPairs(flat).toString()} ${value} ${timestampMs}`)
    }
  }
  return { samples: samples.sort(), exemplars: exemplars.sort() }
}

interface ExemplarSeries {
  seriesLabels: Record<string, string>
  exemplars: { labels: Record<string, string>; value: string; timestamp: number }[]
}

test.each(bodies)('%s is read as Prometheus reads it', async (kind, _contentType, body) => {
  const ours = readOurs(kind, body)
  await waitFor('the job to be scraped', async () => (await readTheirs(kind)).length >= ours.samples.length, {
    process: prometheus.process,
  })
  // 2.42 left le and quantile of OpenMetrics as they were; 3 writes them as floats, as it did in protobuf already.
  const theirs = (await readTheirs(kind)).map((line) => line.replace(/(le|quantile)="1"/, '$1="1.0"'))
  expect(ours.samples).toEqual(theirs.sort())
})

test.each(bodies)('exemplars of %s are read as Prometheus reads them', async (kind, _contentType, body) => {
  const ours = readOurs(kind, body)
  expect(ours.exemplars.length).toBeGreaterThan(1)
  const parameters = { query: `{job="${kind}"}`, start: String(nowSeconds - 60), end: String(nowSeconds) }
  const found = await waitFor(
    'exemplars',
    async () => {
      const series = await ask<ExemplarSeries[]>('query_exemplars', parameters)
      return series.length >= ours.exemplars.length ? series : undefined
    },
    { process: prometheus.process },
  )
  const theirs = found.flatMap(({ seriesLabels, exemplars }) =>
    exemplars.map(
      ({ labels: own, value, timestamp }) =>
        `${Labels.from(seriesLabels).without('job', 'instance').metricString()} ${Labels.from(own).toString()} ${Number(value)} ${Math.round(timestamp * 1000)}`,
    ),
  )
  expect(ours.exemplars).toEqual(theirs.sort())
})
