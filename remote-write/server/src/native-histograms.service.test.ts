// Against Debian's Prometheus 2.42 with native histograms: it sends us what it has, reads our directory, and we read its own.
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import protobuf from 'protobufjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { encodeResult } from '@narthex/promql/encode-result'
import { evaluateInstant } from '@narthex/promql/engine'
import { Receiver } from '@narthex/receive/receive'
import { silentLogger } from '@narthex/service/logger'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { describeHistogram, HistogramWalk, makeDice } from '@narthex/tsdb/chunk/testdata/histogram-walk'
import { decodeChunk } from '@narthex/tsdb/chunk/decode-chunk'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import { HeadReader } from '@narthex/tsdb/select/head-reader'
import { BlockShelf } from '@narthex/tsdb/select/block-shelf'
import { MergedQueryable } from '@narthex/tsdb/select/merged-queryable'
import { openStore } from '@narthex/tsdb/open-store'
import type { Store } from '@narthex/tsdb/store'
import { putHistogram, putStaleHistogram, readHistogram } from '@narthex/wire/histogram-message'
import { readChunkFrames } from '@narthex/wire/remote-read-chunks'
import { compress, uncompress } from '@narthex/wire/snappy'
import { startPrometheus } from '@narthex/test/kit/services'
import type { Service } from '@narthex/test/kit/services'
import { waitFor } from '@narthex/test/kit/process'
import { answerRemoteRead } from './answer-remote-read.ts'

const { root } = protobuf.parse(`syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated bytes histograms = 4; }
  message Label { string name = 1; string value = 2; }
  message Sample { fixed64 value = 1; int64 timestamp = 2; }
  message ReadResponse { repeated Result results = 1; }
  message Result { repeated TimeSeries timeseries = 1; }`)

const run = promisify(execFile)

type Contents = Record<string, string[]>
interface Sample {
  readonly timeMs: number
  /** A message with its time; undefined: a float of 1. */
  readonly message: Uint8Array | undefined
  readonly text: string
}

const minuteMs = 60_000
const samplesEach = 330
const stepMs = minuteMs
// Ahead of the clock: it sends nothing from before its start.
const startMs = (Math.floor(Date.now() / minuteMs) + 2) * minuteMs
const endMs = startMs + samplesEach * stepMs
const now = (): number => endMs
const out = new ByteWriter()

/** Series of histograms that count on, with gaps, ends, and floats in between. */
const series: Sample[][] = Array.from({ length: 6 }, (_, k) => {
  const dice = makeDice(1234 + k)
  const walk = new HistogramWalk(dice, false, k < 2 ? 'integers' : k < 4 ? 'floats' : 'both')
  let isFloat = false
  return Array.from({ length: samplesEach }, (_, i): Sample => {
    const timeMs = startMs + i * stepMs
    if (k === 5 && dice(20) === 0) return { timeMs, message: undefined, text: `${timeMs} float` }
    out.reset()
    // At the end of float histograms its queries say the one before again.
    const isStale = dice(30) === 0 && k !== 2 && k !== 3
    const histogram = walk.next()
    if (!isStale) isFloat = histogram.isFloat
    if (isStale) putStaleHistogram(out, isFloat)
    else putHistogram(out, histogram)
    out.u8(0x78)
    out.uvarint(timeMs)
    return { timeMs, message: out.view().slice(), text: `${timeMs} ${isStale ? 'stale' : describeHistogram(histogram)}` }
  })
})
const expected: Contents = Object.fromEntries(series.map((samples, k) => [`h${k}`, samples.map(({ text }) => text)]))

const one = new Uint32Array(new Float64Array([1]).buffer)

function encodeWrite(from: number, to: number): Uint8Array {
  const value = { low: one[0], high: one[1], unsigned: true }
  // Of one entry the floats come first, so each has one sample.
  const timeseries = series.flatMap((samples, k) => {
    const labels = [
      { name: '__name__', value: `h${k}` },
      { name: 'job', value: 'histograms' },
    ]
    return samples
      .slice(from, to)
      .map(({ timeMs, message }) =>
        message === undefined ? { labels, samples: [{ value, timestamp: timeMs }] } : { labels, histograms: [message] },
      )
  })
  const type = root.lookupType('WriteRequest')
  return compress(type.encode(type.fromObject({ timeseries })).finish())
}

function describeResponse(bytes: Uint8Array): Contents {
  const response = root.lookupType('ReadResponse').decode(bytes) as unknown as {
    results: { timeseries: { labels: { value: string }[]; samples: { timestamp: unknown }[]; histograms: Uint8Array[] }[] }[]
  }
  const contents: Contents = {}
  for (const { labels, samples, histograms } of response.results[0]!.timeseries) {
    const all: [number, string][] = samples.map(({ timestamp }) => [Number(timestamp), 'float'])
    for (const bytes of histograms) {
      const { histogram, timestampMs, isStale } = readHistogram(bytes, 0, bytes.length)
      all.push([timestampMs, isStale ? 'stale' : describeHistogram(histogram)])
    }
    contents[labels[0]!.value] = all.sort(([a], [b]) => a - b).map(([time, text]) => `${time} ${text}`)
  }
  return contents
}

