import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { RemoteWriteConfig } from '@narthex/config/remote-config'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { Labels } from '@narthex/model/labels'
import { createRelabelRule } from '@narthex/relabel/relabel-rule'
import { Registry } from '@narthex/service/metrics'
import type { SeriesLayout } from '../store/frame.ts'
import { LayoutBuilder } from '../store/layout-builder.ts'
import { nameRemotes } from './remote-storage.ts'
import type { RemoteStorage, RemoteStorageOptions } from './remote-storage.ts'
import { FakeRemote } from './testkit/fake-remote.ts'
import { remoteConfig, TestStorages } from './testkit/storage.ts'
import type { RemoteOverrides } from './testkit/storage.ts'

let storages: TestStorages
let registry: Registry

beforeEach(() => {
  storages = new TestStorages()
  registry = new Registry()
})

afterEach(async () => {
  vi.useRealTimers()
  await storages.end()
})

/** Timers go on only by `pass`. */
function holdTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

/** Lets the time pass, a millisecond after the other, until so many requests were made. */
async function passUntilRequests(remote: FakeRemote, count: number): Promise<void> {
  await expect
    .poll(async () => {
      await pass(1)
      return remote.requests.length
    })
    .toBe(count)
}

function configOf({ queue, ...overrides }: RemoteOverrides = {}): RemoteWriteConfig {
  return remoteConfig({
    metadata: { send: true, sendIntervalMs: 60_000, maxSamplesPerSend: 2000 },
    ...overrides,
    queue: { batchSendDeadlineMs: 10, maxBackoffMs: 20, ...queue },
  })
}

/** All storages of a test count in one registry. */
function openStorage(remotes: readonly [RemoteWriteConfig, FakeRemote][], options: Partial<RemoteStorageOptions> = {}): RemoteStorage {
  const posterOf = (config: RemoteWriteConfig): FakeRemote => remotes.find(([one]) => one === config)![1]
  return storages.open(
    remotes.map(([config]) => config),
    posterOf,
    { registry, ...options },
  )
}

function layoutOf(target: number, seriesCount: number): SeriesLayout {
  const builder = new LayoutBuilder()
  for (let i = 0; i < seriesCount; i++) {
    const family = { name: `m${i}`, type: 'counter', help: `Help ${i}.`, unit: '' } as const
    builder.addPairs(['__name__', `m${i}`, 'instance', `t${target}`], family)
  }
  return builder.build(target)
}

function scrape(storage: RemoteStorage, layout: SeriesLayout, timeMs: number, value = timeMs): void {
  const words = new Uint32Array(new Float64Array(layout.seriesCount).fill(value).buffer)
  storage.append({ layout, indexes: undefined, times: timeMs, words, count: layout.seriesCount })
}

function metricValue(name: string, ...having: string[]): number {
  const writer = new FamilyWriter()
  registry.write(writer)
  const lines = Buffer.from(writer.finish())
    .toString()
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && having.every((text) => line.includes(text)))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

