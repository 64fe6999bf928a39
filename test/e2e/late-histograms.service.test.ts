import { cpSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { expect, test } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { decodeChunk } from '@narthex/tsdb/chunk/decode-chunk'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { describeHistogram } from '@narthex/tsdb/chunk/testdata/histogram-walk'
import { putHistogram, readHistogram } from '@narthex/wire/histogram-message'
import { readChunkFrames } from '@narthex/wire/remote-read-chunks'
import { chunksResponse, encodeReadRequest, samplesResponse } from '@narthex/wire/remote-read-request'
import { compress, uncompress } from '@narthex/wire/snappy'
import { makeTemporaryDirectory } from '../kit/process.ts'
import { openInProcessServer, type InProcessServer } from './in-process-server.ts'

// Native histograms that come out of order by remote write 2.0 are read as those that came in order: after a kill, and from blocks.

const message = protobuf
  .parse(
    `syntax = "proto3"; message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
     message TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated bytes histograms = 3; }
     message Sample { double value = 1; int64 timestamp = 2; }`,
  )
  .root.lookupType('Request')

const answerMessage = protobuf
  .parse(
    `syntax = "proto3"; message ReadResponse { repeated Result results = 1; } message Result { repeated TimeSeries timeseries = 1; }
     message TimeSeries { repeated Label labels = 1; repeated bytes histograms = 4; } message Label { string name = 1; string value = 2; }`,
  )
  .root.lookupType('ReadResponse')

const stepMs = 30_000
const count = 40
const all = Array.from({ length: count }, (_, i) => i)
const lastMs = Math.floor(Date.now() / stepMs) * stepMs
const firstMs = lastMs - 6 * 3_600_000
const out = new ByteWriter()

/** Counts on, with a reset at 25 and other buckets from 10 on. */
function histogramAt(i: number, isFloat: boolean): NativeHistogram {
  const observations = i < 25 ? 10 + 3 * i : i
  const spans = [{ offset: 0, length: i < 10 ? 1 : 2 }]
  const counts = i < 10 ? [observations] : [observations - 5, 5]
  return {
    schema: 2,
    isFloat,
    count: observations,
    sum: observations * 1.5,
    zeroThreshold: 2 ** -128,
    zeroCount: 0,
    positiveSpans: spans,
    negativeSpans: [],
    positiveDeltas: isFloat ? [] : counts.map((each, k) => each - (counts[k - 1] ?? 0)),
    negativeDeltas: [],
    positiveCounts: isFloat ? counts : [],
    negativeCounts: [],
    customValues: [],
    isGauge: false,
  }
}

function encodeHistogram(i: number, isFloat: boolean): Uint8Array {
  out.reset()
  putHistogram(out, histogramAt(i, isFloat))
  out.u8(0x78)
  out.uvarint(firstMs + i * stepMs)
  return out.view().slice()
}

async function write(url: string, series: { name: string; histograms?: Uint8Array[]; samples?: object[] }[]): Promise<Response> {
  const symbols = ['', '__name__', ...series.map(({ name }) => name)]
  const timeseries = series.map(({ name: _name, ...samples }, i) => ({ labelsRefs: [1, 2 + i], ...samples }))
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    body: Buffer.from(compress(message.encode(message.fromObject({ symbols, timeseries })).finish())),
    headers: {
      'Content-Encoding': 'snappy',
      'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
      'X-Prometheus-Remote-Write-Version': '2.0.0',
    },
  })
  expect([response.status, await response.text()]).toEqual([204, ''])
  return response
}

type Contents = Record<string, string[]>

