// Beside Debian's Prometheus 2.42 with native histograms: the same samples in both, asked by a scraper that takes protobuf.
import { Agent } from 'node:http'
import { startNarthex, type NarthexProcess } from '@narthex/test/kit/narthex'
import { federatedTypeOf3 } from '@narthex/test/kit/newer-words'
import { post } from '@narthex/test/kit/remote-write'
import { startPrometheus, type Service } from '@narthex/test/kit/services'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { putHistogram, putStaleHistogram } from '@narthex/wire/histogram-message'
import { compress } from '@narthex/wire/snappy'
import protobuf from 'protobufjs'
import { afterAll, beforeAll, expect, test } from 'vitest'

const { root } = protobuf.parse(`syntax = "proto2";
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Pair labels = 1; repeated Sample samples = 2; repeated bytes histograms = 4; }
  message Pair { optional string name = 1; optional string value = 2; }
  message Sample { optional double value = 1; optional int64 timestamp = 2; }
  message MetricFamily { optional string name = 1; optional int32 type = 3; repeated Metric metric = 4; }
  message Metric { repeated Pair label = 1; optional Value untyped = 5; optional int64 timestamp_ms = 6; optional Histogram histogram = 7; }
  message Value { optional double value = 1; }
  message Histogram {
    optional uint64 sample_count = 1; optional double sample_sum = 2; optional double sample_count_float = 4; optional sint32 schema = 5;
    optional double zero_threshold = 6; optional double zero_count_float = 8;
    repeated Span negative_span = 9; repeated double negative_count = 11; repeated Span positive_span = 12; repeated double positive_count = 14;
  }
  message Span { optional sint32 offset = 1; optional uint32 length = 2; }`)

const integer: NativeHistogram = {
  ...{ schema: 1, isFloat: false, count: 9, sum: 18.4, zeroThreshold: 0.001, zeroCount: 2, isGauge: false, customValues: [] },
  ...{
    positiveSpans: [
      { offset: -1, length: 2 },
      { offset: 3, length: 1 },
    ],
    positiveDeltas: [1, 1, -1],
    positiveCounts: [],
  },
  ...{ negativeSpans: [{ offset: 0, length: 1 }], negativeDeltas: [3], negativeCounts: [] },
}
const float: NativeHistogram = {
  ...{ schema: 0, isFloat: true, count: 2.5, sum: -1e21, zeroThreshold: 0, zeroCount: 0, isGauge: false, customValues: [] },
  ...{ positiveSpans: [{ offset: 0, length: 1 }], positiveDeltas: [], positiveCounts: [2.5] },
  ...{ negativeSpans: [], negativeDeltas: [], negativeCounts: [] },
}

const nowMs = Date.now() - 2_000
let ours: NarthexProcess
let theirs: Service

beforeAll(async () => {
  const config = 'global: {external_labels: {region: eu}}\n'
  ;[ours, theirs] = await Promise.all([
    startNarthex('server', { config }),
    startPrometheus({ config, args: ['--enable-feature=native-histograms'] }),
  ])
  const out = new ByteWriter()
  const message = (put: () => void, timeMs: number) => {
    out.reset()
    put()
    out.u8(0x78)
    out.uvarint(timeMs)
    return out.view().slice()
  }
  const labels = (name: string, job: string) => [
    { name: '__name__', value: name },
    { name: 'job', value: job },
  ]
  const histogram = (one: NativeHistogram, timeMs = nowMs) => message(() => putHistogram(out, one), timeMs)
  const timeseries = [
    { labels: labels('ended', 'a'), histograms: [histogram(float, nowMs - 5), message(() => putStaleHistogram(out, true), nowMs)] },
    { labels: labels('latency', 'a'), histograms: [histogram(integer, nowMs - 5), histogram(integer)] },
    { labels: labels('latency', 'b'), histograms: [histogram(float)] },
    { labels: labels('latency_gauge', 'a'), histograms: [histogram({ ...float, isGauge: true })] },
    { labels: labels('plain', 'a'), samples: [{ value: 1.5, timestamp: nowMs }] },
  ]
  const type = root.lookupType('WriteRequest')
  const body = compress(type.encode(type.fromObject({ timeseries })).finish())
  for (const { url } of [ours, theirs]) await post(`${url}/api/v1/write`, body, new Agent())
}, 60_000)
afterAll(async () => {
  await Promise.all([ours?.remove(), theirs?.stop()])
})

const accept =
  'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3'

async function federate(url: string, wanted: string) {
  const response = await fetch(`${url}/federate?match[]={__name__!=""}`, { headers: { accept: wanted } })
  return { status: response.status, type: response.headers.get('content-type'), body: Buffer.from(await response.arrayBuffer()) }
}

function readFamilies(body: Uint8Array): { readonly name?: string }[] {
  const families: { readonly name?: string }[] = []
  const reader = protobuf.Reader.create(body)
  const type = root.lookupType('MetricFamily')
  while (reader.pos < reader.len) {
    families.push(type.toObject(type.decodeDelimited(reader), { longs: Number, defaults: true }))
  }
  return families
}

test('a scraper that takes protobuf gets native histograms as from Prometheus', async () => {
  const [own, other] = await Promise.all([federate(ours.url, accept), federate(theirs.url, accept)])
  expect([own.status, own.type]).toEqual([other.status, federatedTypeOf3(other.type)])
  const families = readFamilies(own.body)
  // 2.42 tells the end of a series as a histogram whose sum is NaN.
  expect(families).toEqual(readFamilies(other.body).filter(({ name }) => name !== 'ended'))
  expect(families.map(({ name }) => name)).toEqual(['latency', 'latency_gauge', 'plain'])
})

test('one that takes text gets none', async () => {
  const [own, other] = await Promise.all([federate(ours.url, ''), federate(theirs.url, '')])
  expect(String(own.body)).toBe(String(other.body))
  expect(String(own.body)).toBe(`# TYPE plain untyped\nplain{job="a",instance="",region="eu"} 1.5 ${nowMs}\n`)
})
