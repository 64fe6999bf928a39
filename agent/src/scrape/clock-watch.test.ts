import { afterEach, expect, test } from 'vitest'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { createScraper } from '../scraper.ts'
import type { Scraper } from '../scraper.ts'
import { clockJumpMsMin } from './clock-watch.ts'
import { InProcessTargets } from './in-process.ts'
import { FakeClock } from './testkit/fake-clock.ts'
import { RecordingSink } from './testkit/recording-sink.ts'

const hourMs = 3_600_000
let scraper: Scraper | undefined
afterEach(() => scraper?.stop())

function run(targetCount: number) {
  const clock = new FakeClock()
  const sink = new RecordingSink()
  const inProcess = new InProcessTargets()
  const lines: string[] = []
  const hosts = Array.from({ length: targetCount }, (_, i) => `h${i}:1`)
  const scrapes: { host: string; steadyMs: number }[] = []
  for (const host of hosts) {
    inProcess.register(host, '/metrics', () => {
      scrapes.push({ host, steadyMs: clock.elapsed() })
      return { status: 200, contentType: 'text/plain', body: Buffer.from('m 1\n') }
    })
  }
  const text = `{global: {scrape_interval: 10s}, scrape_configs: [{job_name: j, static_configs: [{targets: ['${hosts.join("','")}']}]}]}`
  const config = parsePrometheusConfig(text, { path: '/p.yml', mode: 'agent' })
  const log = createLogger({ write: (line) => void lines.push(line) })
  scraper = createScraper({ config, sink, log, registry: new Registry(), userAgent: 'test', inProcessTargets: inProcess, clock })
  scraper.start()
  return { clock, sink, lines, scrapes, scraper }
}

/** Steady milliseconds between the scrapes of each target. */
function gaps(scrapes: readonly { host: string; steadyMs: number }[]): number[] {
  const last = new Map<string, number>()
  return scrapes.flatMap(({ host, steadyMs }) => {
    const before = last.get(host)
    last.set(host, steadyMs)
    return before === undefined ? [] : [Math.round(steadyMs - before)]
  })
}

test.each([
  ['back an hour', -hourMs],
  ['forward an hour', hourMs],
  ['forward a year', 365 * 24 * hourMs],
  ['forward by a part of an interval', 3210],
  ['back by the least that counts', -clockJumpMsMin],
])('a clock that is set %s changes no interval and is told once', async (_name, jumpMs) => {
  const { clock, sink, lines, scrapes } = run(5)
  await clock.advance(25_000)
  sink.samples = []
  clock.setWallForward(jumpMs)
  await clock.advance(60_000)
  expect(new Set(gaps(scrapes))).toEqual(new Set([10_000]))
  expect(lines.filter((line) => line.includes('clock was set'))).toHaveLength(1)
  const times = sink.samples.filter(({ series }) => series.startsWith('up{instance="h0:1"')).map(({ timeMs }) => timeMs)
  expect(times).toHaveLength(6)
  expect(new Set(times.slice(1).map((time, i) => time - times[i]!))).toEqual(new Set([10_000]))
  // The timestamps are those of the new clock.
  expect(Math.abs(times.at(-1)! - clock.now())).toBeLessThanOrEqual(10_000)
})

test('a clock that is set while a target is removed ends its series at the time of the new clock', async () => {
  const { clock, sink, scraper } = run(1)
  await clock.advance(25_000)
  clock.setWallForward(-hourMs)
  scraper.reload(parsePrometheusConfig('{scrape_configs: []}', { path: '/p.yml', mode: 'agent' }))
  sink.samples = []
  await clock.advance(40_000)
  const stale = sink.samples.filter(({ value }) => value === 'stale')
  expect(stale.length).toBeGreaterThan(0)
  for (const { timeMs } of stale) expect(Math.abs(timeMs - clock.now())).toBeLessThanOrEqual(50_000)
})

test('a clock that is adjusted by less is followed without a word', async () => {
  const { clock, lines, scrapes } = run(1)
  await clock.advance(25_000)
  clock.setWallForward(clockJumpMsMin - 1)
  await clock.advance(60_000)
  expect(lines.filter((line) => line.includes('clock'))).toEqual([])
  expect(gaps(scrapes).every((gap) => gap > 8_900 && gap <= 10_000)).toBe(true)
})