function describeColumns(floats: SampleColumns, histograms: HistogramColumns): string[] {
  const samples: [number, string][] = Array.from({ length: floats.length }, (_, i) => [floats.times[i]!, 'float'])
  for (let i = 0; i < histograms.length; i++) {
    samples.push([histograms.times[i]!, histograms.isStale(i) ? 'stale' : describeHistogram(histograms.histogram(i))])
  }
  return samples.sort(([a], [b]) => a - b).map(([time, text]) => `${time} ${text}`)
}

function describeFrames(bytes: Uint8Array): Contents {
  const contents: Contents = {}
  readChunkFrames(bytes, (_query, labels, chunks) => {
    const floats = new SampleColumns()
    const histograms = new HistogramColumns()
    for (const { encoding, data } of chunks) decodeChunk(encoding, data, { floats, histograms })
    contents[labels[1]!] = [...(contents[labels[1]!] ?? []), ...describeColumns(floats, histograms)]
  })
  return contents
}

const queriedSeries = '{__name__=~"h[0-3]"}'

interface MatrixRow {
  readonly metric: Record<string, string>
  readonly values?: readonly [number, string][]
  readonly histograms?: readonly [number, { readonly count: string; readonly sum: string; readonly buckets?: unknown }][]
}

/**
 * What it says to a query of the series of one kind: all but the ends. Of others it repeats old histograms. Its remote read leaves histograms out of
 * samples, and in chunks it stumbles over gauges that fall.
 */
async function queryPrometheus(url: string): Promise<readonly MatrixRow[]> {
  const query = encodeURIComponent(`${queriedSeries}[30h]`)
  const answer = (await (await fetch(`${url}/api/v1/query?query=${query}&time=${endMs / 1000}`)).json()) as {
    data: { result: MatrixRow[] }
  }
  return answer.data.result.sort((a, b) => (a.metric['__name__']! < b.metric['__name__']! ? -1 : 1))
}

/** Floats, and count and sum of histograms. */
function shorten(rows: readonly MatrixRow[]): Contents {
  return Object.fromEntries(
    rows.map(({ metric, values = [], histograms = [] }) => {
      const samples: [number, string][] = [
        ...values.map(([time]): [number, string] => [time, 'float']),
        ...histograms.map(([time, { count, sum }]): [number, string] => [time, `${Number(count)} ${Number(sum)}`]),
      ]
      return [metric['__name__']!, samples.sort(([a], [b]) => a - b).map(([time, text]) => `${time * 1000} ${text}`)]
    }),
  )
}

const expectedShort: Contents = Object.fromEntries(
  Object.entries(expected)
    .slice(0, 4)
    .map(([name, samples]) => {
      const kept = samples.filter((text) => !text.endsWith('stale'))
      return [
        name,
        kept.map((text) => {
          const at = text.indexOf('{')
          if (at < 0) return text
          const { count, sum } = JSON.parse(text.slice(at)) as { count: number; sum: number }
          return `${text.slice(0, at)}${count} ${sum}`
        }),
      ]
    }),
)

function withQueryable<T>(store: Store, use: (queryable: Queryable) => T): T {
  const descriptor = store.head.descriptor()
  const reader = new HeadReader(descriptor)
  reader.deletions = store.head.deletions.view
  const shelf = new BlockShelf(2 ** 24, (block, reason) => {
    throw new Error(`${block}: ${reason}`)
  })
  shelf.list(store.blocks.shelf)
  try {
    return use(new MergedQueryable([...shelf.queryables(), reader]))
  } finally {
    reader.release()
    store.head.releaseReader(descriptor)
  }
}

/** What our engine says to the query of `queryPrometheus`, bucket by bucket. */
function queryOurselves(store: Store): readonly MatrixRow[] {
  const writer = new ByteWriter()
  withQueryable(store, (queryable) => encodeResult(evaluateInstant({}, queryable, `${queriedSeries}[30h]`, endMs), writer))
  return (JSON.parse(new TextDecoder().decode(writer.view())) as { result: MatrixRow[] }).result
}

const all = [new Matcher('=~' as const, '__name__', 'h.')]

function readStore(store: Store): Contents {
  return withQueryable(store, (queryable) => {
    const contents: Contents = {}
    for (const set = queryable.select(all, -Infinity, Infinity); set.next();) {
      const floats = new SampleColumns()
      const histograms = new HistogramColumns()
      set.samples(floats)
      set.histograms!(histograms)
      contents[set.labels().get('__name__')!] = describeColumns(floats, histograms)
    }
    return contents
  })
}

/** What our remote read answers, as samples or as chunks. */
function readRemotely(store: Store, streams: boolean): Contents {
  return withQueryable(store, (queryable) => {
    const parts: Uint8Array[] = []
    const matchers = [{ type: '=~' as const, name: '__name__', value: 'h.' }]
    const queries = [{ matchers, startMs: startMs - 1, endMs, wantsSamples: true }]
    const call = { kind: 'remoteRead' as const, queries, streams, externalLabels: [], samplesMax: 0, frameBytesMax: 2 ** 20 }
    answerRemoteRead(call, queryable, { send: (part) => void parts.push(part), check: () => {} })
    const bytes = new Uint8Array(Buffer.concat(parts))
    return streams ? describeFrames(bytes) : describeResponse(uncompress(bytes, 2 ** 28))
  })
}

