import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchBrowser } from '../kit/browser.ts'
import { askApi, launcher, queryVector, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { findFreePort, makeTemporaryDirectory, waitFor } from '../kit/process.ts'
import { startRedis } from '../kit/services.ts'

// What a new user sees: `narthex up` and a browser.

describe('narthex up', () => {
  let up: NarthexProcess
  let startedMs: number
  beforeAll(async () => {
    startedMs = Date.now()
    up = await startNarthex('up')
  }, 90_000)
  afterAll(async () => {
    await up.remove()
  })

  test('says what it started in at most ten lines', async () => {
    await waitFor('the greeting', () => up.output().includes(up.url))
    const lines = up.output().trimEnd().split('\n')
    expect(lines.length, up.output()).toBeLessThanOrEqual(10)
  })

  test('scrapes this machine and itself through agent, frame log and remote write', async () => {
    const found = await waitFor('both targets', async () => {
      const entries = await queryVector(up.url, `up{instance="127.0.0.1:${up.port}"} == 1`)
      return entries.length >= 2 ? entries : undefined
    })
    expect(found.map((entry) => entry.metric['job']).sort()).toEqual(['narthex', 'node'])
    const cpus = await queryVector(up.url, `count(node_cpu_seconds_total{mode="idle",instance="127.0.0.1:${up.port}"})`)
    expect(Number(cpus[0]?.value[1])).toBeGreaterThan(0)
    const targets = await askApi<{ activeTargets: { health: string; scrapePool: string }[] }>(up.url, 'api/v1/targets')
    // Whatever else runs on this machine is found as well.
    const builtin = targets.activeTargets.filter(({ scrapePool }) => scrapePool !== 'local')
    expect(builtin.map((target) => target.health)).toEqual(['up', 'up'])
  })

  test('finds a Redis that runs on this machine and scrapes it', { timeout: 60_000 }, async () => {
    const redis = await startRedis()
    try {
      const found = await waitFor(
        'the metrics of Redis',
        async () => (await queryVector(up.url, `redis_up{instance=~".*:${redis.port}"} == 1`))[0],
        {
          timeoutMs: 45_000,
        },
      )
      expect(found.metric['job']).toBe('redis')
    } finally {
      await redis.stop()
    }
  })

  test('fires Watchdog and delivers it through the embedded alertmanager', { timeout: 60_000 }, async () => {
    await waitFor('Watchdog', async () => (await queryVector(up.url, 'ALERTS{alertname="Watchdog",alertstate="firing"}')).length === 1, {
      timeoutMs: 40_000,
    })
    const notification = await waitFor(
      'the notification',
      async () =>
        (await askApi<{ outcome: string; alerts: { labels: Record<string, string> }[] }[]>(up.url, 'api/v1/narthex/notifications'))[0],
      { timeoutMs: 30_000 },
    )
    expect(notification.outcome).toBe('delivered')
    expect(notification.alerts.map((alert) => alert.labels['alertname'])).toContain('Watchdog')
    const alerts = (await (await fetch(`${up.url}/alertmanager/api/v2/alerts`)).json()) as { labels: Record<string, string> }[]
    expect(alerts.map((alert) => alert.labels['alertname'])).toContain('Watchdog')
  })

  test('shows live graphs and the alert in a browser, without an error in its console', { timeout: 60_000 }, async () => {
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
        if (!request.url().startsWith(up.url) && !request.url().startsWith('data:')) problems.push(`outside address ${request.url()}`)
      })
      await page.goto(up.url)
      for (const panel of ['CPU', 'Memory', 'Disk', 'Network']) {
        await page.waitForSelector(`[data-panel="${panel}"] canvas`)
        await waitForSeries(page, panel)
      }
      expect(Date.now() - startedMs).toBeLessThan(60_000)
      await page.click('nav >> text=Alerts')
      await page.waitForSelector('.badge.firing + strong:has-text("Watchdog")')
      await page.waitForSelector('#delivered >> text=Watchdog')
      await page.click('nav >> text=Targets')
      await page.waitForSelector('.badge.up')
      await page.click('nav >> text=Query')
      await page.click('.cm-content')
      await page.keyboard.type('1 + 1')
      await page.keyboard.press('Enter')
      await page.waitForSelector('td.value:has-text("2")')
      expect(problems).toEqual([])
    } finally {
      await browser.close()
    }
  })

  test('serves the exporter, the agent and the alertmanager on the same listener', async () => {
    for (const [path, text] of [
      ['/exporters/node/metrics', 'node_memory_MemTotal_bytes'],
      ['/agent/metrics', 'prometheus_remote_storage_samples_total'],
      ['/alertmanager/metrics', 'alertmanager_notifications_total'],
      ['/metrics', 'prometheus_tsdb_head_series'],
    ] as const) {
      const response = await fetch(up.url + path)
      expect(response.status, path).toBe(200)
      expect(await response.text(), path).toContain(text)
    }
  })

  test('stops within 5 s at Ctrl-C and shows the old data at the next start', { timeout: 60_000 }, async () => {
    // Old enough that every sample up to it has arrived.
    const time = Date.now() / 1000 - 8
    const before = await queryVector(up.url, `node_time_seconds{instance="127.0.0.1:${up.port}"}`, time)
    expect(before).toHaveLength(1)
    const stopped = performance.now()
    up.child.kill('SIGINT')
    expect(await up.exited).toBe(0)
    expect(performance.now() - stopped).toBeLessThan(5_000)
    const { directory, port } = up
    up = { ...(await startNarthex('up', { directory, port })), directory }
    expect(await queryVector(up.url, `node_time_seconds{instance="127.0.0.1:${up.port}"}`, time)).toEqual(before)
  })
})