describe('RemoteStorage', () => {
  test('sends what was appended as 2.0, with its headers, within the deadline', async () => {
    const remote = new FakeRemote()
    const storage = openStorage([[configOf({ headers: { 'X-Scope-OrgID': 'a', 'Content-Type': 'text/plain' } }), remote]])
    scrape(storage, layoutOf(1, 2), 1000, 1.5)
    await expect.poll(() => remote.stored.length).toBe(2)
    expect(remote.stored).toEqual([
      { series: '__name__=m0,instance=t1', timeMs: 1000, value: 1.5 },
      { series: '__name__=m1,instance=t1', timeMs: 1000, value: 1.5 },
    ])
    expect(remote.requests[0]!.headers).toEqual({
      'X-Scope-OrgID': 'a',
      'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
      'Content-Encoding': 'snappy',
      'User-Agent': 'narthex-test',
      'X-Prometheus-Remote-Write-Version': '2.0.0',
    })
    expect(metricValue('prometheus_remote_storage_samples_total')).toBe(2)
  })

  test('fills requests up to max_samples_per_send, across scrapes and within one', async () => {
    const remote = new FakeRemote()
    const storage = openStorage([[configOf({ queue: { maxSamplesPerSend: 7, batchSendDeadlineMs: 60_000 } }), remote]])
    for (let i = 0; i < 5; i++) scrape(storage, layoutOf(i, 5), 1000 + i)
    await expect.poll(() => remote.requests.map((request) => request.samples.length)).toEqual([7, 7, 7])
    await storages.close(storage, 5000)
    expect(remote.requests.map((request) => request.samples.length)).toEqual([7, 7, 7, 4])
    expect(new Set(remote.stored.map(({ series, timeMs }) => `${series} ${timeMs}`)).size).toBe(25)
  })

  test('adds external labels that the series has not, then applies write_relabel_configs', async () => {
    const remote = new FakeRemote()
    const dropM1 = createRelabelRule({ sourceLabels: ['__name__', 'zone'], regexText: 'm1;z', action: 'drop' })
    const storage = openStorage([[configOf({ writeRelabelConfigs: [dropM1] }), remote]], {
      externalLabels: Labels.from({ instance: 'never', zone: 'z' }),
    })
    scrape(storage, layoutOf(1, 3), 1000)
    await expect
      .poll(() => remote.stored.map(({ series }) => series))
      .toEqual(['__name__=m0,instance=t1,zone=z', '__name__=m2,instance=t1,zone=z'])
    expect(metricValue('prometheus_remote_storage_samples_dropped_total', 'reason="dropped_series"')).toBe(1)
  })

  test.each([
    ['415', () => ({ status: 415, headers: {} })],
    ['400 without written headers', () => ({ status: 400, headers: {} })],
    ['204 without written headers', () => ({ status: 204, headers: {} })],
    ['204 with nothing written', () => ({ status: 204, headers: { 'x-prometheus-remote-write-samples-written': '0' } })],
  ])('sends the same batch as 1.0 after a %s, and stays with 1.0', async (_what, answer2) => {
    const remote = new FakeRemote()
    remote.answer = (request) => (request.version === 2 ? answer2() : {})
    const storage = openStorage([[configOf(), remote]])
    scrape(storage, layoutOf(1, 2), 1000)
    await expect.poll(() => remote.requests.map(({ version }) => version)).toEqual([2, 1])
    expect(remote.requests[1]!.samples).toEqual(remote.requests[0]!.samples)
    expect(remote.requests[1]!.headers).toMatchObject({
      'Content-Type': 'application/x-protobuf',
      'X-Prometheus-Remote-Write-Version': '0.1.0',
    })
    scrape(storage, layoutOf(1, 2), 2000)
    await expect.poll(() => remote.requests.map(({ version }) => version)).toEqual([2, 1, 1])
    expect(metricValue('prometheus_remote_storage_samples_failed_total')).toBe(0)
  })

  test('stays with 2.0 after a 400 that says how much was written', async () => {
    const remote = new FakeRemote()
    remote.answer = (request) =>
      request.samples[0]!.timeMs === 1000 ? { status: 400, headers: { 'x-prometheus-remote-write-samples-written': '1' } } : {}
    const storage = openStorage([[configOf(), remote]])
    scrape(storage, layoutOf(1, 3), 1000)
    await expect.poll(() => metricValue('prometheus_remote_storage_samples_failed_total')).toBe(2)
    scrape(storage, layoutOf(1, 3), 2000)
    await expect.poll(() => remote.requests.map(({ version }) => version)).toEqual([2, 2])
    expect(metricValue('narthex_remote_storage_samples_lost_total', 'reason="rejected"')).toBe(2)
  })

  test.each([
    ['prometheus.WriteRequest', 1],
    ['io.prometheus.write.v2.Request', 2],
  ] as const)('never overrides an explicit %s', async (protobufMessage, version) => {
    const remote = new FakeRemote()
    remote.answer = () => ({ status: 415, headers: {} })
    const storage = openStorage([[configOf({ protobufMessage }), remote]])
    scrape(storage, layoutOf(1, 1), 1000)
    await expect.poll(() => metricValue('prometheus_remote_storage_samples_failed_total')).toBe(1)
    expect(remote.requests.map((request) => request.version)).toEqual([version])
  })

  test('repeats after broken connections and 5xx until delivered, and says so', async () => {
    const remote = new FakeRemote()
    remote.answer = (_request, attempt) => {
      if (attempt === 1) throw new Error('connect ECONNREFUSED')
      return attempt < 5 ? { status: 503 } : {}
    }
    const storage = openStorage([[configOf(), remote]])
    scrape(storage, layoutOf(1, 1), 1000)
    await expect.poll(() => remote.stored.length).toBe(1)
    expect(remote.requests.map(({ headers }) => headers['Retry-Attempt'])).toEqual([undefined, '1', '2', '3', '4'])
    expect(metricValue('prometheus_remote_storage_samples_retried_total')).toBe(4)
    expect(storages.logLines.join('')).toContain('connect ECONNREFUSED')
  })

  test('waits as long as Retry-After says after a 429', async () => {
    holdTimers()
    const remote = new FakeRemote()
    remote.answer = (_request, attempt) => (attempt === 1 ? { status: 429, headers: { 'retry-after': '1' } } : {})
    const storage = openStorage([[configOf(), remote]])
    scrape(storage, layoutOf(1, 1), 1000)
    await passUntilRequests(remote, 1)
    // Up to a millisecond of the second may have passed.
    await pass(998)
    expect(remote.requests).toHaveLength(1)
    await passUntilRequests(remote, 2)
    expect(remote.stored).toHaveLength(1)
  })

  test('holds on 403 and keeps the samples for the next start', async () => {
    holdTimers()
    const remote = new FakeRemote()
    remote.answer = () => ({ status: 403 })
    const storage = openStorage([[configOf(), remote]])
    scrape(storage, layoutOf(1, 1), 1000)
    await passUntilRequests(remote, 1)
    await expect.poll(() => metricValue('narthex_remote_storage_held')).toBe(1)
    scrape(storage, layoutOf(1, 1), 2000)
    await pass(1000)
    expect(remote.requests).toHaveLength(1)
    vi.useRealTimers()
    await storages.close(storage, 0)
    const healthy = new FakeRemote()
    openStorage([[configOf(), healthy]])
    await expect.poll(() => healthy.stored.map(({ timeMs }) => timeMs)).toEqual([1000, 2000])
  })

  test('gives a batch up after another 4xx, counts it, and goes on with the next', async () => {
    const remote = new FakeRemote()
    remote.answer = (request) => (request.samples[0]!.timeMs === 1000 ? { status: 422, body: Buffer.from('bad series\n') } : {})
    const storage = openStorage([[configOf(), remote]])
    scrape(storage, layoutOf(1, 4), 1000)
    await expect.poll(() => metricValue('narthex_remote_storage_samples_lost_total', 'reason="rejected"')).toBe(4)
    scrape(storage, layoutOf(1, 4), 2000)
    await expect.poll(() => remote.stored.length).toBe(4)
    expect(storages.logLines.join('')).toContain('bad series')
  })

  test('sends smaller requests after a 413', async () => {
    const remote = new FakeRemote()
    remote.answer = (request) => (request.samples.length > 100 ? { status: 413 } : {})
    const storage = openStorage([[configOf({ queue: { maxSamplesPerSend: 400, batchSendDeadlineMs: 5 } }), remote]])
    for (let i = 0; i < 20; i++) scrape(storage, layoutOf(i, 100), 1000)
    await expect
      .poll(() => remote.stored.length + metricValue('narthex_remote_storage_samples_lost_total', 'reason="too_large"'))
      .toBe(2000)
    expect(remote.requests.map(({ samples }) => samples.length).slice(0, 4)).toEqual([400, 200, 100, 100])
  })

  test('drops samples older than sample_age_limit', async () => {
    const remote = new FakeRemote()
    const storage = openStorage([[configOf({ queue: { sampleAgeLimitMs: 5000 } }), remote]], { now: () => 100_000 })
    scrape(storage, layoutOf(1, 1), 94_999)
    scrape(storage, layoutOf(1, 1), 95_000)
    await expect.poll(() => remote.stored.map(({ timeMs }) => timeMs)).toEqual([95_000])
    expect(metricValue('prometheus_remote_storage_samples_dropped_total', 'reason="too_old"')).toBe(1)
  })

  test('one dead remote does not hold up another', async () => {
    const dead = new FakeRemote()
    dead.answer = () => new Promise(() => undefined)
    const alive = new FakeRemote()
    const storage = openStorage([
      [configOf({ name: 'dead' }), dead],
      [configOf({ name: 'alive' }), alive],
    ])
    const layout = layoutOf(1, 3000)
    for (let i = 0; i < 20; i++) scrape(storage, layout, 1000 + i)
    await expect.poll(() => alive.stored.length).toBe(60_000)
    await storages.close(storage, 0)
    const revived = new FakeRemote()
    const other = new FakeRemote()
    openStorage([
      [configOf({ name: 'dead' }), revived],
      [configOf({ name: 'alive' }), other],
    ])
    await expect.poll(() => revived.stored.length).toBe(60_000)
    expect(other.stored).toEqual([])
  })

  test('keeps the order of every series with several shards and failures', async () => {
    const remote = new FakeRemote()
    let seed = 1
    remote.answer = async () => {
      seed = (seed * 48271) % 2147483647
      await new Promise((resolve) => setTimeout(resolve, seed % 4))
      return seed % 3 === 0 ? { status: 500 } : {}
    }
    const storage = openStorage([[configOf({ queue: { minShards: 4, maxSamplesPerSend: 50, capacity: 200 } }), remote]])
    const layouts = Array.from({ length: 10 }, (_, target) => layoutOf(target, 20))
    for (let i = 0; i < 20; i++) for (const layout of layouts) scrape(storage, layout, 1000 + i)
    await expect.poll(() => remote.stored.length, { timeout: 8000 }).toBe(4000)
    const last = new Map<string, number>()
    for (const { series, timeMs } of remote.stored) {
      expect(timeMs).toBe((last.get(series) ?? 999) + 1)
      last.set(series, timeMs)
    }
  })

  test('carries metadata once per interval with 2.0', async () => {
    const remote = new FakeRemote()
    let now = 0
    const storage = openStorage([[configOf({ queue: { maxSamplesPerSend: 2, batchSendDeadlineMs: 1 } }), remote]], { now: () => now })
    const layout = layoutOf(1, 2)
    for (const [timeMs, requests] of [
      [1000, 1],
      [2000, 2],
      [60_000, 3],
    ] as const) {
      now = timeMs
      scrape(storage, layout, timeMs)
      await expect.poll(() => remote.requests.length).toBe(requests)
    }
    const expected = ['__name__=m0,instance=t1 1 Help 0.', '__name__=m1,instance=t1 1 Help 1.']
    expect(remote.requests.map(({ metadata }) => metadata)).toEqual([expected, [], []])
    now = 61_000
    scrape(storage, layout, now)
    await expect.poll(() => remote.requests.length).toBe(4)
    expect(remote.requests[3]!.metadata).toEqual(expected)
  })

  test('sends metadata in requests of its own with 1.0', async () => {
    const remote = new FakeRemote()
    const metadata = { send: true, sendIntervalMs: 40, maxSamplesPerSend: 2 }
    const storage = openStorage([[configOf({ protobufMessage: 'prometheus.WriteRequest', metadata }), remote]])
    scrape(storage, layoutOf(1, 3), 1000)
    await expect
      .poll(() => remote.requests.flatMap((request) => (request.metadata.length > 0 ? [request.metadata] : [])))
      .toEqual([['m0 counter Help 0.', 'm1 counter Help 1.'], ['m2 counter Help 2.']])
    expect(metricValue('prometheus_remote_storage_metadata_total')).toBe(3)
  })

  test('sends everything within the grace of a stop, and does not send it again', async () => {
    const remote = new FakeRemote()
    const storage = openStorage([[configOf({ queue: { batchSendDeadlineMs: 60_000 } }), remote]])
    scrape(storage, layoutOf(1, 5), 1000)
    await storages.close(storage, 5000)
    expect(remote.stored).toHaveLength(5)
    const again = new FakeRemote()
    await storages.close(openStorage([[configOf(), again]]), 5000)
    expect(again.requests).toEqual([])
  })

  test('a reload loses nothing and repeats nothing that was delivered', async () => {
    const first = new FakeRemote()
    const config = configOf()
    const other = configOf({ queue: { minShards: 2 } })
    const second = new FakeRemote()
    const storage = openStorage(
      [
        [config, first],
        [other, second],
      ],
      { remotes: [config] },
    )
    first.answer = (request) => (request.samples[0]!.timeMs >= 1005 ? { status: 500 } : {})
    const layout = layoutOf(1, 10)
    for (let i = 0; i < 10; i++) {
      scrape(storage, layout, 1000 + i)
      if (i === 4) await expect.poll(() => first.stored.length).toBe(50)
    }
    await storage.applyConfig([other], Labels.from({ zone: 'b' }))
    await expect.poll(() => second.stored.length).toBe(50)
    expect(new Set(second.stored.map(({ timeMs }) => timeMs))).toEqual(new Set([1005, 1006, 1007, 1008, 1009]))
    expect(second.stored[0]!.series).toBe('__name__=m0,instance=t1,zone=b')
  })

  test('names remotes by their names, else by their URLs, each differently', () => {
    const names = nameRemotes([configOf({ name: 'mine' }), configOf(), configOf(), configOf({ url: 'http://other' })])
    expect(names[0]).toBe('mine')
    expect(names[2]).toBe(`${names[1]}-2`)
    expect(new Set(names).size).toBe(4)
  })
})
