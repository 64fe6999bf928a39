import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import { createServer as createSocketServer } from 'node:net'
import type { AddressInfo, Server as SocketServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { createScraper } from '../scraper.ts'
import type { Scraper } from '../scraper.ts'
import { encodeFamilies, gaugeType, makeHistogram, protobufContentType } from './testdata/metric-families.ts'
import { FakeClock, settle } from './testkit/fake-clock.ts'
import { RecordingSink } from './testkit/recording-sink.ts'

let clock: FakeClock
let sink: RecordingSink
let registry: Registry
let scraper: Scraper | undefined
let servers: (Server | SocketServer)[]
let asked: IncomingMessage[]

beforeEach(() => {
  clock = new FakeClock()
  sink = new RecordingSink()
  registry = new Registry()
  servers = []
  asked = []
})

afterEach(async () => {
  await scraper?.stop()
  for (const server of servers) server.close()
})

async function serve(listener: RequestListener, path?: string): Promise<string> {
  const server = createServer((request, response) => {
    asked.push(request)
    listener(request, response)
  })
  servers.push(server)
  await new Promise<void>((resolve) => (path === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(path, resolve)))
  return path ?? `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Scrapes this job once; waits for the answer of a real server. */
async function scrapeOnce(target: string, extra = '', startTimestamps = false): Promise<string[]> {
  const job = `
global: {scrape_interval: 10s, scrape_timeout: 5s}
scrape_configs:
- job_name: j
  static_configs: [${target}]
${extra.replace(/^/gm, '  ')}
`
  const parsed = parsePrometheusConfig(job, { path: '/p.yml', mode: 'agent' })
  scraper = createScraper({ config: parsed, sink, log: silentLogger, registry, userAgent: 'test', clock, startTimestamps })
  scraper.start()
  await clock.advance(10_000)
  // A large answer is written in several turns, and counts as scraped behind the last.
  while (lastScrapeMs() === 0) await settle()
  return sink.take((series) => !series.startsWith('scrape_')).map((line) => line.replace(/@.*/, '').replaceAll(/\{instance[^}]*\} /g, ' '))
}
const at = (address: string) => `{targets: ['${address}']}`
const lastScrapeMs = () => scraper!.targets().active[0]!.lastScrapeMs
const lastError = () => scraper!.targets().active[0]!.lastError

const gauge = { name: 'g', type: gaugeType, metric: [{ gauge: { value: 2 } }] }

describe('a large answer', () => {
  const count = 20_000
  const body = (first: number, ending = '') =>
    Buffer.from(
      Array.from({ length: count }, (_, i) => `m{i="${first + i}",text="${'x'.repeat((first + i) % 50)}"} ${i % 7}\n`).join('') + ending,
    )
  const sumOf = (lines: readonly string[]): { samples: number; stale: number } => ({
    samples: lines.filter((line) => line.startsWith('m') && !line.endsWith('stale')).length,
    stale: lines.filter((line) => line.startsWith('m') && line.endsWith('stale')).length,
  })

  async function scrapeAgain(): Promise<string[]> {
    const before = lastScrapeMs()
    await clock.advance(10_000)
    while (lastScrapeMs() === before) await settle()
    return sink.take((series) => !series.startsWith('scrape_')).map((line) => line.replace(/@.*/, ''))
  }

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
    ['identity', (bytes: Buffer) => bytes],
  ])('sent as %s is read as it comes, and its series end when they go', async (encoding, pack) => {
    let answer = body(0)
    const address = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': encoding })
      const packed = pack(answer)
      for (let at = 0; at < packed.length; at += 30_011) response.write(packed.subarray(at, at + 30_011))
      response.end()
    })
    expect(sumOf(await scrapeOnce(at(address)))).toEqual({ samples: count, stale: 0 })
    expect(sumOf(await scrapeAgain())).toEqual({ samples: count, stale: 0 })
    answer = body(5)
    expect(sumOf(await scrapeAgain())).toEqual({ samples: count, stale: 5 })
    answer = Buffer.from('m{i="7"} 1\n')
    expect(sumOf(await scrapeAgain())).toEqual({ samples: 1, stale: count })
    answer = body(5)
    expect(sumOf(await scrapeAgain())).toEqual({ samples: count, stale: 1 })
  })

  test('that breaks off leaves nothing of itself, and stale markers for the one before', async () => {
    let breaks = false
    const address = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body(0).length })
      if (breaks) response.write(body(0).subarray(0, 700_000), () => response.destroy())
      else response.end(body(0))
    })
    expect(sumOf(await scrapeOnce(at(address)))).toEqual({ samples: count, stale: 0 })
    breaks = true
    expect(sumOf(await scrapeAgain())).toEqual({ samples: 0, stale: count })
    expect(lastError()).toMatch(/unexpected EOF$/)
    breaks = false
    expect(sumOf(await scrapeAgain())).toEqual({ samples: count, stale: 0 })
  })

  test('that is rubbish at its end is refused whole, with the line', async () => {
    const address = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).end(body(0, 'm{ 1\n'))
    })
    expect(sumOf(await scrapeOnce(at(address)))).toEqual({ samples: 0, stale: 0 })
    expect(lastError()).toContain(`(line ${count + 1})`)
  })

  test('has its limits: body_size_limit counts unpacked bytes, sample_limit samples', async () => {
    const bytes = body(0).length
    const address = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' }).end(gzipSync(body(0)))
    })
    const scrape = async (extra: string): Promise<string> => {
      await scraper?.stop()
      sink.batches = 0
      registry = new Registry()
      await scrapeOnce(at(address), extra)
      return lastError()
    }
    expect(await scrape(`body_size_limit: ${bytes + 1}B\nsample_limit: ${count}`)).toBe('')
    expect(await scrape(`body_size_limit: ${bytes}B`)).toBe('body size limit exceeded')
    expect(await scrape(`sample_limit: ${count - 1}`)).toBe('sample limit exceeded')
  })
})

describe('an answer', () => {
  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
    ['ZSTD', zstdCompressSync],
    ['identity', (bytes: Buffer) => bytes],
    ['', (bytes: Buffer) => bytes],
  ])('may be packed as %j', async (encoding, pack) => {
    const address = await serve((_request, response) => {
      const headers = { 'content-type': 'text/plain', ...(encoding === '' ? {} : { 'content-encoding': encoding }) }
      response.writeHead(200, headers).end(pack(Buffer.from('m 1\n')))
    })
    expect(await scrapeOnce(at(address), 'enable_compression: true')).toEqual(['m 1', 'up 1'])
    expect(asked[0]!.headers['accept-encoding']).toBe('gzip, zstd;q=0.9')
  })

  test('in an encoding that nobody asked for is refused with what was wanted', async () => {
    const address = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'deflate' }).end(deflateSync('m 1\n'))
    })
    expect(await scrapeOnce(at(address))).toEqual(['up 0'])
    expect(lastError()).toBe('cannot read answer: want content encoding gzip or zstd, got "deflate"')
  })

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('of %s counts with its unpacked size', async (encoding, pack) => {
    const body = Buffer.from(`m{x="${'a'.repeat(90)}"} 1\n`)
    expect(body.length).toBe(100)
    const address = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': encoding }).end(pack(body))
    })
    expect((await scrapeOnce(at(address), 'body_size_limit: 101B')).at(-1)).toBe('up 1')
    await scraper!.stop()
    sink.batches = 0
    registry = new Registry()
    expect(await scrapeOnce(at(address), 'body_size_limit: 100B')).toEqual(['up 0'])
    expect(lastError()).toBe('body size limit exceeded')
  })

  test('with a head whose lines end in bare line feeds is read', async () => {
    const server = createSocketServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 4\n\nm 1\n'))
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    expect(await scrapeOnce(at(`127.0.0.1:${(server.address() as AddressInfo).port}`))).toEqual(['m 1', 'up 1'])
  })

  test('asked for without compression is not packed', async () => {
    const address = await serve((_request, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end('m 1\n'))
    expect(await scrapeOnce(at(address), 'enable_compression: false')).toEqual(['m 1', 'up 1'])
    expect(asked[0]!.headers['accept-encoding']).toBe('identity')
  })
})

describe('a target behind a unix socket', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'narthex-socket-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  test('is asked over the socket with the address as its host', async () => {
    const path = await serve(
      (_request, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end('m 1\n'),
      join(directory, 's'),
    )
    expect(await scrapeOnce(`{targets: ['app.local'], labels: {__unix_socket__: '${path}'}}`)).toEqual(['m 1', 'up 1'])
    expect(asked[0]!.headers.host).toBe('app.local')
    expect(asked[0]!.url).toBe('/metrics')
    expect(scraper!.targets().active[0]!.labels.toRecord()).toEqual({ instance: 'app.local', job: 'j' })
  })

  test('is another target than one with the same address behind another socket', async () => {
    const listen = (name: string) =>
      serve((_request, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end(`${name} 1\n`), join(directory, name))
    await Promise.all([listen('a'), listen('b')])
    const socket = (name: string) => `{targets: ['app'], labels: {__unix_socket__: '${join(directory, name)}'}}`
    await scrapeOnce(`${socket('a')}, ${socket('b')}`)
    expect(scraper!.targets().active).toHaveLength(2)
  })

  test('that is not there is down', async () => {
    expect(await scrapeOnce(`{targets: ['app'], labels: {__unix_socket__: '${join(directory, 'none')}'}}`)).toEqual(['up 0'])
    expect(lastError()).toContain('no such file or directory')
  })
})

describe('protobuf', () => {
  const answerProtobuf: RequestListener = (_request, response) =>
    void response.writeHead(200, { 'content-type': protobufContentType }).end(encodeFamilies([makeHistogram('h', [1, 2]), gauge]))

  test('is asked for first when native histograms are scraped, and read with them', async () => {
    const address = await serve(answerProtobuf)
    expect(await scrapeOnce(at(address), 'scrape_native_histograms: true')).toEqual([
      'g 2',
      'h {schema 3, count 3, sum 1.5, buckets 1 1}',
      'up 1',
    ])
    expect(asked[0]!.headers.accept).toBe(
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,' +
        'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,' +
        'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
    )
  })

  test('asks for names as the escaping scheme says', async () => {
    const address = await serve(answerProtobuf)
    await scrapeOnce(at(address), 'scrape_protocols: [PrometheusText1.0.0, PrometheusProto]\nmetric_name_escaping_scheme: dots')
    expect(asked[0]!.headers.accept).toBe(
      'text/plain;version=1.0.0;escaping=dots;q=0.6,' +
        'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,*/*;q=0.4',
    )
  })

  test('without native histograms is read as classic ones', async () => {
    const address = await serve(answerProtobuf)
    const lines = await scrapeOnce(at(address))
    expect(lines.filter((line) => line.startsWith('h_count'))).toEqual(['h_count 3'])
    expect(lines.some((line) => line.startsWith('h {'))).toBe(false)
  })

  test('may be asked of one target alone by relabeling', async () => {
    const address = await serve(answerProtobuf)
    const rule = "relabel_configs: [{target_label: __scrape_native_histograms__, replacement: 'true'}]"
    expect(await scrapeOnce(at(address), rule)).toContain('h {schema 3, count 3, sum 1.5, buckets 1 1}')
  })

  test('that makes no sense fails the scrape', async () => {
    const address = await serve((_request, response) => response.writeHead(200, { 'content-type': protobufContentType }).end('m 1\n'))
    expect(await scrapeOnce(at(address))).toEqual(['up 0'])
    expect(lastError()).not.toBe('')
  })

  test('with more buckets than the limit fails the scrape and is counted', async () => {
    const wide = makeHistogram('h', [1, 1], { schema: -4 })
    const address = await serve((_request, response) =>
      response.writeHead(200, { 'content-type': protobufContentType }).end(encodeFamilies([wide])),
    )
    const lines = await scrapeOnce(at(address), 'scrape_native_histograms: true\nnative_histogram_bucket_limit: 1')
    expect(lines).toEqual(['up 0'])
    expect(lastError()).toBe('histogram bucket limit exceeded')
    const counter = registry.counter('prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total', '')
    expect(counter.labels().value).toBe(1)
  })

  test('is reduced to the job’s bucket factor', async () => {
    const address = await serve(answerProtobuf)
    const lines = await scrapeOnce(at(address), 'scrape_native_histograms: true\nnative_histogram_min_bucket_factor: 2')
    expect(lines).toContain('h {schema 0, count 3, sum 1.5, buckets 3}')
  })
})

test('a classic histogram in text becomes one with custom buckets when the job asks for it', async () => {
  const body = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 3\nh_count 3\nh_sum 7\nother 1\n'
  const address = await serve((_request, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end(body))
  expect(await scrapeOnce(at(address), 'convert_classic_histograms_to_nhcb: true')).toEqual([
    'h {schema -53, count 3, sum 7, buckets 1 1}',
    'other 1',
    'up 1',
  ])
})

test('start timestamps are kept when the scraper is told to', async () => {
  const body = '# TYPE c counter\nc_total 5\nc_created 1.5\n# EOF\n'
  const address = await serve((_request, response) => response.writeHead(200, { 'content-type': 'application/openmetrics-text' }).end(body))
  const parsed = await scrapeOnce(at(address))
  expect(parsed).toEqual(['c_created 1.5', 'c_total 5', 'up 1'])
  await scraper!.stop()
  sink.batches = 0
  registry = new Registry()
  const starts: unknown[] = []
  const append = sink.append.bind(sink)
  sink.append = (batch) => {
    append(batch)
    starts.push(...sink.samples.filter(({ series }) => series.startsWith('c_')).map(({ startTimeMs }) => startTimeMs))
  }
  expect(await scrapeOnce(at(address), '', true)).toEqual(['c_total 5', 'up 1'])
  expect(starts).toEqual([1500])
})
