import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SampleColumns } from '@narthex/model/sample-columns'
import { decodeXorChunk } from '@narthex/tsdb/chunk/xor-chunk'
import { readChunkFrames } from '@narthex/wire/remote-read-chunks'
import { chunksResponse, encodeReadRequest, samplesResponse, type ReadQuery } from '@narthex/wire/remote-read-request'
import { readReadResponse } from '@narthex/wire/remote-read-samples'
import { compress, uncompress } from '@narthex/wire/snappy'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askApi, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { makeTemporaryDirectory } from '../kit/process.ts'
import { writeRequest, type WriteSeries } from '../kit/remote-write.ts'
import { startPrometheus, type Service } from '../kit/services.ts'

// Remote read beside Debian's Prometheus: both hold the same block and the same newer samples, and a second Prometheus reads from ours.

const temporary = makeTemporaryDirectory()
const externalLabels = 'global: {external_labels: {dc: east, both: mine}}\n'
const nowMs = Math.floor(Date.now() / 1000) * 1000
const blockStartMs = Math.floor(nowMs / 7_200_000) * 7_200_000 - 6 * 7_200_000
let ours: NarthexProcess
let theirs: Service
let reader: Service

beforeAll(async () => {
  const block = join(temporary.path, 'block')
  mkdirSync(block)
  writeFileSync(join(temporary.path, 'old.om'), makeHistory())
  execFileSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', '-q', join(temporary.path, 'old.om'), block])
  const directory = join(temporary.path, 'ours')
  cpSync(block, join(directory, 'data'), { recursive: true })
  cpSync(block, join(temporary.path, 'theirs'), { recursive: true })
  ;[ours, theirs] = await Promise.all([
    startNarthex('server', { directory, config: externalLabels, args: ['--storage.tsdb.retention.time=10y'] }),
    startPrometheus({ config: externalLabels, data: join(temporary.path, 'theirs') }),
  ])
  for (const url of [ours.url, theirs.url]) await writeRequest(url, makeNewSeries())
  const remote = `remote_read: [{url: '${ours.url}/api/v1/read', read_recent: true}]\n`
  reader = await startPrometheus({ config: externalLabels + remote })
}, 60_000)
afterAll(async () => {
  await Promise.all([ours?.remove(), theirs?.stop(), reader?.stop()])
  temporary.remove()
})

/** 400 samples of 5 series in two blocks. */
function makeHistory(): string {
  const lines = ['# TYPE m gauge']
  for (let i = 0; i < 5; i++) {
    for (let k = 0; k < 400; k++) lines.push(`m{i="${i}",text="é\\"\\\\"} ${i * 1000 + (k % 7) / 3} ${(blockStartMs + k * 30_000) / 1000}`)
  }
  return `${lines.join('\n')}\n# EOF\n`
}

function makeNewSeries(): WriteSeries[] {
  const series = Array.from({ length: 5 }, (_, i): WriteSeries => {
    const samples = Array.from({ length: 300 }, (_value, k) => [nowMs - 3_000_000 + k * 10_000, Math.sin(i * k)] as const)
    return { labels: { __name__: 'm', i: String(i), text: 'é"\\' }, samples }
  })
  const special: WriteSeries = {
    labels: { __name__: 'special', both: 'own' },
    samples: [
      [nowMs - 30_000, Infinity],
      [nowMs - 20_000, NaN],
      [nowMs - 10_000, -1e-300],
      [nowMs, 0],
    ],
  }
  return [...series, special]
}

async function post(url: string, body: Uint8Array): Promise<Response> {
  return await fetch(`${url}/api/v1/read`, { method: 'POST', body: new Uint8Array(body) })
}

function ask(url: string, queries: readonly ReadQuery[], acceptedResponses: readonly number[]): Promise<Response> {
  return post(url, compress(encodeReadRequest({ queries, acceptedResponses })))
}

/** Query, labels and time → the value's words. */
type Found = Map<string, [number, number]>

function add(found: Found, query: number, labels: readonly string[], { times, words, length }: SampleColumns): void {
  if (length === 0) found.set(`${query} ${labels.join('|')}`, [0, 0])
  for (let i = 0; i < length; i++) found.set(`${query} ${labels.join('|')} ${times[i]!}`, [words[2 * i]!, words[2 * i + 1]!])
}

async function readSamples(url: string, queries: readonly ReadQuery[]): Promise<Found> {
  const response = await ask(url, queries, [samplesResponse])
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-protobuf'])
  expect(response.headers.get('content-encoding')).toBe('snappy')
  const found: Found = new Map()
  const results = readReadResponse(uncompress(await response.bytes(), 2 ** 25), (query, labels, samples) =>
    add(found, query, labels, samples),
  )
  expect(results).toBe(queries.length)
  return found
}

