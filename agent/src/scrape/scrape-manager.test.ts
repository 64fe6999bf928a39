import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { createScraper } from '../scraper.ts'
import type { Scraper } from '../scraper.ts'
import { InProcessTargets } from './in-process.ts'
import type { InProcessAnswer } from './in-process.ts'
import { FakeClock, settle } from './testkit/fake-clock.ts'
import { RecordingSink } from './testkit/recording-sink.ts'

let clock: FakeClock
let sink: RecordingSink
let registry: Registry
let inProcess: InProcessTargets
let scraper: Scraper
let answers: Record<string, () => Partial<InProcessAnswer>>
let servers: Server[]

beforeEach(() => {
  clock = new FakeClock()
  sink = new RecordingSink()
  registry = new Registry()
  inProcess = new InProcessTargets()
  answers = {}
  servers = []
})

afterEach(async () => {
  await scraper.stop()
  for (const server of servers) server.close()
})

const parse = (yaml: string) => parsePrometheusConfig(yaml, { path: '/etc/prometheus.yml', mode: 'agent' })

/** One job `j` with these targets in process; `extra` are further lines of the scrape config. */
function config(targets: readonly string[], extra = '') {
  return parse(`
global: {scrape_interval: 10s, scrape_timeout: 5s}
scrape_configs:
- job_name: j
  static_configs: [{targets: [${targets.map((target) => `'${target}'`).join(', ')}]}]
${extra.replace(/^/gm, '  ')}
`)
}

function run(targets: readonly string[], extra = ''): void {
  for (const target of targets) {
    inProcess.register(target, '/metrics', () => {
      const answer = answers[target]?.() ?? { body: Buffer.from('') }
      return { status: 200, contentType: 'text/plain', body: Buffer.from(''), ...answer }
    })
  }
  scraper = createScraper({
    config: config(targets, extra),
    sink,
    log: silentLogger,
    registry,
    userAgent: 'test',
    inProcessTargets: inProcess,
    clock,
  })
  scraper.start()
}

const text = (body: string) => () => ({ body: Buffer.from(body) })
const of =
  (...names: string[]) =>
  (series: string) =>
    names.some((name) => series.startsWith(`${name}{`))
const values = (...names: string[]) => sink.take(of(...names)).map((line) => line.replace(/@.*/, ''))