describe('narthex up, started wrongly, says in one line what is wrong', () => {
  const run = (...args: string[]) => {
    const result = spawnSync(launcher, args, { encoding: 'utf8', timeout: 15_000 })
    return { status: result.status, lines: `${result.stdout}${result.stderr}`.trimEnd().split('\n') }
  }

  test('a port in use', async () => {
    const temporary = makeTemporaryDirectory()
    const port = await findFreePort()
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve))
    try {
      const { status, lines } = run('up', `--web.listen-address=127.0.0.1:${port}`, `--storage.path=${temporary.path}/data`)
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain(`127.0.0.1:${port}`)
      expect(lines[0]).toContain('address already in use')
      expect(status).toBe(1)
    } finally {
      holder.close()
      temporary.remove()
    }
  })

  test('a directory that cannot be written', () => {
    const { status, lines } = run('up', '--web.listen-address=127.0.0.1:0', '--storage.path=/proc/narthex')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('/proc/narthex')
    expect(status).toBe(1)
  })

  test('a broken config, with line and column', () => {
    const temporary = makeTemporaryDirectory()
    try {
      const file = join(temporary.path, 'broken.yml')
      writeFileSync(file, 'global:\n  scrape_intervall: 15s\n')
      const { status, lines } = run('up', `--config.file=${file}`, `--storage.path=${temporary.path}/data`)
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain(`${file}:2:3`)
      expect(lines[0]).toContain('scrape_intervall')
      expect(status).toBe(2)
    } finally {
      temporary.remove()
    }
  })

  test('an unknown flag, an unknown command', () => {
    const flag = run('up', '--no-such-flag')
    expect(flag.lines).toHaveLength(1)
    expect(flag.lines[0]).toContain('--no-such-flag')
    expect(flag.status).toBe(1)
    const command = run('upp')
    expect(command.lines).toHaveLength(1)
    expect(command.status).toBe(1)
  })
})

// A panel shows data once its legend names a series besides the time. (Polling by script is barred by the page's own policy.)
async function waitForSeries(page: Page, panel: string): Promise<void> {
  await page.waitForSelector(`[data-panel="${panel}"] .u-legend .u-series >> nth=1`)
}