/** What remote read answers, as samples or as chunks. */
async function read({ url }: InProcessServer, accepted: number): Promise<Contents> {
  const matchers = [{ type: '=~' as const, name: '__name__', value: '(late|in_order)_.*' }]
  const queries = [{ startMs: firstMs, endMs: lastMs, matchers }]
  const body = Buffer.from(compress(encodeReadRequest({ queries, acceptedResponses: [accepted] })))
  const response = await fetch(`${url}/api/v1/read`, { method: 'POST', body })
  expect(response.status).toBe(200)
  const bytes = await response.bytes()
  const contents: Contents = {}
  if (accepted === chunksResponse) {
    readChunkFrames(bytes, (_query, labels, chunks) => {
      const columns = { floats: new SampleColumns(), histograms: new HistogramColumns() }
      for (const { encoding, data } of chunks) decodeChunk(encoding, data, columns)
      const { histograms } = columns
      contents[labels[1]!] = [
        ...(contents[labels[1]!] ?? []),
        ...Array.from({ length: histograms.length }, (_, i) => `${histograms.times[i]} ${describeHistogram(histograms.histogram(i))}`),
      ]
    })
    return contents
  }
  const { results } = answerMessage.decode(uncompress(bytes, 2 ** 25)) as unknown as {
    results: { timeseries: { labels: { value: string }[]; histograms: Uint8Array[] }[] }[]
  }
  for (const { labels, histograms } of results[0]!.timeseries) {
    contents[labels[0]!.value] = histograms.map((each) => {
      const { histogram, timestampMs } = readHistogram(each, 0, each.length)
      return `${timestampMs} ${describeHistogram(histogram)}`
    })
  }
  return contents
}

const wanted: Contents = Object.fromEntries(
  ['in_order_floats', 'in_order_integers', 'late_floats', 'late_integers'].map((name) => [
    name,
    all.map((i) => `${firstMs + i * stepMs} ${describeHistogram(histogramAt(i, name.endsWith('floats')))}`),
  ]),
)

async function compare(running: InProcessServer): Promise<void> {
  for (const accepted of [samplesResponse, chunksResponse]) expect(await read(running, accepted)).toEqual(wanted)
  for (const name of Object.keys(wanted)) {
    const parameters = new URLSearchParams({ query: `count_over_time(${name}[7h])`, time: String(lastMs / 1000) })
    const asked = await fetch(`${running.url}/api/v1/query?${parameters}`)
    expect(await asked.json()).toMatchObject({ data: { result: [{ value: [expect.any(Number), String(count)] }] } })
  }
  expect(running.warnings).toEqual([])
}

async function askMetric(url: string, line: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(
    text
      .split('\n')
      .find((each) => each.startsWith(line))
      ?.slice(line.length),
  )
}

test('late native histograms of remote write 2.0 are read as those in order: at once, after a kill, and from blocks', async () => {
  const temporary = makeTemporaryDirectory('narthex-late-histograms-')
  const data = join(temporary.path, 'data')
  const copy = join(temporary.path, 'copy')
  let running = await openInProcessServer(2, data)
  try {
    // Every other one in order, the last one again, and the rest from the last to the first; one commit each.
    const late = [...all.filter((i) => i % 2 === 1), count - 1, ...all.filter((i) => i % 2 === 0).reverse()]
    for (const isFloat of [false, true]) {
      const kind = isFloat ? 'floats' : 'integers'
      await write(running.url, [{ name: `in_order_${kind}`, histograms: all.map((i) => encodeHistogram(i, isFloat)) }])
      for (const i of late) {
        const { headers } = await write(running.url, [{ name: `late_${kind}`, histograms: [encodeHistogram(i, isFloat)] }])
        expect(headers.get('X-Prometheus-Remote-Write-Histograms-Written')).toBe('1')
      }
    }
    await compare(running)
    expect(await askMetric(running.url, 'prometheus_tsdb_head_out_of_order_samples_appended_total{type="histogram"}')).toBe(count)
    // As after a SIGKILL.
    cpSync(data, copy, { recursive: true })
    await running.remove()
    running = await openInProcessServer(2, copy)
    await compare(running)
    const samples = Array.from({ length: 7 }, (_, hour) => ({ value: hour, timestamp: firstMs + hour * 3_600_000 }))
    await write(running.url, [{ name: 'clock', samples }])
    const { store } = running.server
    await store.compactor.run()
    expect(store.blocks.blocks.length).toBeGreaterThan(0)
    expect(store.head.late.samples.isEmpty).toBe(true)
    await compare(running)
  } finally {
    await running.remove()
    temporary.remove()
  }
}, 30_000)
