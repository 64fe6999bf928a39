import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { launchBrowser } from './browser.ts'
import { findProgram, missingPackages } from './packages.ts'
import * as services from './services.ts'

// The kit itself: each real server starts on a private port and directory, answers, and is gone after stop.

const started: services.Service[] = []
afterEach(async () => {
  for (const service of started.splice(0).reverse()) await service.stop()
})

async function use(service: Promise<services.Service>): Promise<services.Service> {
  const ready = await service
  started.push(ready)
  return ready
}

async function get(url: string): Promise<string> {
  const response = await fetch(url)
  expect(response.status).toBe(200)
  return response.text()
}

const emptyConfig = 'scrape_configs: []\n'

describe('real servers', () => {
  test('every program of the table is installed', () => {
    expect(missingPackages()).toEqual([])
  })

  test('prometheus answers a query, and its directory is gone after stop', async () => {
    const service = await use(services.startPrometheus({ config: emptyConfig }))
    expect(await get(`${service.url}/api/v1/query?query=1%2B1`)).toContain('"2"')
    started.length = 0
    await service.stop()
    expect(existsSync(service.directory)).toBe(false)
  })

  test('prometheus runs as an agent', async () => {
    const service = await use(services.startPrometheus({ config: emptyConfig, agent: true }))
    expect(await get(`${service.url}/metrics`)).toContain('prometheus_build_info')
  })

  test('alertmanager and pushgateway answer', async () => {
    const alertmanager = await use(services.startAlertmanager('route: {receiver: a}\nreceivers: [{name: a}]\n'))
    expect(await get(`${alertmanager.url}/api/v2/status`)).toContain('versionInfo')
    const pushgateway = await use(services.startPushgateway())
    expect(await get(`${pushgateway.url}/metrics`)).toContain('pushgateway_build_info')
  })

  test('victoria-metrics stores what vmagent scrapes', async () => {
    const victoria = await use(services.startVictoriaMetrics())
    const vmagent = await use(services.startVmagent(emptyConfig, `${victoria.url}/api/v1/write`))
    expect(await get(`${vmagent.url}/metrics`)).toContain('vm_app_version')
  })

  test('the node exporter answers', async () => {
    const service = await use(services.startNodeExporter())
    expect(await get(`${service.url}/metrics`)).toContain('node_cpu_seconds_total')
  })

  test('redis and its exporter are up', async () => {
    const redis = await use(services.startRedis())
    const exporter = await use(services.startRedisExporter(redis))
    expect(await get(`${exporter.url}/metrics`)).toMatch(/^redis_up 1$/m)
  })

  test('nginx and its exporter are up', async () => {
    const nginx = await use(services.startNginx())
    const exporter = await use(services.startNginxExporter(nginx))
    expect(await get(`${exporter.url}/metrics`)).toMatch(/^nginx_up 1$/m)
  })

  test('mariadb and its exporter are up', { timeout: 90_000 }, async () => {
    const mariadb = await use(services.startMariadb())
    const exporter = await use(services.startMysqldExporter(mariadb))
    expect(await get(`${exporter.url}/metrics`)).toMatch(/^mysql_up 1$/m)
  })

  test('docker answers on its own socket', { timeout: 90_000 }, async () => {
    const docker = await use(services.startDocker())
    const client = findProgram('docker')
    expect(client).toBeDefined()
    const info = spawnSync(client!, ['-H', `unix://${docker.directory}/docker.sock`, 'info', '--format', '{{.Driver}}'], {
      encoding: 'utf8',
    })
    expect(info.stdout.trim(), info.stderr).toBe('vfs')
  })

  test('chromium renders a page', { timeout: 60_000 }, async () => {
    const browser = await launchBrowser()
    try {
      const page = await browser.newPage()
      await page.setContent('<h1>fennel</h1>')
      expect(await page.textContent('h1')).toBe('fennel')
    } finally {
      await browser.close()
    }
  })
})
