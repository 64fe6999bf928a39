import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeRemote, type ReceivedSample } from '@narthex/agent/send/testkit/fake-remote'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import {
  customHistogramSamplesRecord,
  exemplarsRecord,
  floatHistogramSamplesRecord,
  histogramSamplesRecord,
  metadataRecord,
  samplesV2Record,
  segmentName,
} from '@narthex/tsdb/wal/wal-format'
import type { LoggedHistogram } from '@narthex/tsdb/wal/histogram-payload'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LogSenders } from './log-senders.ts'
import { TestLog, wordsOf } from './log.test-writer.ts'

let directory: string
let log: TestLog
let remotes: Map<string, FakeRemote>
let registry: Registry
let lines: string[]
const open: LogSenders[] = []
let startSegment: number

const nowMs = 1_700_000_000_000
const queue = 'queue_config: {batch_send_deadline: 5ms, min_backoff: 1ms, max_backoff: 5ms}'

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-send-'))
  log = new TestLog(directory)
  remotes = new Map()
  lines = []
  startSegment = 0
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((senders) => senders.close(0)))
  rmSync(directory, { recursive: true })
})

function createSenders(): LogSenders {
  registry = new Registry()
  const senders = new LogSenders({
    directory,
    startSegment,
    isFromStart: true,
    createPoster: ({ name }) => remoteOf(name!),
    registry,
    logger: createLogger({ write: (line) => lines.push(line), source: '' }),
    userAgent: 'test',
    placeIntervalMs: 10,
  })
  open.push(senders)
  return senders
}

function remoteOf(name: string): FakeRemote {
  const remote = remotes.get(name) ?? new FakeRemote()
  remotes.set(name, remote)
  return remote
}

function apply(senders: LogSenders, ...entries: string[]): Promise<void> {
  const remoteWrites = entries.map((entry) => `{url: http://a/w, ${entry.includes('queue_config') ? '' : `${queue}, `}${entry}}`)
  const text = `global: {external_labels: {site: north}}\nremote_write: [${remoteWrites.join(', ')}]`
  const { remoteWrite, global } = parsePrometheusConfig(text, { path: 'prometheus.yml', mode: 'server' })
  return senders.apply(remoteWrite, global.externalLabels)
}

async function stop(senders: LogSenders, graceMs = 1_000): Promise<void> {
  open.splice(open.indexOf(senders), 1)
  await senders.close(graceMs)
}

/** The value of a metric of remote `name`, with this reason if one is given; undefined if it is not there. */
function metric(family: string, name: string, reason?: string): number | undefined {
  const writer = new FamilyWriter()
  registry.write(writer)
  const start = `${family}{remote_name="${name}",url="http://a/w"${reason === undefined ? '' : `,reason="${reason}"`}} `
  const line = Buffer.from(writer.finish())
    .toString()
    .split('\n')
    .find((one) => one.startsWith(start))
  return line === undefined ? undefined : Number(line.slice(start.length))
}

function values(name: string): number[] {
  return remoteOf(name).stored.map(({ value }) => value)
}

function text({ series, timeMs, value }: ReceivedSample): string {
  return `${series} ${timeMs - nowMs} ${value}`
}

const poll = { timeout: 5_000, interval: 10 }

