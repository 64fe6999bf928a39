import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { createScraper } from '../scraper.ts'
import type { Scraper } from '../scraper.ts'
import type { ScrapeBatch } from '../store/frame.ts'
import { InProcessTargets } from './in-process.ts'
import { FakeClock } from './testkit/fake-clock.ts'
import { readSeries, RecordingSink } from './testkit/recording-sink.ts'

/** Remembers under which target numbers each instance's batches came. */
class NumberSink extends RecordingSink {
  readonly numbers = new Map<string, Set<number>>()

  override append(batch: ScrapeBatch): void {
    const instance = readSeries(batch.layout)[0]!.get('instance')
    this.numbers.set(instance, (this.numbers.get(instance) ?? new Set()).add(batch.layout.target))
    super.append(batch)
  }
}

let clock: FakeClock
let sink: NumberSink
let scraper: Scraper
const bodies = new Map<string, string>()

beforeEach(() => {
  clock = new FakeClock()
  sink = new NumberSink()
  bodies.clear()
})

afterEach(() => scraper.stop())

function configOf(targets: readonly string[], extra = '') {
  return parsePrometheusConfig(
    `
global: {scrape_interval: 10s, scrape_timeout: 5s}
scrape_configs:
- job_name: j
  static_configs: [{targets: [${targets.map((target) => `'${target}'`).join(', ')}]}]
${extra.replace(/^/gm, '  ')}
`,
    { path: '/etc/prometheus.yml', mode: 'agent' },
  )
}

function start(targets: readonly string[], extra = ''): void {
  const inProcess = new InProcessTargets()
  for (const target of targets)
    for (const path of ['/metrics', '/other'])
      inProcess.register(target, path, () => ({
        status: 200,
        contentType: 'text/plain',
        body: Buffer.from(bodies.get(path) ?? 'm 1\n'),
      }))
  scraper = createScraper({
    config: configOf(targets, extra),
    sink,
    log: silentLogger,
    registry: new Registry(),
    userAgent: 'test',
    inProcessTargets: inProcess,
    clock,
  })
  scraper.start()
}

/** Each look at it is 4 ms later. */
class SlowClock extends FakeClock {
  #looks = 0

  override elapsed(): number {
    return super.elapsed() + 4 * this.#looks++
  }
}

const hosts = Array.from({ length: 30 }, (_, i) => `host-${i}:1`)

describe('the number of a target', () => {
  test('stays over reloads, restarts and another order, and is its own', async () => {
    start(hosts)
    await clock.advance(20_000)
    const first = new Map(sink.numbers)
    scraper.reload(configOf(hosts, 'metrics_path: /other\nhonor_labels: true'))
    await clock.advance(20_000)
    await scraper.stop()
    start(hosts.toReversed())
    await clock.advance(20_000)
    expect(sink.numbers).toEqual(first)
    expect([...first.values()].every((numbers) => numbers.size === 1)).toBe(true)
    const all = [...first.values()].flatMap((numbers) => [...numbers])
    expect(new Set(all).size).toBe(hosts.length)
    expect(all.every((number) => Number.isInteger(number) && number >= 0 && number < 2 ** 32)).toBe(true)
  })

  test('is another one when the labels are', async () => {
    start(['a:1'])
    await clock.advance(20_000)
    scraper.reload(configOf(['a:1'], 'relabel_configs: [{target_label: zone, replacement: z}]'))
    await clock.advance(20_000)
    expect(sink.numbers.get('a:1')!.size).toBe(2)
  })
})

test('a sync that takes long goes on in later turns of the event loop', async () => {
  clock = new SlowClock()
  start(hosts)
  const started = scraper.targets().active.length
  expect(started).toBeLessThan(hosts.length)
  const counts = [started]
  while (counts.at(-1)! < hosts.length) {
    await new Promise((resolve) => setImmediate(resolve))
    counts.push(scraper.targets().active.length)
  }
  expect(counts.length).toBeGreaterThan(3)
  expect(counts).toEqual([...counts].sort((a, b) => a - b))
})

describe('a reload', () => {
  test('with rules that drop or rename series ends those at the next scrape, and no others', async () => {
    bodies.set('/metrics', 'm 1\ndropped 1\nold 1\n')
    start(['a:1'])
    await clock.advance(20_000)
    sink.take()
    const rules = [
      "{source_labels: [__name__], regex: 'dropped', action: drop}",
      "{source_labels: [__name__], regex: 'old', target_label: __name__, replacement: new}",
    ]
    scraper.reload(configOf(['a:1'], `metric_relabel_configs: [${rules.join(', ')}]`))
    const written = async (): Promise<string[]> => {
      await clock.advance(10_000)
      return sink.take((series) => !/^(?:scrape_|up)/.test(series)).map((line) => line.replace(/\{.*\}/, '').replace(/@.*/, ''))
    }
    expect(await written()).toEqual(['dropped stale', 'm 1', 'new 1', 'old stale'])
    expect(await written()).toEqual(['m 1', 'new 1'])
  })

  test.each([
    ['the path', 'metrics_path: /other'],
    ['a parameter', 'params: {x: [y]}'],
  ])('that changes %s writes no sample of a series out of order', async (_what, extra) => {
    start(['a:1'])
    bodies.set('/metrics', 'm 1\ngone 1\n')
    await clock.advance(20_000)
    scraper.reload(configOf(['a:1'], extra))
    bodies.set('/metrics', 'm 1\n')
    await clock.advance(60_000)
    const lastMs = new Map<string, number>()
    const backwards: string[] = []
    for (const { series, timeMs, value } of sink.samples) {
      if (timeMs <= (lastMs.get(series) ?? 0)) backwards.push(`${series} ${value}`)
      lastMs.set(series, timeMs)
    }
    expect(backwards).toEqual([])
    // What the new answer does not have ends all the same.
    const ends = sink.samples.filter(({ value }) => value === 'stale').map(({ series }) => series.replace(/\{.*/, ''))
    expect(ends).toEqual(['gone'])
  })

  test('that takes the same target away and brings it back under another path goes on with its series', async () => {
    start(['a:1'])
    await clock.advance(20_000)
    scraper.reload(configOf([]))
    await clock.advance(5_000)
    scraper.reload(configOf(['a:1'], 'metrics_path: /other'))
    await clock.advance(60_000)
    expect(sink.samples.filter(({ value }) => value === 'stale')).toEqual([])
  })
})
