import { silentLogger } from '@narthex/service/logger'
import { afterEach, expect, test, vi } from 'vitest'
import type { Collector } from './collector.ts'
import { findViolations } from './conformance.ts'
import { createExporter, type Exporter, type ExporterOptions } from './exporter.ts'

function collector(name: string, collect: Collector['collect'] = () => {}): Collector {
  return { name, defaultOn: true, collect }
}

function exporterOf(collectors: readonly Collector[], options: Partial<ExporterOptions> = {}): Exporter {
  return createExporter({
    program: 'test_exporter',
    buildInfo: { version: '1', revision: 'r', branch: 'b' },
    collectors,
    collectorNames: [...collectors.map(({ name }) => name), 'off'],
    scrapeFamilies: { durationName: 'test_scrape_collector_duration_seconds', successName: 'test_scrape_collector_success' },
    log: silentLogger,
    ...options,
  })
}

async function ask(exporter: Exporter, query = '', headers = {}): Promise<{ status: number; text: string }> {
  const { status, body } = await exporter.handleMetrics({ query: new URLSearchParams(query), headers })
  return { status, text: Buffer.from(body).toString() }
}

afterEach(() => {
  vi.useRealTimers()
})

test('an exporter conforms', async () => {
  expect(await findViolations(exporterOf([collector('a'), collector('b')]), { collector: 'a' })).toEqual([])
})

test('collect[] and exclude[] choose collectors, and wrong ones are answered in the original words', async () => {
  const exporter = exporterOf([collector('a'), collector('b')])
  const named = async (query: string): Promise<string[]> =>
    [...(await ask(exporter, query)).text.matchAll(/collector_success\{collector="(\w+)"\}/g)].map((match) => match[1]!)
  expect(await named('')).toEqual(['a', 'b'])
  expect(await named('collect[]=b')).toEqual(['b'])
  expect(await named('exclude[]=b&exclude[]=nothing')).toEqual(['a'])
  expect(await ask(exporter, 'collect[]=a&exclude[]=b')).toEqual({
    status: 400,
    text: 'Combined collect and exclude queries are not allowed.',
  })
  expect((await ask(exporter, 'collect[]=x')).text).toBe("Couldn't create filtered metrics handler: missing collector: x")
  expect((await ask(exporter, 'collect[]=off')).text).toBe("Couldn't create filtered metrics handler: disabled collector: off")
})

test('the 41st scrape at a time is refused with 503', async () => {
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  const exporter = exporterOf([collector('slow', () => gate)])
  const running = Array.from({ length: 40 }, () => ask(exporter))
  expect(await ask(exporter)).toEqual({ status: 503, text: 'Limit of concurrent requests reached (40), try again later.\n' })
  release()
  expect((await Promise.all(running)).every(({ status }) => status === 200)).toBe(true)
  const { text } = await ask(exporter)
  expect(text).toContain('promhttp_metric_handler_requests_total{code="200"} 40\n')
  expect(text).toContain('promhttp_metric_handler_requests_total{code="503"} 1\n')
  expect(text).toContain('promhttp_metric_handler_requests_in_flight 1\n')
})

test('never more scrapes run at a time than are allowed: one that waits has the next refused, those that wait for nothing come one after the other', async () => {
  let [running, most] = [0, 0]
  let release: (() => void) | undefined
  const collectors = [
    collector('quick', () => {
      most = Math.max(most, ++running)
      running--
    }),
    collector('waits', () => new Promise((resolve) => (release = resolve))),
  ]
  const exporter = exporterOf(collectors, { requestsMax: 1 })
  const first = ask(exporter)
  expect((await ask(exporter)).status).toBe(503)
  release?.()
  expect((await first).status).toBe(200)
  const statuses: number[] = []
  for (let i = 0; i < 5; i++) {
    // As requests come that were in the socket while the one before was answered.
    statuses.push((await ask(exporter, 'collect[]=quick')).status)
  }
  expect([statuses, most]).toEqual([[200, 200, 200, 200, 200], 1])
})

test('the scrape ends before the timeout that the client names', async () => {
  const exporter = exporterOf([collector('hung', () => new Promise(() => {}))])
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const answer = ask(exporter, '', { 'x-prometheus-scrape-timeout-seconds': '0.4' })
  await vi.advanceTimersByTimeAsync(390)
  const { text } = await answer
  expect(text).toContain('test_scrape_collector_success{collector="hung"} 0\n')
})

test('exporter metrics can be left out', async () => {
  const { text } = await ask(exporterOf([], { exporterMetricsDisabled: true }))
  expect(text).not.toMatch(/process_|promhttp_/)
  expect(text).toContain('test_exporter_build_info{')
})

test('a response is not overwritten by the next scrape', async () => {
  let count = 0
  const exporter = exporterOf([
    collector('count', ({ writer }) => {
      writer.family('count', 'Help.', 'gauge')
      writer.sample(count++)
    }),
  ])
  const first = await exporter.handleMetrics()
  const before = Buffer.from(first.body).toString()
  await exporter.handleMetrics()
  expect(Buffer.from(first.body).toString()).toBe(before)
})
