import type { MetricFamily } from '@narthex/exporter-kit/family-parser'
import { findProgram } from '@narthex/test/kit/packages'
import { findFreePort, startProcess, waitFor } from '@narthex/test/kit/process'
import { startNginx, type Service } from '@narthex/test/kit/services'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestExporter, linesOf, parseText, scrapeOnce } from './test-exporter.ts'

// Debian's nginx-prometheus-exporter 0.11 beside ours, on NGINX 1.22.

let nginx: Service

beforeAll(async () => {
  nginx = await startNginx()
  const { directory } = nginx
  const subject = ['-subj', '/CN=nginx.test', '-addext', 'subjectAltName=IP:127.0.0.1']
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const made = spawnSync('openssl', [
    'req',
    '-x509',
    ...key,
    ...subject,
    '-keyout',
    `${directory}/key.pem`,
    '-out',
    `${directory}/cert.pem`,
  ])
  if (made.status !== 0) throw new Error(`cannot make a certificate: ${made.stderr.toString()}`)
  // A socket and TLS beside the kit's listener.
  tlsPort = await findFreePort()
  proxyPorts = [await findFreePort(), await findFreePort()]
  const tls = `listen 127.0.0.1:${tlsPort} ssl; ssl_certificate ${directory}/cert.pem; ssl_certificate_key ${directory}/key.pem;`
  const config = readFileSync(`${directory}/nginx.conf`, 'utf8')
  const [plainPort, securePort] = proxyPorts
  const proxied = `listen 127.0.0.1:${plainPort} proxy_protocol; listen 127.0.0.1:${securePort} proxy_protocol ssl;`
  const sockets = `listen unix:${directory}/n.sock; listen unix:${directory}/p.sock proxy_protocol;`
  writeFileSync(`${directory}/nginx.conf`, config.replace('server { ', `server { ${sockets} ${proxied} ${tls} `))
  process.kill(nginx.process.pid, 'SIGHUP')
  const uri = `https://127.0.0.1:${tlsPort}/stub_status`
  await waitFor('NGINX to listen anew', async () => (await scrapeOnce({ 'nginx.scrape-uri': [uri] })).includes('nginx_up 1'))
})
let tlsPort: number
let proxyPorts: readonly number[]

afterAll(() => nginx?.stop())

test.each([
  ['over TCP', () => `${nginx.url}/stub_status`],
  ['over a unix socket', () => `unix:${nginx.directory}/n.sock:/stub_status`],
])('%s families, types, labels and values are those of the original', async (_, uri) => {
  const port = await findFreePort()
  const labels = ['-prometheus.const-labels=b=2,a=1']
  const peer = startProcess(findProgram('prometheus-nginx-exporter')!, [
    `-web.listen-address=127.0.0.1:${port}`,
    `-nginx.scrape-uri=${uri()}`,
    ...labels,
  ])
  const exporter = createTestExporter({ 'nginx.scrape-uri': [uri()], 'prometheus.const-labels': 'b=2,a=1' })
  try {
    const url = `http://127.0.0.1:${port}/metrics`
    const before = parseText(await waitFor('the peer', async () => (await fetch(url)).text(), { process: peer }))
    const ours = parseText(Buffer.from((await exporter.handleMetrics()).body).toString())
    const after = parseText(await (await fetch(url)).text())
    const names = [...before.keys()].filter((name) => name.startsWith('nginx_'))
    // nginxexporter_build_info has another name in newer releases.
    expect([...ours.keys()].filter((name) => name.startsWith('nginx_') && name !== 'nginx_exporter_build_info')).toEqual(names)
    for (const name of names) {
      const own = ours.get(name)!
      expect(`${name} ${own.type}`).toBe(`${name} ${before.get(name)!.type}`)
      expect(own.samples[0]!.labels).toEqual(before.get(name)!.samples[0]!.labels)
      if (own.type !== 'counter') continue
      expect(valueOf(own)).toBeGreaterThanOrEqual(valueOf(before.get(name)!))
      expect(valueOf(own)).toBeLessThanOrEqual(valueOf(after.get(name)!))
    }
  } finally {
    await exporter.close()
    await peer.stop()
  }
})

test('certificates are checked only when that is wanted', async () => {
  const uri = [`https://127.0.0.1:${tlsPort}/stub_status`]
  expect(await scrapeOnce({ 'nginx.scrape-uri': uri })).toContain('nginx_up 1')
  expect(await scrapeOnce({ 'nginx.scrape-uri': uri, 'nginx.ssl-verify': true })).toEqual(['nginx_up 0'])
  const ca = `${nginx.directory}/cert.pem`
  expect(await scrapeOnce({ 'nginx.scrape-uri': uri, 'nginx.ssl-verify': true, 'nginx.ssl-ca-cert': ca })).toContain('nginx_up 1')
})

test('servers behind the PROXY protocol are asked with its header, and only so', async () => {
  const uris = [`http://127.0.0.1:${proxyPorts[0]}`, `https://127.0.0.1:${proxyPorts[1]}`].map((uri) => `${uri}/stub_status`)
  for (const uri of [...uris, `unix:${nginx.directory}/p.sock:/stub_status`]) {
    expect(await scrapeOnce({ 'nginx.scrape-uri': [uri], 'nginx.proxy-protocol': true }), uri).toContain('nginx_up 1')
    expect(await scrapeOnce({ 'nginx.scrape-uri': [uri] }), uri).toEqual(['nginx_up 0'])
  }
})

test('the exporter starts before NGINX, outlives it and shows it again when it is back', async () => {
  const port = await findFreePort()
  const exporter = createTestExporter({ 'nginx.scrape-uri': [`http://127.0.0.1:${port}/stub_status`] }, { exporterMetricsDisabled: true })
  const ask = async (): Promise<string[]> => linesOf(Buffer.from((await exporter.handleMetrics()).body).toString())
  expect(await ask()).toEqual(['nginx_up 0'])
  const late = await startNginx(`listen 127.0.0.1:${port};`)
  expect(await ask()).toContain('nginx_up 1')
  await late.stop()
  expect(await ask()).toEqual(['nginx_up 0'])
  await exporter.close()
})

test('a server whose workers are stopped costs one deadline', async () => {
  const stopped = await startNginx()
  const children = spawnSync('pgrep', ['-P', String(stopped.process.pid)], { encoding: 'utf8' })
    .stdout.trim()
    .split('\n')
    .map(Number)
  const exporter = createTestExporter({ 'nginx.scrape-uri': [`${stopped.url}/stub_status`] }, { exporterMetricsDisabled: true })
  const ask = async (): Promise<string[]> => {
    const { body } = await exporter.handleMetrics({ headers: { 'x-prometheus-scrape-timeout-seconds': '0.6' } })
    return linesOf(Buffer.from(body).toString())
  }
  try {
    for (const child of children) process.kill(child, 'SIGSTOP')
    const startMs = performance.now()
    expect(await ask()).toEqual(['nginx_up 0'])
    // Its own limit is 5 s; that the answer comes before the client's is tested with a clock of the test's.
    expect(performance.now() - startMs).toBeLessThan(4_500)
    for (const child of children) process.kill(child, 'SIGCONT')
    expect(await ask()).toContain('nginx_up 1')
  } finally {
    for (const child of children) process.kill(child, 'SIGCONT')
    await exporter.close()
    await stopped.stop()
  }
})

function valueOf(family: MetricFamily): number {
  return family.samples[0]!.value
}