describe('a job', () => {
  test('scrapes every interval and reports on each scrape', async () => {
    answers['a:1'] = text('m 1\nn 2\n')
    run(['a:1'])
    await clock.advance(10_000)
    expect(
      values(
        'm',
        'n',
        'up',
        'scrape_samples_scraped',
        'scrape_samples_post_metric_relabeling',
        'scrape_series_added',
        'scrape_duration_seconds',
      ),
    ).toEqual([
      'm{instance="a:1", job="j"} 1',
      'n{instance="a:1", job="j"} 2',
      'scrape_duration_seconds{instance="a:1", job="j"} 0',
      'scrape_samples_post_metric_relabeling{instance="a:1", job="j"} 2',
      'scrape_samples_scraped{instance="a:1", job="j"} 2',
      'scrape_series_added{instance="a:1", job="j"} 2',
      'up{instance="a:1", job="j"} 1',
    ])
    await clock.advance(30_000)
    const times = sink.samples.filter(({ series }) => series.startsWith('up')).map(({ timeMs }) => timeMs)
    expect(times).toHaveLength(3)
    expect(new Set([times[1]! - times[0]!, times[2]! - times[1]!])).toEqual(new Set([10_000]))
  })

  test('spreads its targets over the interval, each always at the same place', async () => {
    const targets = Array.from({ length: 20 }, (_, i) => `host-${i}:1`)
    run(targets)
    await clock.advance(20_000)
    const places = new Map<string, Set<number>>()
    for (const { series, timeMs } of sink.samples.filter((sample) => sample.series.startsWith('up'))) {
      places.set(series, (places.get(series) ?? new Set()).add(timeMs % 10_000))
    }
    expect([...places.values()].every((set) => set.size === 1)).toBe(true)
    expect(new Set([...places.values()].map((set) => Math.floor([...set][0]! / 1000))).size).toBeGreaterThan(5)
  })

  test('writes up 0 and ends the series when a body is malformed, with the reason on the target', async () => {
    answers['a:1'] = text('m 1\n')
    run(['a:1'])
    await clock.advance(10_000)
    sink.take()
    answers['a:1'] = text('m 1\nbad bad\n')
    await clock.advance(10_000)
    expect(values('m', 'up', 'scrape_samples_scraped')).toEqual([
      'm{instance="a:1", job="j"} stale',
      'scrape_samples_scraped{instance="a:1", job="j"} 1',
      'up{instance="a:1", job="j"} 0',
    ])
    const [target] = scraper.targets().active
    expect(target).toMatchObject({ health: 'down', scrapePool: 'j', scrapeUrl: 'http://a:1/metrics', scrapeIntervalMs: 10_000 })
    expect(target!.lastError).toBe('strconv.ParseFloat: parsing "bad": invalid syntax while parsing: "bad bad" (line 2)')
  })

  test('fails a target that sends no content type, unless a fallback is set', async () => {
    answers['a:1'] = () => ({ contentType: '', body: Buffer.from('m 1\n') })
    run(['a:1'])
    await clock.advance(10_000)
    expect(scraper.targets().active[0]!.lastError).toMatch(/^non-compliant scrape target sending blank Content-Type/)
    scraper.reload(config(['a:1'], 'fallback_scrape_protocol: PrometheusText0.0.4'))
    await clock.advance(10_000)
    expect(values('m')).toEqual(['m{instance="a:1", job="j"} 1'])
  })

  test('takes an empty body without a content type as an empty answer', async () => {
    answers['a:1'] = () => ({ contentType: '', body: Buffer.from('') })
    run(['a:1'])
    await clock.advance(10_000)
    expect(values('up')).toEqual(['up{instance="a:1", job="j"} 1'])
  })

  test('renames exposed labels that clash with the target, keeps them with honor_labels', async () => {
    answers['a:1'] = text('m{job="x",exported_job="y",instance=""} 1\n')
    run(['a:1'])
    await clock.advance(10_000)
    expect(values('m')).toEqual(['m{exported_exported_job="x", exported_job="y", instance="a:1", job="j"} 1'])
    scraper.reload(config(['a:1'], 'honor_labels: true'))
    await clock.advance(10_000)
    expect(values('m').filter((line) => !line.endsWith('stale'))).toEqual(['m{exported_job="y", instance="a:1", job="x"} 1'])
  })

  test('applies metric_relabel_configs to samples, not to the report', async () => {
    answers['a:1'] = text('m 1\ngo_x 2\n')
    run(['a:1'], `metric_relabel_configs: [{source_labels: [__name__], regex: 'go_.*|up', action: drop}]`)
    await clock.advance(10_000)
    expect(values('m', 'go_x', 'up', 'scrape_samples_scraped', 'scrape_samples_post_metric_relabeling')).toEqual([
      'm{instance="a:1", job="j"} 1',
      'scrape_samples_post_metric_relabeling{instance="a:1", job="j"} 1',
      'scrape_samples_scraped{instance="a:1", job="j"} 2',
      'up{instance="a:1", job="j"} 1',
    ])
  })

  test.each([
    ['sample_limit: 1', 'sample limit exceeded', 'sample_limit: 2'],
    ['label_limit: 3', 'label_limit exceeded (metric: long, number of labels: 4, limit: 3)', 'label_limit: 4'],
    [
      'label_name_length_limit: 7',
      'label_name_length_limit exceeded (metric: m, label name: __name__, length: 8, limit: 7)',
      'label_name_length_limit: 8',
    ],
    [
      'label_value_length_limit: 4',
      'label_value_length_limit exceeded (metric: long, label name: v, value: "12345", length: 5, limit: 4)',
      'label_value_length_limit: 5',
    ],
    ['body_size_limit: 22B', 'body size limit exceeded', 'body_size_limit: 23B'],
    ['target_limit: 1', 'target_limit exceeded (number of targets: 2, limit: 1)', 'target_limit: 2'],
  ])('fails at %s', async (limit, error, enough) => {
    answers['a:1'] = text('m 1\nlong{v="12345"} 3\n')
    answers['b:1'] = answers['a:1']
    run(['a:1', 'b:1'], limit)
    await clock.advance(10_000)
    expect(scraper.targets().active[0]!.lastError).toBe(error)
    scraper.reload(config(['a:1', 'b:1'], enough))
    await clock.advance(10_000)
    expect(scraper.targets().active[0]!.lastError).toBe('')
  })

  test('reports limits and body size when asked to', async () => {
    answers['a:1'] = text('m 1\n')
    run(['a:1'], 'extra_scrape_metrics: true\nsample_limit: 5')
    await clock.advance(10_000)
    expect(values('scrape_timeout_seconds', 'scrape_sample_limit', 'scrape_body_size_bytes')).toEqual([
      'scrape_body_size_bytes{instance="a:1", job="j"} 4',
      'scrape_sample_limit{instance="a:1", job="j"} 5',
      'scrape_timeout_seconds{instance="a:1", job="j"} 5',
    ])
  })

  test('ends a removed target after two intervals and a tenth, at the time of the scrape that did not come', async () => {
    answers['a:1'] = text('m 1\n')
    run(['a:1', 'b:1'])
    await clock.advance(10_000)
    const last = sink.samples.find(({ series }) => series.startsWith('m{'))!.timeMs
    sink.take()
    const removedMs = clock.now()
    scraper.reload(config(['b:1']))
    await clock.advance(last + 20_999 - removedMs)
    expect(values('m', 'up').filter((line) => line.includes('a:1'))).toEqual([])
    await clock.advance(1)
    const ended = sink.take((series) => series.includes('a:1'))
    expect(ended).toHaveLength(6)
    expect(ended[0]).toBe(`m{instance="a:1", job="j"} stale@${last + 10_000}`)
  })

  test('goes on with the series of a target that comes back in time', async () => {
    answers['a:1'] = text('m 1\n')
    run(['a:1'])
    await clock.advance(10_000)
    sink.take()
    scraper.reload(config([]))
    await clock.advance(5000)
    scraper.reload(config(['a:1']))
    await clock.advance(40_000)
    expect(new Set(values('m'))).toEqual(new Set(['m{instance="a:1", job="j"} 1']))
    expect(sink.layouts.size).toBe(1)
  })

  test('writes no stale markers when the process stops', async () => {
    answers['a:1'] = text('m 1\n')
    run(['a:1'])
    await clock.advance(10_000)
    sink.take()
    await scraper.stop()
    await clock.advance(100_000)
    expect(sink.take()).toEqual([])
    expect(clock.timerCount).toBe(0)
  })

  test('keeps layout and schedule of its targets over a reload that changes another job', async () => {
    answers['a:1'] = text('m 1\n')
    run(['a:1'])
    await clock.advance(20_000)
    scraper.reload(parse(`${config(['a:1']).text}\n- {job_name: k, static_configs: [{targets: ['b:1']}]}`))
    await clock.advance(20_000)
    expect(sink.samples.filter(({ series }) => series === 'm{instance="a:1", job="j"}').map(({ value }) => value)).toEqual([1, 1, 1, 1])
  })

  test('lists what relabeling dropped', async () => {
    run(['a:1', 'b:1'], `relabel_configs: [{source_labels: [__address__], regex: 'b.*', action: drop}]`)
    const { active, dropped, droppedCounts } = scraper.targets()
    expect(active.map(({ labels }) => labels.get('instance'))).toEqual(['a:1'])
    expect(dropped.map(({ discoveredLabels }) => discoveredLabels.get('__address__'))).toEqual(['b:1'])
    expect(droppedCounts).toEqual({ j: 1 })
  })
})