async function readChunks(url: string, queries: readonly ReadQuery[], accepted = [chunksResponse, samplesResponse]): Promise<Found> {
  const response = await ask(url, queries, accepted)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse')
  expect(response.headers.get('content-encoding')).toBeNull()
  const found: Found = new Map()
  const columns = new SampleColumns()
  readChunkFrames(await response.bytes(), (query, labels, chunks) => {
    columns.clear()
    for (const { encoding, data, minTimeMs, maxTimeMs } of chunks) {
      expect(encoding).toBe(1)
      const before = columns.length
      decodeXorChunk(data, columns)
      if (columns.length > before) expect([columns.times[before], columns.times[columns.length - 1]]).toEqual([minTimeMs, maxTimeMs])
    }
    add(found, query, labels, columns)
  })
  return found
}

const all = { type: '=~', name: '__name__', value: '.+' } as const
const everything: ReadQuery = { startMs: blockStartMs - 1000, endMs: nowMs + 1000, matchers: [all] }
const cases: readonly (readonly [string, readonly ReadQuery[]])[] = [
  ['all series over blocks and head', [everything]],
  ['part of a block', [{ ...everything, startMs: blockStartMs + 1_234_567, endMs: blockStartMs + 8_000_001 }]],
  ['several queries', [{ ...everything, endMs: blockStartMs + 60_000 }, { ...everything, startMs: nowMs - 15_000 }, everything]],
  ['an external label that is asked for', [{ ...everything, matchers: [all, { type: '=', name: 'dc', value: 'east' }] }]],
  ['another value of an external label', [{ ...everything, matchers: [all, { type: '=', name: 'dc', value: 'west' }] }]],
  ['an external label that a series has itself', [{ ...everything, matchers: [all, { type: '=', name: 'both', value: 'own' }] }]],
  [
    'matchers of all kinds',
    [{ ...everything, matchers: [all, { type: '!~', name: 'i', value: '[01]' }, { type: '!=', name: 'i', value: '3' }] }],
  ],
  ['hints with less time', [{ ...everything, matchers: [all], hints: { function: 'rate', startMs: nowMs - 100_000, endMs: nowMs } }]],
  ['nothing', [{ ...everything, startMs: 1, endMs: 2 }]],
]

describe('answers as Prometheus does', () => {
  test.each(cases)('%s', async (_name, queries) => {
    const [samples, chunks, wanted] = [
      await readSamples(ours.url, queries),
      await readChunks(ours.url, queries),
      await readSamples(theirs.url, queries),
    ]
    expect(samples).toEqual(wanted)
    expect(chunks).toEqual(wanted)
    expect(await readChunks(theirs.url, queries)).toEqual(wanted)
  })

  test('the series alone when only they are wanted', async () => {
    const query: ReadQuery = { ...everything, hints: { function: 'series', startMs: everything.startMs, endMs: everything.endMs } }
    const found = await readSamples(ours.url, [query])
    expect(found).toEqual(await readSamples(theirs.url, [query]))
    expect(found.size).toBe(6)
    expect(await readChunks(ours.url, [query])).toEqual(found)
  })

  test('the first response type that is known, samples if none is named', async () => {
    const queries = cases[1]![1]
    expect(await readChunks(ours.url, queries, [7, chunksResponse, samplesResponse])).toEqual(await readSamples(ours.url, queries))
    expect((await ask(ours.url, queries, [])).headers.get('content-type')).toBe('application/x-protobuf')
  })

  test.each([
    ['what is not snappy', Uint8Array.of(1, 2, 3), 400],
    ['what is no message', compress(Uint8Array.of(0x0a, 9)), 400],
    ['response types that nobody knows', compress(encodeReadRequest({ queries: [], acceptedResponses: [5, 6] })), 400],
  ])('a refusal of %s', async (_name, body, status) => {
    const [own, other] = [await post(ours.url, body), await post(theirs.url, body)]
    expect([own.status, other.status]).toEqual([status, status])
    expect(own.headers.get('content-type')).toBe(other.headers.get('content-type'))
    const text = await own.text()
    if (body !== undefined && !text.startsWith('cannot read field')) expect(text).toBe(await other.text())
  })

  test('an expression that is none with its text', async () => {
    const queries: ReadQuery[] = [{ ...everything, matchers: [{ type: '=~', name: 'a', value: '(' }] }]
    for (const type of [samplesResponse, chunksResponse]) {
      const [own, other] = [await ask(ours.url, queries, [type]), await ask(theirs.url, queries, [type])]
      expect(await own.text()).toBe('error parsing regexp: missing closing ): `(`\n')
      expect([own.status, other.status]).toEqual([400, 500])
    }
  })
})

