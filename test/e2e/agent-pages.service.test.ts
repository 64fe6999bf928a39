import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchBrowser } from '../kit/browser.ts'
import { askApi, launcher, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { findFreePort, waitFor } from '../kit/process.ts'

// What an operator sees of an agent whose remote is away: its pages, its API, `narthex agent inspect`.

interface RemoteWriteStatus {
  readonly log: { readonly bytes: number; readonly samplesIn: number }
  readonly remotes: readonly { readonly name: string; readonly state: string; readonly reason: string; readonly pendingFrames: number }[]
}

let agent: NarthexProcess
let port: number

beforeAll(async () => {
  port = await findFreePort()
  const config = `
global: {scrape_interval: 1s, scrape_timeout: 1s}
exporters: {node: {}}
scrape_configs:
- job_name: self
  static_configs: [{targets: ['127.0.0.1:${port}'], labels: {__meta_zone: north}}]
  relabel_configs: [{source_labels: [__meta_zone], target_label: zone}]
- job_name: away
  static_configs: [{targets: ['127.0.0.1:1', '127.0.0.1:2']}]
  relabel_configs: [{source_labels: [__address__], regex: '.*:2', action: drop}]
remote_write:
- {url: 'http://someone:hidden@127.0.0.1:1/api/v1/write', name: central, queue_config: {batch_send_deadline: 100ms}}
`
  agent = await startNarthex('agent', { config, port, args: ['--web.page-title=Agent of a test'] })
  await waitFor('a failed request', async () => {
    const { remotes } = await askApi<RemoteWriteStatus>(agent.url, 'api/v1/status/remote_write')
    return remotes[0]?.state === 'retrying'
  })
}, 60_000)

afterAll(() => agent.remove())

describe('the pages of an agent', () => {
  test(
    'show targets with their errors and relabel steps, the backlog of each remote, and the configuration',
    { timeout: 60_000 },
    async () => {
      const browser = await launchBrowser()
      try {
        const page = await browser.newPage()
        page.setDefaultTimeout(15_000)
        const problems: string[] = []
        page.on('console', (message) => {
          if (message.type() === 'error') problems.push(message.text())
        })
        page.on('pageerror', (error) => problems.push(error.message))
        page.on('request', (request) => {
          if (!request.url().startsWith(agent.url) && !request.url().startsWith('data:')) problems.push(`outside address ${request.url()}`)
        })
        await page.goto(agent.url)
        expect(await page.title()).toBe('Targets · Agent of a test')
        await page.waitForSelector('.badge.up')
        await page.waitForSelector('td:has(.badge.down) >> text=connection refused')
        await page.waitForSelector('td.metric:has-text("/exporters/node/local/metrics")')
        await page.click('tr:has-text("zone=") summary')
        await page.waitForSelector('.steps >> text=__meta_zone="north"')
        await page.waitForSelector('.steps li:has(code:has-text("replace [__meta_zone] → zone")) >> text=zone="north"')
        await page.click('nav >> text=Service discovery')
        await page.waitForSelector('[data-pool="away"] >> text=1 scraped, 1 dropped by relabelling')
        await page.click('[data-pool="away"] summary')
        await page.waitForSelector('.steps .badge.down >> text=dropped')
        await page.click('nav >> text=Remote write')
        await page.waitForSelector('[data-remote="central"] .badge >> text=retrying')
        await page.waitForSelector('[data-remote="central"] >> text=connection refused')
        expect(await page.textContent('[data-remote="central"]')).not.toContain('hidden')
        await page.click('nav >> text=Config')
        await page.waitForSelector('pre >> text=job_name: self')
        expect(await page.textContent('main')).not.toContain('hidden')
        await page.click('nav >> text=Flags')
        await page.waitForSelector('td >> text=storage.agent.path')
        expect(problems).toEqual([])
      } finally {
        await browser.close()
      }
    },
  )

  test('weigh less than 50 kB', async () => {
    const document = await (await fetch(`${agent.url}/targets`)).text()
    const links = [...document.matchAll(/(?:src|href)="(\.\/assets\/[^"]+)"/g)].map(([, path]) => new URL(path!, `${agent.url}/`))
    expect(links.length).toBeGreaterThan(1)
    let bytes = document.length
    for (const link of links) bytes += (await (await fetch(link)).arrayBuffer()).byteLength
    expect(bytes).toBeLessThan(50_000)
  })
})

describe('the API of an agent', () => {
  test('tells the state of the log and the remotes without the password of a URL', async () => {
    const text = await (await fetch(`${agent.url}/api/v1/status/remote_write`)).text()
    expect(text).not.toContain('hidden')
    const { log, remotes } = await askApi<RemoteWriteStatus>(agent.url, 'api/v1/status/remote_write')
    expect(log.bytes).toBeGreaterThan(0)
    expect(log.samplesIn).toBeGreaterThan(0)
    expect(remotes).toMatchObject([{ name: 'central', state: 'retrying' }])
    expect(remotes[0]!.reason).toContain('connection refused')
  })

  test('serves the exporters that run in it', async () => {
    const response = await fetch(`${agent.url}/exporters/node/local/metrics`)
    expect(await response.text()).toContain('node_boot_time_seconds')
    expect((await fetch(`${agent.url}/exporters/node/other/metrics`)).status).toBe(404)
  })

  test('refuses relabel steps of a job that is not there, and queries', async () => {
    const steps = await fetch(`${agent.url}/api/v1/targets/relabel_steps?scrapePool=none&labels={}`)
    expect([steps.status, await steps.json()]).toEqual([
      400,
      { status: 'error', errorType: 'bad_data', error: 'error retrieving scrape config: scrape pool "none" not found' },
    ])
    const query = await fetch(`${agent.url}/api/v1/query?query=up`)
    expect([query.status, await query.json()]).toEqual([
      422,
      { status: 'error', errorType: 'execution', error: 'unavailable with Prometheus Agent' },
    ])
  })

  test('has the metrics of an agent under Prometheus` names', async () => {
    const text = await (await fetch(`${agent.url}/metrics`)).text()
    for (const name of [
      'prometheus_agent_active_series',
      'prometheus_agent_samples_appended_total{type="float"}',
      'prometheus_agent_corruptions_total',
      'prometheus_remote_storage_samples_in_total',
      'prometheus_sd_discovered_targets{name="scrape",config="self"}',
      'prometheus_target_scrape_pool_targets{scrape_job="self"}',
    ]) {
      expect(text).toContain(`\n${name} `)
    }
  })
})

test('narthex agent inspect reads the log beside the agent', async () => {
  const { pendingFrames } = (await askApi<RemoteWriteStatus>(agent.url, 'api/v1/status/remote_write')).remotes[0]!
  const { status, stdout, stderr } = spawnSync(launcher, ['agent', 'inspect', `${agent.directory}/data`, '--json'], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const { segments, remotes } = JSON.parse(stdout) as {
    segments: { samples: number }[]
    remotes: { name: string; waitingFrames: number }[]
  }
  expect(segments[0]!.samples).toBeGreaterThan(0)
  expect(remotes).toMatchObject([{ name: 'central' }])
  expect(remotes[0]!.waitingFrames).toBeGreaterThanOrEqual(pendingFrames)
})