describe('a job that leaves the configuration', () => {
  const without = () => parse('scrape_configs: []')

  /** Samples that are not newer than the one before of their series. */
  function backwards(): string[] {
    const lastMs = new Map<string, number>()
    const found: string[] = []
    for (const { series, timeMs, value } of sink.samples) {
      if (timeMs <= (lastMs.get(series) ?? 0)) found.push(`${series} ${value}@${timeMs}`)
      lastMs.set(series, timeMs)
    }
    return found
  }

  const stale = () => sink.samples.filter(({ value }) => value === 'stale').map(({ series, timeMs }) => `${series}@${timeMs}`)

  test('ends its series after two intervals and a tenth, at the time of the scrape that did not come', async () => {
    answers['a:1'] = text('m 1\n')
    run(['a:1'])
    await clock.advance(10_000)
    const last = sink.samples.find(({ series }) => series.startsWith('m{'))!.timeMs
    scraper.reload(without())
    await clock.advance(last + 20_999 - clock.now())
    expect(stale()).toEqual([])
    await clock.advance(1)
    expect(stale()).toHaveLength(6)
    expect(stale()).toContain(`m{instance="a:1", job="j"}@${last + 10_000}`)
    expect(clock.timerCount).toBe(0)
  })

  test.each([1, 9_999, 10_001, 20_000])('and is back after %s ms goes on with its series, in order and on its schedule', async (goneMs) => {
    answers['a:1'] = text('m 1\n')
    run(['a:1'])
    await clock.advance(20_000)
    const last = sink.samples.at(-1)!.timeMs
    scraper.reload(without())
    // As late as it can be before the markers come.
    const left = last + 20_999 - clock.now()
    await clock.advance(Math.min(goneMs, left))
    scraper.reload(config(['a:1']))
    await clock.advance(60_000)
    expect([stale(), backwards()]).toEqual([[], []])
    expect(sink.layouts.size).toBe(1)
    const times = sink.samples.filter(({ series }) => series.startsWith('m{')).map(({ timeMs }) => timeMs)
    expect(new Set(times.map((timeMs) => Math.round(timeMs % 10_000))).size).toBe(1)
    expect(times.length).toBeGreaterThanOrEqual(6)
  })

  test('and is back ends what its targets do not have any more, and targets that are gone', async () => {
    answers['a:1'] = text('m 1\nold 1\n')
    answers['b:1'] = text('m 1\n')
    run(['a:1', 'b:1'])
    await clock.advance(20_000)
    const lastOf = (series: string) => sink.samples.findLast((sample) => sample.series === series)!.timeMs
    const last = lastOf('m{instance="b:1", job="j"}')
    scraper.reload(without())
    await clock.advance(5000)
    answers['a:1'] = text('m 1\n')
    scraper.reload(config(['a:1']))
    await clock.advance(60_000)
    expect(backwards()).toEqual([])
    const ended = stale()
    expect(ended).toHaveLength(1 + 6)
    expect(ended.filter((line) => line.startsWith('old{instance="a:1"'))).toHaveLength(1)
    expect(ended.filter((line) => line.includes('b:1'))).toHaveLength(6)
    expect(ended).toContain(`m{instance="b:1", job="j"}@${last + 10_000}`)
  })

  test('and is back under another path goes on with its series', async () => {
    answers['a:1'] = text('m 1\n')
    run(['a:1'])
    inProcess.register('a:1', '/other', () => ({ status: 200, contentType: 'text/plain', body: Buffer.from('m 1\n') }))
    await clock.advance(20_000)
    scraper.reload(without())
    await clock.advance(5000)
    scraper.reload(config(['a:1'], 'metrics_path: /other'))
    await clock.advance(60_000)
    expect([stale(), backwards()]).toEqual([[], []])
  })

  test('and is back with targets of another kind scrapes those', async () => {
    answers['a:1'] = text('m 1\n')
    run(['a:1'])
    await clock.advance(20_000)
    scraper.reload(without())
    await clock.advance(5000)
    scraper.reload(config(['a:1'], 'honor_labels: true\nbody_size_limit: 1B'))
    await clock.advance(20_000)
    expect(scraper.targets().active.map(({ lastError }) => lastError)).toEqual(['body size limit exceeded'])
    expect(backwards()).toEqual([])
  })

  test('twice ends its series once', async () => {
    answers['a:1'] = text('m 1\n')
    run(['a:1'])
    await clock.advance(20_000)
    for (let i = 0; i < 2; i++) {
      scraper.reload(without())
      await clock.advance(5000)
      scraper.reload(config(['a:1']))
      await clock.advance(5000)
    }
    scraper.reload(without())
    await clock.advance(60_000)
    expect(stale()).toHaveLength(6)
    expect(backwards()).toEqual([])
    expect(clock.timerCount).toBe(0)
    // Its series ended long ago: it begins anew.
    scraper.reload(config(['a:1']))
    await clock.advance(20_000)
    expect(backwards()).toEqual([])
    expect(sink.layouts.size).toBe(2)
  })

  test('writes no stale markers when the process stops meanwhile', async () => {
    answers['a:1'] = text('m 1\n')
    run(['a:1'])
    await clock.advance(20_000)
    scraper.reload(without())
    await scraper.stop()
    await clock.advance(100_000)
    expect(stale()).toEqual([])
    expect(clock.timerCount).toBe(0)
  })
})