describe('a Prometheus that reads from ours', () => {
  const expressions = [
    'm',
    'round(sum by (i) (rate(m[2m])), 0.001)',
    'count_over_time(m[13h])',
    'max by (i) (m offset 11h)',
    'm{dc="east"}',
    'm{dc="west"}',
    'special{both="own"}',
    'count_over_time(special{both="own"}[1m])',
    'absent(nothing{a="b"})',
    'quantile(0.9, max_over_time(m[1h]))',
  ]
  test.each(expressions)('answers %s as we do', async (query) => {
    // All samples lie at whole seconds, so no edge of a window is on one: there 2.42 takes the samples at both ends, 3 only at one.
    const parameters = { query, start: String(nowMs / 1000 - 3597.5), end: String(nowMs / 1000 + 2.5), step: '60' }
    const [own, other] = [
      await askApi<Answer>(ours.url, 'api/v1/query_range', parameters),
      await askApi<Answer>(reader.url, 'api/v1/query_range', parameters),
    ]
    // What is asked with an external label is another question to a server that has the samples without it.
    if (!query.includes('dc=')) expect(sorted(other)).toEqual(sorted(own))
    expect(other.result.length > 0).toBe(!query.includes('west'))
  })

  test('has our label values and series', async () => {
    const window = { start: String(nowMs / 1000 - 3600), end: String(nowMs / 1000) }
    const parameters = { 'match[]': 'm', ...window }
    const own = await askApi<object[]>(ours.url, 'api/v1/series', parameters)
    expect(await askApi(reader.url, 'api/v1/series', parameters)).toEqual(own)
  })
})

describe('what a Thanos sidecar asks for beside it', () => {
  const both = async <Data>(path: string, parameters: Record<string, string> = {}): Promise<[Data, Data]> => {
    return await Promise.all([askApi<Data>(ours.url, path, parameters), askApi<Data>(theirs.url, path, parameters)])
  }
  const window = { start: String(blockStartMs / 1000), end: String(nowMs / 1000 + 1) }

  test.each([
    ['api/v1/series', { 'match[]': 'm', ...window }],
    ['api/v1/labels', { 'match[]': 'special', ...window }],
    ['api/v1/labels', window],
    ['api/v1/label/i/values', { 'match[]': 'm{i!="2"}', ...window }],
    ['api/v1/label/both/values', window],
    ['api/v1/rules', {}],
    ['api/v1/alerts', {}],
    ['api/v1/metadata', {}],
    ['api/v1/query_exemplars', { query: 'm', ...window }],
  ])('%s with %j is answered as by Prometheus', async (path, parameters) => {
    const [own, other] = await both(path, parameters)
    expect(own).toEqual(other)
  })

  test('the flags of the blocks, the labels of the configuration, a version', async () => {
    const [own, other] = await both<Record<string, string>>('api/v1/status/flags')
    expect(own['storage.tsdb.min-block-duration']).toBe(other['storage.tsdb.min-block-duration'])
    expect(other['storage.tsdb.max-block-duration']).toBe('1d12h')
    // A tenth of 10 years is above the longest.
    expect(own['storage.tsdb.max-block-duration']).toBe('31d')
    for (const name of ['web.enable-admin-api', 'web.enable-lifecycle']) expect(own[name]).toMatch(/^(true|false)$/)
    const [{ yaml }] = await both<{ yaml: string }>('api/v1/status/config')
    expect(yaml).toContain('  external_labels:\n    both: mine\n    dc: east\n')
    const [{ version }] = await both<{ version: string }>('api/v1/status/buildinfo')
    expect(version).toMatch(/^3\.\d+\.\d+$/)
    expect((await fetch(`${ours.url}/-/ready`)).status).toBe(200)
  })

  test('the time of the oldest sample', async () => {
    const readLowest = async (url: string) => {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(/^prometheus_tsdb_lowest_timestamp_seconds (\S+)$/m.exec(text)![1])
    }
    expect(await readLowest(ours.url)).toBe(blockStartMs / 1000)
    expect(await readLowest(theirs.url)).toBe(blockStartMs / 1000)
  })
})

interface Answer {
  readonly result: readonly { readonly metric: Readonly<Record<string, string>>; readonly values: unknown }[]
}

function sorted({ result }: Answer): string[] {
  return result.map(({ metric, values }) => JSON.stringify([Object.entries(metric).sort(), values])).sort()
}