describe('the log on its way', () => {
  test('each remote gets what is in the log, with external labels and by its own rules', async () => {
    log.series({ 1: ['__name__', 'a', 'site', 'south'], 2: ['__name__', 'b'] })
    log.samples([1, nowMs, 1], [2, nowMs, 2])
    const senders = createSenders()
    await apply(senders, 'name: x', 'name: y, write_relabel_configs: [{source_labels: [__name__], regex: b, action: drop}]')
    log.samples([1, nowMs + 1, 3], [2, nowMs + 1, 4])
    await expect.poll(() => values('x'), poll).toEqual([1, 2, 3, 4])
    expect(remoteOf('x').stored.map(text)).toEqual([
      '__name__=a,site=south 0 1',
      '__name__=b,site=north 0 2',
      '__name__=a,site=south 1 3',
      '__name__=b,site=north 1 4',
    ])
    await expect.poll(() => values('y'), poll).toEqual([1, 3])
    expect(metric('prometheus_remote_storage_samples_dropped_total', 'y', 'dropped_series')).toBe(2)
    expect(metric('prometheus_remote_storage_samples_total', 'x')).toBe(4)
  })

  test('1.0 and 2.0 carry histograms, exemplars, start times and metadata', async () => {
    const senders = createSenders()
    senders.setFamilies([{ name: 'c', type: 'counter', help: 'Of c.', unit: '' }])
    log.series({ 1: ['__name__', 'c_total'], 2: ['__name__', 'h'], 3: ['__name__', 'g'], 4: ['__name__', 'n'] })
    log.record(metadataRecord, (builder) => builder.addMetadata(3, { type: 'gauge', help: 'Of g.', unit: 'bytes' }))
    log.record(samplesV2Record, (builder) => {
      builder.addSample(3, nowMs, ...wordsOf(7))
      builder.addSample(1, nowMs, ...wordsOf(5), nowMs - 1_000)
    })
    log.record(exemplarsRecord, (builder) => {
      builder.addExemplar(1, nowMs - 1, ...wordsOf(0.5), ['trace', 'abc'])
      builder.addExemplar(2, nowMs - 1, ...wordsOf(0.25), ['trace', 'def'])
    })
    log.record(histogramSamplesRecord, (builder) => builder.addHistogram(2, nowMs, histogram(false)))
    log.record(floatHistogramSamplesRecord, (builder) => builder.addHistogram(2, nowMs + 1, histogram(true)))
    log.record(histogramSamplesRecord, (builder) => builder.addHistogram(2, nowMs + 2, histogram(false, { isStale: true })))
    log.record(customHistogramSamplesRecord, (builder) => builder.addHistogram(4, nowMs + 3, histogram(false, { customValues: [1, 2] })))
    const all = 'send_exemplars: true, send_native_histograms: true, metadata_config: {send_interval: 50ms}'
    await apply(
      senders,
      `name: two, ${all}, protobuf_message: io.prometheus.write.v2.Request`,
      `name: one, ${all}, protobuf_message: prometheus.WriteRequest`,
    )
    for (const [name, hasStartTimes, histograms] of [
      ['two', true, 4],
      ['one', false, 3],
    ] as const) {
      await expect.poll(() => remoteOf(name).requests.flatMap((request) => request.histograms), poll).toHaveLength(histograms)
      const requests = remoteOf(name).requests.filter(({ samples }) => samples.length > 0)
      const { samples, exemplars } = requests[0]!
      const start = hasStartTimes ? { startTimeMs: nowMs - 1_000 } : {}
      expect(samples).toEqual([
        { series: '__name__=g,site=north', timeMs: nowMs, value: 7 },
        { series: '__name__=c_total,site=north', timeMs: nowMs, value: 5, ...start },
      ])
      expect(exemplars).toEqual([
        { series: '__name__=c_total,site=north', labels: 'trace=abc', value: 0.5, timeMs: nowMs - 1 },
        { series: '__name__=h,site=north', labels: 'trace=def', value: 0.25, timeMs: nowMs - 1 },
      ])
      const received = remoteOf(name).requests.flatMap((request) => request.histograms)
      expect(received.map(({ timestampMs, isStale }) => [timestampMs - nowMs, isStale]).slice(0, 3)).toEqual([
        [0, false],
        [1, false],
        [2, true],
      ])
      expect(received.map(({ histogram: { isFloat } }) => isFloat).slice(0, 3)).toEqual([false, true, false])
      expect(received[0]!.histogram).toMatchObject({ schema: 3, sum: 12.5, count: 9, positiveDeltas: [1, 2, -1] })
      expect(received[1]!.histogram).toMatchObject({ positiveCounts: [1, 3, 2] })
    }
    expect(remoteOf('two').requests.flatMap(({ histograms }) => histograms)[3]!.histogram.customValues).toEqual([1, 2])
    await expect
      .poll(
        () =>
          remoteOf('one')
            .requests.flatMap(({ metadata }) => metadata)
            .toSorted(),
        poll,
      )
      .toEqual(expect.arrayContaining(['c counter Of c.', 'g gauge Of g.']))
    expect(
      remoteOf('two')
        .requests.flatMap(({ metadata }) => metadata)
        .join(' '),
    ).toBe('__name__=g,site=north 2 Of g. __name__=c_total,site=north 1 Of c.')
  })

  test('samples of a series that no record names are counted, and so are exemplars without a sample', async () => {
    log.series({ 1: ['__name__', 'a'] })
    const senders = createSenders()
    await apply(senders, 'name: x, send_exemplars: true')
    log.record(exemplarsRecord, (builder) => builder.addExemplar(1, nowMs, 0, 0, []))
    log.samples([9, nowMs, 1])
    const reason = 'unintentionally_dropped_series'
    await expect.poll(() => metric('prometheus_remote_storage_samples_dropped_total', 'x', reason), poll).toBe(1)
    await expect.poll(() => metric('prometheus_remote_storage_exemplars_dropped_total', 'x', reason), poll).toBe(1)
    expect(metric('narthex_remote_storage_samples_lost_total', 'x', 'unknown_series')).toBe(1)
  })

  test('a series that is sent by several shards keeps its order, whatever comes between', async () => {
    const labels = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [i + 1, ['__name__', 'm', 'i', String(i).padStart(4, '0')]]))
    log.series(labels)
    const senders = createSenders()
    remoteOf('x').answer = async ({ samples }) => {
      await new Promise((resolve) => setTimeout(resolve, samples.length % 7))
      return {}
    }
    await apply(senders, 'name: x, queue_config: {min_shards: 4, max_samples_per_send: 500, batch_send_deadline: 5ms}')
    for (let round = 1; round <= 10; round++) {
      log.samples(...Array.from({ length: 3_000 }, (_, i) => [((i * 7) % 3_000) + 1, nowMs + round, round] as const))
    }
    await expect.poll(() => values('x').length, poll).toBe(30_000)
    const last = new Map<string, number>()
    for (const { series, value } of remoteOf('x').stored) {
      expect(value).toBe((last.get(series) ?? 0) + 1)
      last.set(series, value)
    }
    expect(last.size).toBe(3_000)
  })

  test('a remote that does not answer leaves the log where it is', async () => {
    log.series({ 1: ['__name__', 'a'] })
    const senders = createSenders()
    remoteOf('x').answer = () => new Promise(() => undefined)
    await apply(senders, 'name: x, queue_config: {capacity: 100, max_samples_per_send: 10, batch_send_deadline: 5ms}')
    for (let i = 0; i < 100; i++) log.samples(...Array.from({ length: 1_000 }, (_, k) => [1, nowMs + i * 1_000 + k, k] as const))
    await expect.poll(() => senders.status()[0]!.pendingBytes, poll).toBeGreaterThan(100_000)
    expect(senders.neededSegment).toBe(0)
    log.nextSegment()
    log.samples([1, nowMs + 200_000, 1])
    expect(senders.neededSegment).toBe(0)
  })
})