describe('over HTTP', () => {
  async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    const server = createServer(handler)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async function untilScraped(): Promise<void> {
    await clock.advance(10_000)
    await expect.poll(() => sink.samples.length).toBeGreaterThan(0)
    await settle()
  }

  test('asks as Prometheus 3 does and reads a packed answer', async () => {
    let asked: IncomingMessage | undefined
    const address = await serve((request, response) => {
      asked = request
      response.writeHead(200, { 'content-type': 'application/openmetrics-text; version=1.0.0', 'content-encoding': 'gzip' })
      response.end(gzipSync('# TYPE m counter\nm_total 5\n# EOF\n'))
    })
    const extra =
      `metrics_path: /probe\nenable_compression: true\nparams: {module: [http, x], 'a b': ['c&d']}\n` +
      'relabel_configs: [{target_label: __param_module, replacement: tcp}]'
    run([], extra)
    scraper.reload(config([address], extra))
    await untilScraped()
    expect(values('m_total')).toEqual([`m_total{instance="${address}", job="j"} 5`])
    expect(asked!.url).toBe('/probe?a+b=c%26d&module=tcp&module=x')
    expect(asked!.headers).toMatchObject({
      accept:
        'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,' +
        'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'accept-encoding': 'gzip, zstd;q=0.9',
      'user-agent': 'test',
      'x-prometheus-scrape-timeout-seconds': '5',
    })
  })

  test('fails on any status but 200, in the words of Prometheus', async () => {
    const address = await serve((_request, response) => response.writeHead(503).end('m 1\n'))
    run([])
    scraper.reload(config([address]))
    await untilScraped()
    expect(values('up')).toEqual([`up{instance="${address}", job="j"} 0`])
    expect(scraper.targets().active[0]!.lastError).toBe('server returned HTTP status 503 Service Unavailable')
  })

  test('says that nobody listens as Go does', async () => {
    const address = await serve(() => {})
    await new Promise((resolve) => servers.pop()!.close(resolve))
    run([])
    scraper.reload(config([address]))
    await untilScraped()
    expect(scraper.targets().active[0]!.lastError).toBe(`Get "http://${address}/metrics": dial tcp ${address}: connect: connection refused`)
  })
})
