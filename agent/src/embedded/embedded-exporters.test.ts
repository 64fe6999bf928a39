import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { createLogger, silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { inProcessKey, InProcessTargets } from '../scrape/in-process.ts'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { RecordingSink } from '../scrape/testkit/recording-sink.ts'
import { createScraper } from '../scraper.ts'
import type { Scraper } from '../scraper.ts'
import type { EmbeddedAnswer, EmbeddedOptions, EmbeddedRequest } from './embedded-exporter.ts'
import { attachedMax, EmbeddedExporters } from './embedded-exporters.ts'
import type { Attachment } from './embedded-exporters.ts'

let inProcess: InProcessTargets
let embedded: EmbeddedExporters
let events: string[]
let answer: (request: EmbeddedRequest, options: EmbeddedOptions) => Promise<EmbeddedAnswer>
const owner = {}

const body = (text: string): EmbeddedAnswer => ({ status: 200, contentType: 'text/plain', body: Buffer.from(text) })

beforeEach(() => {
  inProcess = new InProcessTargets()
  events = []
  answer = () => Promise.resolve(body('m 1\n'))
  const factory = (options: EmbeddedOptions) => {
    events.push(`open ${JSON.stringify(options.service)} ${JSON.stringify(options.flags)}`)
    return {
      scrape: (request: EmbeddedRequest) => answer(request, options),
      close: () => {
        events.push('close')
        return Promise.resolve()
      },
    }
  }
  const factories = { mysql: factory, redis: factory, node: factory }
  embedded = new EmbeddedExporters({
    factories,
    inProcess,
    address: 'localhost:80',
    pathPrefix: '/p',
    log: silentLogger,
    registry: new Registry(),
  })
})

const attachment = (name: string, change: Partial<Attachment> = {}): Attachment => ({
  kind: 'redis',
  name,
  flags: {},
  owner,
  resolve: () => ({ address: 'r:6379' }),
  ...change,
})
afterEach(() => {
  vi.useRealTimers()
})

const call = async (path: string, query = ''): Promise<string> => {
  const url = new URL(`http://localhost:80${path}${query}`)
  const target = inProcess.find(inProcessKey(url))
  if (target === undefined) return 'none'
  return Buffer.from((await target({ url, accept: '', timeoutMs: 1000 })).body).toString()
}
const path = '/p/exporters/redis/a/metrics'

describe('an attached exporter', () => {
  test('is made at its first scrape, reached by call and over HTTP, and closed when it is detached', async () => {
    embedded.attach(attachment('a', { flags: { 'check-keys': 'x' } }))
    expect(events).toEqual([])
    expect(await call(path)).toBe('m 1\n')
    const overHttp = await embedded.handle(path, new URLSearchParams(), 1000)
    expect([overHttp?.status, Buffer.from(overHttp!.body).toString()]).toEqual([200, 'm 1\n'])
    expect(embedded.list()).toEqual([{ kind: 'redis', name: 'a', path }])
    embedded.detach('redis', 'a', owner)
    expect(events).toEqual(['open {"address":"r:6379"} {"check-keys":"x"}', 'close'])
    expect(await call(path)).toBe('none')
    expect(await embedded.handle(path, new URLSearchParams(), 1000)).toBeUndefined()
  })

  test('gets the query of the scrape and what is left of its time, but not which credentials to use', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const queries: string[] = []
    const names: string[] = []
    answer = ({ query, timeoutMs }) => {
      queries.push(`${query} ${timeoutMs}`)
      vi.advanceTimersByTime(100)
      return Promise.resolve(body(''))
    }
    const resolve = (name: string) => {
      names.push(name)
      return { address: 'r:6379' }
    }
    embedded.attach(attachment('a', { resolve }))
    await call(path, '?collect[]=x&credentials=c')
    await embedded.handle(path, new URLSearchParams('credentials=c&y=1'), 1000)
    expect(queries).toEqual(['collect%5B%5D=x 1000', 'y=1 1000'])
    expect(names).toEqual(['c', ''])
  })

  test('is made anew when the way in changes', async () => {
    let password = 'a'
    embedded.attach(attachment('a', { resolve: () => ({ address: 'r:6379', password }) }))
    await call(path)
    await call(path)
    password = 'b'
    await call(path)
    expect(events.map((event) => event.split(' ')[0])).toEqual(['open', 'close', 'open'])
  })

  test('fails its scrape with the reason while there is no way in, and over HTTP as a 503', async () => {
    const resolve = () => {
      throw new Error('found, needs credentials: x')
    }
    embedded.attach(attachment('a', { resolve }))
    await expect(call(path)).rejects.toThrow('found, needs credentials: x')
    const overHttp = await embedded.handle(path, new URLSearchParams(), 1000)
    expect([overHttp?.status, Buffer.from(overHttp!.body).toString()]).toEqual([503, 'found, needs credentials: x\n'])
    expect(events).toEqual([])
  })

  test('that hangs keeps no other from answering', async () => {
    answer = (_request, { service }) => (service.address === 'hung:1' ? new Promise(() => {}) : Promise.resolve(body('m 1\n')))
    embedded.attach(attachment('a', { resolve: () => ({ address: 'hung:1' }) }))
    embedded.attach(attachment('b'))
    const hung = expect(embedded.handle(path, new URLSearchParams(), 50)).resolves.toMatchObject({ status: 503 })
    expect(await call('/p/exporters/redis/b/metrics')).toBe('m 1\n')
    await hung
  })

  test('gives HTTP bytes of its own, whatever the exporter writes next', async () => {
    const buffer = Buffer.from('m 1\n')
    answer = () => Promise.resolve({ status: 200, contentType: 'text/plain', body: buffer })
    embedded.attach(attachment('a'))
    const first = await embedded.handle(path, new URLSearchParams(), 1000)
    buffer.fill(0)
    expect(Buffer.from(first!.body).toString()).toBe('m 1\n')
  })
})