describe('the place of a remote', () => {
  test('a new process goes on where the last one stopped, with the series of older segments', async () => {
    log.series({ 1: ['__name__', 'a'] })
    log.samples([1, nowMs, 1])
    const first = createSenders()
    await apply(first, 'name: x')
    await expect.poll(() => values('x'), poll).toEqual([1])
    await stop(first)
    log.samples([1, nowMs + 1, 2])
    log.nextSegment()
    startSegment = 1
    log.series({ 2: ['__name__', 'b'] })
    log.samples([1, nowMs + 2, 3], [2, nowMs + 2, 4])
    await apply(createSenders(), 'name: x')
    await expect.poll(() => values('x'), poll).toEqual([1, 2, 3, 4])
    expect(remoteOf('x').stored.map(({ series }) => series)).toEqual([...Array(3).fill('__name__=a,site=north'), '__name__=b,site=north'])
  })

  test('a process that died sends again what was not known to be delivered, and nothing is missing', async () => {
    log.series({ 1: ['__name__', 'a'] })
    log.samples([1, nowMs, 1])
    const first = createSenders()
    await apply(first, 'name: x')
    await expect.poll(() => readPlace('x'), poll).toMatchObject(log.end)
    const stored = readFileSync(placePath('x'))
    remoteOf('x').answer = () => ({ status: 503 })
    for (let i = 2; i <= 20; i++) log.samples([1, nowMs + i, i])
    await expect.poll(() => remoteOf('x').requests.length, poll).toBeGreaterThan(3)
    // What the dead one would have stored after its death is taken back.
    await stop(first, 0)
    writeFileSync(placePath('x'), stored)
    remoteOf('x').answer = () => ({})
    await apply(createSenders(), 'name: x')
    await expect.poll(() => values('x'), poll).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  })

  test('a reload keeps the places of changed remotes, begins new ones now and forgets removed ones', async () => {
    log.series({ 1: ['__name__', 'a'] })
    log.samples([1, nowMs, 1])
    const senders = createSenders()
    await apply(senders, 'name: x', 'name: y')
    await expect.poll(() => [values('x'), values('y')], poll).toEqual([[1], [1]])
    remoteOf('x').answer = () => ({ status: 503 })
    log.samples([1, nowMs + 1, 2])
    await expect.poll(() => values('y'), poll).toEqual([1, 2])
    await expect.poll(() => remoteOf('x').requests.length, poll).toBeGreaterThan(1)
    remoteOf('x').answer = () => ({})
    await apply(senders, 'name: x, send_exemplars: true', 'name: z')
    log.samples([1, nowMs + 2, 3])
    await expect.poll(() => values('x'), poll).toEqual([1, 2, 3])
    await expect.poll(() => values('z'), poll).toEqual([3])
    expect(values('y')).toEqual([1, 2])
    expect(readdirSync(join(directory, 'remote_write')).filter((name) => name.startsWith('y'))).toEqual([])
    await apply(senders, 'name: x, send_exemplars: true', 'name: y')
    log.samples([1, nowMs + 3, 4])
    await expect.poll(() => values('y'), poll).toEqual([1, 2, 4])
  })

  test('a place behind the end of the log, as after the loss of its files, is told and not waited for', async () => {
    mkdirSync(join(directory, 'remote_write'), { recursive: true })
    writeFileSync(placePath('x'), '{"version":1,"remote":"x","segment":1,"offset":0}')
    log.series({ 1: ['__name__', 'a'] })
    log.samples([1, nowMs, 1])
    await apply(createSenders(), 'name: x')
    await expect.poll(() => values('x'), poll).toEqual([1])
    expect(lines.join('')).toContain('is not in the write-ahead log')
  })

  test('a file that is no place is told, and the remote begins with this process', async () => {
    log.series({ 1: ['__name__', 'a'] })
    log.samples([1, nowMs, 1])
    log.nextSegment()
    startSegment = 1
    log.samples([1, nowMs + 1, 2])
    for (const content of ['', '{"version":1,"remote":"x","segment":-1,"offset":0}', '[]', 'null']) {
      mkdirSync(join(directory, 'remote_write'), { recursive: true })
      writeFileSync(placePath('x'), content)
      lines = []
      remotes = new Map()
      const senders = createSenders()
      expect(lines.join('')).toContain('cannot read place')
      await apply(senders, 'name: x')
      await expect.poll(() => values('x'), poll).toEqual([2])
      await stop(senders)
    }
  })
})

