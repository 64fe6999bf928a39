import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { Labels } from '@narthex/model/labels'
import { applyRelabel } from '@narthex/relabel/relabel'
import { createRelabelRule } from '@narthex/relabel/relabel-rule'
import { silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { afterEach, describe, expect, test } from 'vitest'
import { createScraper } from '../scraper.ts'
import type { Scraper } from '../scraper.ts'
import { InProcessTargets } from './in-process.ts'
import { isOfShard } from './target-shard.ts'
import type { TargetShard } from './target-shard.ts'
import { FakeClock } from './testkit/fake-clock.ts'
import { RecordingSink } from './testkit/recording-sink.ts'

const addresses = Array.from({ length: 10_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:9100`)

const scrapers: Scraper[] = []
afterEach(() => Promise.all(scrapers.splice(0).map((scraper) => scraper.stop())))

/** Resolves when all `total` targets are found, wherever they belong. */
async function start(yaml: string, total: number, shard?: TargetShard, inProcess = new InProcessTargets()): Promise<Scraper> {
  const scraper = createScraper({
    config: parsePrometheusConfig(yaml, { path: 'p.yml', mode: 'agent' }),
    sink: new RecordingSink(),
    log: silentLogger,
    registry: new Registry(),
    userAgent: 'test',
    inProcessTargets: inProcess,
    clock: new FakeClock(),
    ...(shard === undefined ? {} : { shard }),
  })
  scrapers.push(scraper)
  scraper.start()
  // A large sync goes on in later turns of the event loop.
  await expect.poll(() => countAll(scraper), { timeout: 10_000, interval: 10 }).toBe(total)
  return scraper
}

function countAll(scraper: Scraper): number {
  const { active, droppedCounts, otherShardCounts } = scraper.targets()
  const counts = [...Object.values(droppedCounts), ...Object.values(otherShardCounts)]
  return counts.reduce((sum, count) => sum + count, active.length)
}

const urls = (scraper: Scraper): string[] => scraper.targets().active.map(({ scrapeUrl }) => scrapeUrl)
const targets = (list: readonly string[]): string => `[${list.map((address) => `'${address}'`).join(',')}]`

describe('with three shards', () => {
  const shards = [0, 1, 2].map((index) => ({ index, count: 3 }))

  test('each of 10,000 targets is scraped by exactly one agent, the work being shared within 5 %', async () => {
    const yaml = `scrape_configs: [{job_name: j, static_configs: [{targets: ${targets(addresses)}}]}]`
    const running = await Promise.all(shards.map((shard) => start(yaml, 10_000, shard)))
    const all = running.flatMap(urls)
    expect(all).toHaveLength(10_000)
    expect(new Set(all).size).toBe(10_000)
    for (const scraper of running) {
      const own = urls(scraper).length
      expect(Math.abs(own - 10_000 / 3)).toBeLessThan((10_000 / 3) * 0.05)
      expect(scraper.targets()).toMatchObject({ dropped: [], droppedCounts: { j: 0 }, otherShardCounts: { j: 10_000 - own } })
    }
  })

  test('the labels after relabelling decide, and what relabelling drops is counted as dropped', async () => {
    const rules = `relabel_configs:
    - {source_labels: [__address__], regex: '.*[05]:9100', action: drop}
    - {target_label: __address__, replacement: 'proxy:80'}
    - {source_labels: [zone], target_label: __metrics_path__, replacement: '/$1'}`
    const groups = ['a', 'b', 'c', 'd'].map((zone) => `{targets: ['${zone}1:9100', '${zone}5:9100'], labels: {zone: ${zone}}}`)
    const yaml = `scrape_configs:\n  - job_name: j\n    static_configs: [${groups.join(', ')}]\n    ${rules}\n`
    const running = await Promise.all(shards.map((shard) => start(yaml, 8, shard)))
    expect(running.flatMap(urls).sort()).toEqual(['a', 'b', 'c', 'd'].map((zone) => `http://proxy:80/${zone}`))
    for (const scraper of running) expect(scraper.targets().droppedCounts).toEqual({ j: 4 })
  })

  test('__tmp_hash keeps targets together', async () => {
    const yaml = `scrape_configs:
  - job_name: j
    static_configs: [{targets: ${targets(addresses.slice(0, 30))}}]
    relabel_configs: [{target_label: __tmp_hash, replacement: same}]
`
    const running = await Promise.all(shards.map((shard) => start(yaml, 30, shard)))
    expect(running.map((scraper) => urls(scraper).length).sort((a, b) => a - b)).toEqual([0, 0, 30])
  })

  test('what only this machine has is scraped by its agent: exporters in the process and local services', async () => {
    const inProcess = new InProcessTargets()
    for (let i = 0; i < 10; i++) {
      inProcess.register('127.0.0.1:9090', `/exporters/redis/${i}/metrics`, () => ({ status: 200, contentType: '', body: Buffer.from('') }))
    }
    const own = Array.from(
      { length: 10 },
      (_, i) => `{targets: ['127.0.0.1:9090'], labels: {__metrics_path__: /exporters/redis/${i}/metrics}}`,
    )
    const local = Array.from({ length: 10 }, (_, i) => `{targets: ['127.0.0.1:${9100 + i}'], labels: {__meta_local_service: node}}`)
    const yaml = `scrape_configs: [{job_name: j, static_configs: [${[...own, ...local].join(', ')}]}]`
    for (const shard of shards) expect(urls(await start(yaml, 20, shard, inProcess))).toHaveLength(20)
  })
})

test('without shards nothing is left to others', async () => {
  const scraper = await start(`scrape_configs: [{job_name: j, static_configs: [{targets: ${targets(addresses.slice(0, 20))}}]}]`, 20)
  expect(urls(scraper)).toHaveLength(20)
  expect(scraper.targets().otherShardCounts).toEqual({})
})

test('a shard is what Prometheus` hashmod says', () => {
  const rule = createRelabelRule({
    sourceLabels: ['__address__', '__metrics_path__', '__param_target'],
    modulus: 5,
    targetLabel: 'shard',
    action: 'hashmod',
  })
  for (const address of addresses.slice(0, 200)) {
    const labels = Labels.from({ __address__: address, __metrics_path__: '/metrics' })
    const index = Number(applyRelabel([rule], labels)!.get('shard'))
    for (let i = 0; i < 5; i++) expect(isOfShard(labels, { index: i, count: 5 })).toBe(i === index)
  }
})