/** The write route of a store, without its server. */
async function listen(store: Store): Promise<{ server: Server; url: string; failures: string[] }> {
  const failures: string[] = []
  const receiver = new Receiver({ appender: store.head, metadata: { setMetadata: () => {} }, now })
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => void parts.push(part))
    request.on('end', () => {
      const { 'content-type': type, 'content-encoding': encoding } = request.headers
      const answer = receiver.receive(type, typeof encoding === 'string' ? encoding : undefined, new Uint8Array(Buffer.concat(parts)))
      if (answer.status >= 400) failures.push(answer.errorText)
      response.writeHead(answer.status).end(answer.errorText)
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`, failures }
}

const features = ['--enable-feature=native-histograms', '--storage.tsdb.retention.time=100y']

describe('native histograms between Prometheus 2.42 and us', () => {
  let directory = ''
  const services: Service[] = []
  const stores: Store[] = []
  /** What Prometheus says of its own data. */
  let answers: readonly MatrixRow[] = []

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'native-histograms-'))
  })
  afterAll(async () => {
    for (const service of services) await service.stop()
    for (const store of stores) await store.close()
    rmSync(directory, { recursive: true, force: true })
  })

  function open(name: string): Store {
    const store = openStore({ directory: join(directory, name), log: silentLogger, memoryBytesMax: 2 ** 28, now })
    stores.push(store)
    return store
  }

  async function start(options: Parameters<typeof startPrometheus>[0]): Promise<Service> {
    const service = await startPrometheus({ ...options, args: features })
    services.push(service)
    return service
  }

  test('what it sends by remote write is what it was sent, and its log says the same to us', async () => {
    const received = open('received')
    const { server, url, failures } = await listen(received)
    const data = join(directory, 'theirs')
    const config = `remote_write: [{url: '${url}', send_native_histograms: true, queue_config: {batch_send_deadline: 200ms}}]`
    const prometheus = await start({ config, data })
    // One time a request: its log has floats before histograms.
    for (let from = 0; from < samplesEach; from++) {
      const body = Buffer.from(encodeWrite(from, from + 1))
      const headers = { 'Content-Encoding': 'snappy', 'Content-Type': 'application/x-protobuf' }
      const answer = await fetch(`${prometheus.url}/api/v1/write`, { method: 'POST', body, headers })
      expect([answer.status, await answer.text()]).toEqual([204, ''])
    }
    answers = await queryPrometheus(prometheus.url)
    expect(shorten(answers)).toEqual(expectedShort)
    await waitFor('all to be sent', () => received.head.counters.samplesAppended >= samplesEach * series.length || failures.length > 0, {
      timeoutMs: 20_000,
    })
    expect(failures).toEqual([])
    expect(readStore(received)).toEqual(expected)
    expect(queryOurselves(received)).toEqual(answers)
    for (const streams of [false, true]) expect(readRemotely(received, streams)).toEqual(expected)
    server.close()
    cpSync(data, join(directory, 'theirs-copied'), { recursive: true })
    expect(readStore(open('theirs-copied'))).toEqual(expected)
  }, 60_000)

  test('our log, and our blocks with the rest of the log, say to it what they say to us', async () => {
    const store = open('ours')
    const { server, url, failures } = await listen(store)
    for (let from = 0; from < samplesEach; from += 30) {
      const headers = { 'Content-Encoding': 'snappy', 'Content-Type': 'application/x-protobuf' }
      await fetch(url, { method: 'POST', body: Buffer.from(encodeWrite(from, from + 30)), headers })
    }
    server.close()
    expect(failures).toEqual([])
    expect(readStore(store)).toEqual(expected)
    // As after a SIGKILL.
    cpSync(join(directory, 'ours'), join(directory, 'ours-log'), { recursive: true })
    await store.compactor.run()
    expect(store.blocks.blocks.length).toBeGreaterThan(0)
    expect(store.blocks.blocks[0]!.meta.stats?.numHistogramSamples).toBeGreaterThan(0)
    expect(readStore(store)).toEqual(expected)
    expect(queryOurselves(store)).toEqual(answers)
    for (const streams of [false, true]) expect(readRemotely(store, streams)).toEqual(expected)
    cpSync(join(directory, 'ours'), join(directory, 'ours-blocks'), { recursive: true })
    for (const name of ['ours-log', 'ours-blocks']) {
      const data = join(directory, name)
      rmSync(join(data, 'lock'), { force: true })
      // It leaves histograms out, but reads them.
      expect(await run('promtool', ['tsdb', 'dump', data], { maxBuffer: 2 ** 28 })).toMatchObject({ stderr: '' })
      const prometheus = await start({ config: '', data })
      // Bucket by bucket.
      expect(await queryPrometheus(prometheus.url)).toEqual(answers)
    }
  }, 60_000)
})