describe('what the log does not keep', () => {
  test('what a remote is too far behind for is given up, counted by number, and series stay known', async () => {
    log.series({ 1: ['__name__', 'a'] })
    const senders = createSenders()
    remoteOf('x').answer = () => ({ status: 503 })
    await apply(
      senders,
      'name: x, queue_config: {capacity: 1, max_samples_per_send: 1, batch_send_deadline: 5ms, min_backoff: 1ms, max_backoff: 5ms}',
    )
    log.samples([1, nowMs, 1])
    await expect.poll(() => remoteOf('x').requests.length, poll).toBeGreaterThan(0)
    log.nextSegment()
    log.series({ 2: ['__name__', 'b'] })
    log.samples([1, nowMs + 1, 2], [2, nowMs + 1, 3])
    await expect.poll(() => senders.status()[0]!.pendingBytes, poll).toBe(0)
    log.samples([1, nowMs + 2, 4])
    log.nextSegment()
    log.samples([1, nowMs + 3, 5], [2, nowMs + 3, 6])
    expect(senders.neededSegment).toBe(0)
    await senders.giveUpBefore(2)
    expect(senders.neededSegment).toBe(2)
    remoteOf('x').answer = () => ({})
    await expect.poll(() => values('x').slice(-2), poll).toEqual([5, 6])
    const lost = metric('narthex_remote_storage_samples_lost_total', 'x', 'storage_cap')!
    expect(lost).toBeGreaterThan(0)
    expect(lost + values('x').length).toBe(6)
    expect(lines.join('')).toContain('samples were lost')
  })

  test('segments that are gone are told as a loss of an unknown number', async () => {
    log.series({ 1: ['__name__', 'a'] })
    log.samples([1, nowMs, 1])
    const first = createSenders()
    await apply(first, 'name: x')
    await expect.poll(() => values('x'), poll).toEqual([1])
    await stop(first)
    log.nextSegment()
    log.samples([1, nowMs + 1, 2])
    log.nextSegment()
    startSegment = 2
    log.samples([1, nowMs + 2, 3])
    mkdirSync(join(log.directory, 'checkpoint.00000001'))
    renameSync(join(log.directory, segmentName(0)), join(log.directory, 'checkpoint.00000001', segmentName(0)))
    rmSync(join(log.directory, segmentName(1)))
    await apply(createSenders(), 'name: x')
    await expect.poll(() => values('x'), poll).toEqual([1, 3])
    expect(lines.join('')).toMatch(/samples were lost.*remote_name=x reason=storage_cap frames=1 samples=unknown/)
    expect(metric('narthex_remote_storage_frames_lost_total', 'x', 'storage_cap')).toBe(1)
  })
})

function histogram(isFloat: boolean, options: { isStale?: boolean; customValues?: readonly number[] } = {}): LoggedHistogram {
  const { isStale = false, customValues = [] } = options
  return {
    histogram: {
      schema: customValues.length > 0 ? -53 : 3,
      isFloat,
      count: 9,
      sum: isStale ? NaN : 12.5,
      zeroThreshold: 0,
      zeroCount: 0,
      positiveSpans: [{ offset: 0, length: 3 }],
      negativeSpans: [],
      positiveDeltas: isFloat ? [] : [1, 2, -1],
      negativeDeltas: [],
      positiveCounts: isFloat ? [1, 3, 2] : [],
      negativeCounts: [],
      customValues,
      isGauge: false,
    },
    resetHint: 0,
    sumLow: isStale ? 2 : 0,
    sumHigh: isStale ? 0x7ff00000 : 0x40290000,
  }
}

function placePath(name: string): string {
  return join(directory, 'remote_write', `${name}.place`)
}

function readPlace(name: string): unknown {
  try {
    return JSON.parse(readFileSync(placePath(name), 'utf8'))
  } catch {
    return undefined
  }
}