test('a place is its owner’s, and a kind has to be part of the program', () => {
  embedded.attach(attachment('a'))
  expect(() => embedded.attach(attachment('a', { owner: {} }))).toThrow(`${path} is attached already`)
  embedded.detach('redis', 'a', {})
  expect(embedded.list()).toHaveLength(1)
  expect(() => embedded.attach(attachment('b', { kind: 'nginx' }))).toThrow('the nginx exporter is not part of this program')
})

test('the last exporter that fits is attached, the next is refused', () => {
  for (let i = 0; i < attachedMax; i++) embedded.attach(attachment(String(i)))
  expect(() => embedded.attach(attachment('more'))).toThrow(`want at most ${attachedMax} in one process`)
  // One that is there may be changed all the same.
  embedded.attach(attachment('0', { flags: { a: 1 } }))
  embedded.detach('redis', '0', owner)
  embedded.attach(attachment('more'))
})

describe('the exporters section', () => {
  let scraper: Scraper
  let clock: FakeClock
  let sink: RecordingSink
  let directory: string
  const lines: string[] = []

  beforeEach(() => {
    clock = new FakeClock()
    sink = new RecordingSink()
    directory = mkdtempSync(join(tmpdir(), 'narthex-exporters-'))
    lines.length = 0
  })
  afterEach(async () => {
    await scraper.stop()
    rmSync(directory, { recursive: true })
  })

  const parse = (exporters: string) =>
    parsePrometheusConfig(`global: {scrape_interval: 10s}\nexporters: ${exporters}\n`, { path: join(directory, 'p.yml'), mode: 'agent' })

  function start(exporters: string, withExporters = true): void {
    const log = createLogger({ write: (line) => void lines.push(line) })
    const registry = new Registry()
    scraper = createScraper({
      config: parse(exporters),
      sink,
      log,
      registry,
      userAgent: 't',
      inProcessTargets: inProcess,
      clock,
      ...(withExporters ? { embedded } : {}),
    })
    scraper.start()
  }

  const series = (name: string): string[] =>
    [...new Set(sink.samples.filter((sample) => sample.series.startsWith(`${name}{`)).map((sample) => sample.series))].sort()

  test('runs and scrapes each of its exporters, under its kind as the job', async () => {
    start(
      '{redis: [{address: "r1:6379"}, {address: "r2:6379", job_name: cache, labels: {team: a}, scrape_interval: 5s}], mysql: {socket: /run/m.sock}}',
    )
    await clock.advance(10_000)
    expect(
      series('m')
        .map((text) => text.replace(/instance="[^"]*:\/run/, 'instance="HOST:/run'))
        .sort(),
    ).toEqual([
      'm{instance="HOST:/run/m.sock", job="mysql"}',
      'm{instance="r1:6379", job="redis"}',
      'm{instance="r2:6379", job="cache", team="a"}',
    ])
    expect(scraper.targets().active.map(({ scrapePool, scrapeUrl }) => `${scrapePool} ${scrapeUrl}`)).toContain(
      'exporters/redis/r1:6379 http://localhost:80/p/exporters/redis/r1:6379/metrics',
    )
  })

  test('takes a new password from its file, and ends what a reload leaves out', async () => {
    writeFileSync(join(directory, 'pw'), 'first\n')
    start('{redis: {address: "r1:6379", password_file: pw}}')
    await clock.advance(10_000)
    // Reading the file takes real time.
    await expect.poll(() => events.length).toBe(1)
    writeFileSync(join(directory, 'pw'), 'second\n')
    // The next scrape is due once the last one has ended, which takes real time as well.
    await expect
      .poll(async () => {
        await clock.advance(10_000)
        return events.length
      })
      .toBe(3)
    expect(events).toEqual([
      'open {"address":"r1:6379","password":"first"} {}',
      'close',
      'open {"address":"r1:6379","password":"second"} {}',
    ])
    scraper.reload(parse('{redis: {address: "r1:6379", password_file: pw, labels: {a: b}}}'))
    expect(events).toHaveLength(3)
    scraper.reload(parse('{}'))
    expect(events.at(-1)).toBe('close')
    expect(embedded.list()).toEqual([])
    expect(scraper.targets().active).toEqual([])
  })

  test('is told as a warning where the program has no such exporter', () => {
    start('{redis: {}, nginx: {}}')
    expect(scraper.warnings()).toEqual([
      'exporter nginx/127.0.0.1:8080-stub_status is not started: the nginx exporter is not part of this program',
    ])
    start('{redis: {}}', false)
    expect(scraper.warnings()).toEqual(['exporter redis/localhost:6379 is not started: this program has no exporters in it'])
  })
})
