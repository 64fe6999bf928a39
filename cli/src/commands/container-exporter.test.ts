import type { EmbeddedFactories } from '@narthex/agent/embedded/embedded-exporter'
import { createEmbeddedContainer } from '@narthex/exporter-container/embedded-container'
import { silentLogger } from '@narthex/service/logger'
import type { MainContext } from '@narthex/service/lifecycle'
import { findFreePort } from '@narthex/test/kit/process'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { runContainerExporter } from './container-exporter.ts'

const stops: ((graceMs: number) => void | Promise<void>)[] = []
const log: string[] = []

beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => log.push(String(text)) > 0)
})
afterEach(async () => {
  vi.restoreAllMocks()
  for (const stop of stops.splice(0).reverse()) await stop(0)
  log.length = 0
})

async function start(argv: readonly string[]): Promise<string> {
  const port = await findFreePort()
  const context: MainContext = {
    signal: new AbortController().signal,
    onStop: (_name, stop) => void stops.push((graceMs) => stop(graceMs, () => undefined)),
    onReload: () => undefined,
    reload: () => Promise.resolve(),
    stop: () => undefined,
    setLog: () => undefined,
  }
  await runContainerExporter(
    ['-listen_ip=127.0.0.1', `--port=${port}`, '--docker_only', '-docker=unix:///no/docker.sock', ...argv],
    context,
  )
  return `http://127.0.0.1:${port}`
}

async function ask(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url)
  return { status: response.status, text: await response.text() }
}

test('the pages are there, with the flags of cAdvisor in both of Go`s forms', async () => {
  const url = await start(['-housekeeping_interval=10s', '--logtostderr', '--store_container_labels=false', '--disable_metrics=disk,tcp'])
  const { text } = await ask(`${url}/metrics`)
  expect(text).toContain('container_scrape_error 0\n')
  expect(text).toMatch(/^machine_memory_bytes\{/m)
  expect(text).toMatch(/^process_resident_memory_bytes /m)
  expect(text).not.toMatch(/^(promhttp_|go_|container_fs_usage_bytes)/m)
  expect(await ask(`${url}/healthz`)).toEqual({ status: 200, text: 'ok' })
  expect((await ask(url)).text).toContain('<a href="/metrics">Metrics</a>')
  expect(log.join('')).toContain('flag --housekeeping_interval has no effect: everything is read when it is asked for')
  expect(log.join('')).toContain('flag --logtostderr has no effect')
})

test('a prefix stands before all pages', async () => {
  const url = await start(['--url_base_prefix=/cadvisor/', '--prometheus_endpoint=/m'])
  expect((await ask(`${url}/cadvisor/m`)).status).toBe(200)
  expect((await ask(`${url}/cadvisor/healthz`)).text).toBe('ok')
  expect((await ask(`${url}/metrics`)).status).toBe(404)
})

test.each([
  [['--http_auth_file=x'], 'cadvisor: cannot use flag --http_auth_file: put basic_auth_users into a file for --web.config.file'],
  [['--disable_metrics=x'], 'cadvisor: cannot use flag --disable_metrics: unsupported metric "x" specified'],
  [['--docker=x'], "flag 'docker' cannot be repeated"],
  [['--no_such_flag'], "unknown long flag '--no_such_flag'"],
])('%j stops the start with one line', async (argv, reason) => {
  await expect(start(argv)).rejects.toThrow(reason)
})

test('it fits what the agent asks of an exporter in its own process', async () => {
  const factories: EmbeddedFactories = { container: createEmbeddedContainer }
  const exporter = factories.container!({ service: {}, flags: { docker_only: true }, log: silentLogger })
  const { body, status } = await exporter.scrape({ query: new URLSearchParams(), timeoutMs: 60_000 })
  await exporter.close()
  expect(status).toBe(200)
  expect(Buffer.from(body).toString()).toContain('container_scrape_error 0\n')
})
