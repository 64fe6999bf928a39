import { startPrometheus, type Service } from '@narthex/test/kit/services'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { createAgent } from './agent.ts'
import type { Agent } from './agent.ts'
import { counterType, encodeFamilies, makeHistogram, protobufContentType } from './scrape/testdata/metric-families.ts'

let prometheus: Service
let target: Server
let agent: Agent
let directory: string
let answer: () => Buffer
let startMs: number
const registry = new Registry()

const exemplar = (id: string, value: number, timeMs: number) => ({
  label: [{ name: 'trace_id', value: id }],
  value,
  timestamp: { seconds: Math.floor(timeMs / 1000), nanos: (timeMs % 1000) * 1e6 },
})

/** Everything that a target with native histograms may show. */
function makeFamilies(): object[] {
  const histogram = makeHistogram('request_seconds', [3, 0, 5], { exemplars: [exemplar('native', 1.05, startMs)] })
  const counter = { value: 42, exemplar: exemplar('counted', 1, startMs + 1) }
  return [histogram, { name: 'requests_total', type: counterType, metric: [{ counter }] }]
}

beforeAll(async () => {
  startMs = Date.now()
  answer = () => encodeFamilies(makeFamilies())
  target = createServer((_request, response) => void response.writeHead(200, { 'content-type': protobufContentType }).end(answer()))
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve))
  prometheus = await startPrometheus({
    config: 'storage: {exemplars: {max_exemplars: 100}}\n',
    args: ['--enable-feature=native-histograms,exemplar-storage'],
  })
  directory = mkdtempSync(join(tmpdir(), 'narthex-histograms-'))
  const text = `
global: {scrape_interval: 300ms, scrape_timeout: 300ms}
scrape_configs:
- job_name: j
  scrape_native_histograms: true
  static_configs: [{targets: ['127.0.0.1:${(target.address() as AddressInfo).port}'], labels: {instance: i}}]
remote_write:
- url: ${prometheus.url}/api/v1/write
  name: r
  send_exemplars: true
  send_native_histograms: true
  queue_config: {batch_send_deadline: 50ms}
`
  const config = parsePrometheusConfig(text, { path: join(directory, 'p.yml'), mode: 'agent' })
  agent = createAgent({ config, storagePath: join(directory, 'data'), log: silentLogger, registry })
  agent.start()
})

afterAll(async () => {
  await agent.stop(0)
  await prometheus.stop()
  target.close()
  rmSync(directory, { recursive: true })
})

async function ask(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown[]> {
  const response = await fetch(`${prometheus.url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`)
  const { data } = (await response.json()) as { data: unknown[] | { result: unknown[] } }
  return Array.isArray(data) ? data : data.result
}

const query = (text: string) => ask('query', { query: text })

test('a native histogram arrives over 1.0 with its buckets, and the marker that ends it', { timeout: 25_000 }, async () => {
  await expect.poll(() => query('request_seconds'), { timeout: 15_000 }).toHaveLength(1)
  const [found] = (await query('request_seconds')) as {
    metric: object
    histogram: [number, { count: string; sum: string; buckets: unknown[] }]
  }[]
  expect(found!.metric).toEqual({ __name__: 'request_seconds', instance: 'i', job: 'j' })
  const [, histogram] = found!.histogram
  expect([histogram.count, histogram.sum]).toEqual(['8', '4'])
  // Bucket 1 of schema 3 ends at 2^(1/8), bucket 3 at 2^(3/8); the one between is empty.
  expect(histogram.buckets).toEqual([
    [0, '1', '1.0905077326652577', '3'],
    [0, '1.189207115002721', '1.2968395546510096', '5'],
  ])
  expect(await query('up{job="j"}')).toHaveLength(1)
  expect(await query('scrape_samples_scraped{job="j"} == 2')).toHaveLength(1)
  const sent = (name: string) =>
    registry
      .counter(`prometheus_remote_storage_histograms_${name}`, '', ['remote_name', 'url'])
      .labels('r', `${prometheus.url}/api/v1/write`)
  expect(sent('total').value).toBeGreaterThan(0)
  expect(sent('failed_total').value).toBe(0)

  answer = () => encodeFamilies(makeFamilies().slice(1))
  await expect.poll(() => query('request_seconds'), { timeout: 10_000 }).toEqual([])
  expect(await query('requests_total')).toHaveLength(1)
})

test('exemplars of counters and native histograms arrive once each', { timeout: 25_000 }, async () => {
  const askExemplars = () =>
    ask('query_exemplars', { query: '{job="j"}', start: String(startMs / 1000 - 60), end: String(startMs / 1000 + 600) })
  await expect.poll(askExemplars, { timeout: 15_000 }).toHaveLength(2)
  const found = (await askExemplars()) as { seriesLabels: { __name__: string }; exemplars: object[] }[]
  const byName = Object.fromEntries(found.map(({ seriesLabels, exemplars }) => [seriesLabels.__name__, exemplars]))
  expect(byName).toEqual({
    request_seconds: [{ labels: { trace_id: 'native' }, value: '1.05', timestamp: startMs / 1000 }],
    requests_total: [{ labels: { trace_id: 'counted' }, value: '1', timestamp: (startMs + 1) / 1000 }],
  })
})
