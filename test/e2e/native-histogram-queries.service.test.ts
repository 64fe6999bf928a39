import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { putHistogram } from '@narthex/wire/histogram-message'
import { compress } from '@narthex/wire/snappy'
import { makeTemporaryDirectory, waitFor } from '../kit/process.ts'
import { openInProcessServer, type InProcessServer } from './in-process-server.ts'

// Native histograms that came by remote write are asked for over HTTP, and recorded by a rule.

const message = protobuf
  .parse(
    `syntax = "proto3"; message WriteRequest { repeated TimeSeries timeseries = 1; }
     message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated bytes histograms = 4; }
     message Label { string name = 1; string value = 2; } message Sample { double value = 1; int64 timestamp = 2; }`,
  )
  .root.lookupType('WriteRequest')

const temporary = makeTemporaryDirectory('narthex-histogram-queries-')
const stepMs = 15_000
const lastMs = Math.floor(Date.now() / stepMs) * stepMs
const count = 20
let running: InProcessServer

/** Each adds two observations in (1, 2], one in [-1, -0.5) and one in the zero bucket. */
function encodeHistogram(i: number): Uint8Array {
  const n = i + 1
  const histogram: NativeHistogram = {
    schema: 0,
    isFloat: false,
    count: 4 * n,
    sum: 2 * n,
    zeroThreshold: 0.001,
    zeroCount: n,
    positiveSpans: [{ offset: 1, length: 1 }],
    negativeSpans: [{ offset: 0, length: 1 }],
    positiveDeltas: [2 * n],
    negativeDeltas: [n],
    positiveCounts: [],
    negativeCounts: [],
    customValues: [],
    isGauge: false,
  }
  const out = new ByteWriter()
  putHistogram(out, histogram)
  out.u8(0x78)
  out.uvarint(lastMs - (count - 1 - i) * stepMs)
  return out.view().slice()
}

async function ask(path: string, query: Record<string, string>): Promise<unknown> {
  const answer = (await (await fetch(`${running.url}/api/v1/${path}?${new URLSearchParams(query)}`)).json()) as {
    status: string
    data: { result: unknown }
  }
  expect(answer.status).toBe('success')
  return answer.data.result
}

const seconds = (ms: number) => String(ms / 1000)
const askNow = (query: string) => ask('query', { query, time: seconds(lastMs) })

beforeAll(async () => {
  running = await openInProcessServer(2)
  const labels = (name: string) => [{ name: '__name__', value: name }]
  const histograms = Array.from({ length: count }, (_, i) => encodeHistogram(i))
  const timeseries = [
    { labels: labels('h'), histograms },
    { labels: labels('f'), samples: [{ value: 1, timestamp: lastMs }] },
  ]
  const response = await fetch(`${running.url}/api/v1/write`, {
    method: 'POST',
    body: Buffer.from(compress(message.encode(message.fromObject({ timeseries })).finish())),
    headers: { 'Content-Encoding': 'snappy', 'Content-Type': 'application/x-protobuf' },
  })
  expect([response.status, await response.text()]).toEqual([204, ''])
})

afterAll(async () => {
  await running.remove()
  temporary.remove()
})

/** 20 times what is added. */
const last = {
  count: '80',
  sum: '40',
  buckets: [
    [1, '-1', '-0.5', '20'],
    [3, '-0.001', '0.001', '20'],
    [0, '1', '2', '40'],
  ],
}

test('an instant query answers a histogram with its buckets', async () => {
  expect(await askNow('h')).toEqual([{ metric: { __name__: 'h' }, histogram: [lastMs / 1000, last] }])
})

test('a range query answers floats and histograms in lists of their own', async () => {
  const range = { start: seconds(lastMs - stepMs), end: seconds(lastMs), step: '15' }
  expect(await ask('query_range', { ...range, query: 'h' })).toEqual([
    {
      metric: { __name__: 'h' },
      histograms: [
        [(lastMs - stepMs) / 1000, expect.objectContaining({ count: '76' })],
        [lastMs / 1000, last],
      ],
    },
  ])
  expect(await ask('query_range', { ...range, query: '-(f or h)' })).toEqual([
    { metric: {}, values: [[lastMs / 1000, '-1']], histograms: [[(lastMs - stepMs) / 1000, expect.objectContaining({ count: '-76' })]] },
  ])
})

test('rates and quantiles are computed from them', async () => {
  const [rate] = (await askNow('rate(h[1m])')) as { histogram: [number, { count: string; buckets: string[][] }] }[]
  expect(Number(rate!.histogram[1].count)).toBeCloseTo(4 / 15, 10)
  expect(rate!.histogram[1].buckets).toHaveLength(3)
  expect(await askNow('histogram_quantile(0.75, sum(h))')).toEqual([{ metric: {}, value: [lastMs / 1000, '1.4142135623730951'] }])
  expect(await askNow('histogram_fraction(-Inf, 0, h)')).toEqual([{ metric: {}, value: [lastMs / 1000, '0.375'] }])
})

test('a rule records them', async () => {
  writeFileSync(join(temporary.path, 'rules.yml'), 'groups: [{name: a, interval: 1s, rules: [{record: recorded, expr: sum(h)}]}]\n')
  const path = join(temporary.path, 'prometheus.yml')
  await running.server.apply(parsePrometheusConfig('rule_files: [rules.yml]\n', { path, mode: 'server' }))
  await waitFor('a recorded histogram', async () => ((await ask('query', { query: 'recorded' })) as unknown[]).length > 0)
  expect(await ask('query', { query: 'recorded' })).toEqual([{ metric: { __name__: 'recorded' }, histogram: [expect.any(Number), last] }])
})
