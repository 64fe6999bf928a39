import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { parseFamilies } from '@narthex/exporter-kit/family-parser'
import { createTestExporter } from './test-exporter.ts'
import { parseVtsStatus } from './vts-status.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

const testdata = join(import.meta.dirname, '..', 'testdata')
const pageOf = (version: string): string => readFileSync(join(testdata, version, 'page.json'), 'utf8')

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('cannot start a server: want a port, got none')
  return `http://127.0.0.1:${address.port}/status/format/json`
}

async function scrape(flags: FlagValues): Promise<string> {
  const exporter = createTestExporter(flags, { exporterMetricsDisabled: true })
  const { body } = await exporter.handleMetrics()
  await exporter.close()
  const text = Buffer.from(body).toString()
  expect(() => parseFamilies(body)).not.toThrow()
  return text.replace(/^.*nginx_exporter_build_info.*\n/gm, '')
}

test.each([
  ['vts-documented', 'metrics', {}],
  ['vts-documented', 'metrics-exporter-names', { 'nginx.vts-exporter-names': true, 'prometheus.const-label': ['env=test'] }],
  ['vts-minimal', 'metrics', {}],
])('the page of %s becomes %s', async (version, file, flags) => {
  const uri = await serve((_request, response) => response.end(pageOf(version)))
  await expect(await scrape({ 'nginx.vts-uri': [uri], ...flags })).toMatchFileSnapshot(join(testdata, version, `${file}.txt`))
})

test('the bucket without a bound is the count, and no bucket is above it', async () => {
  const uri = await serve((_request, response) => response.end(pageOf('vts-documented')))
  const family = parseFamilies(Buffer.from(await scrape({ 'nginx.vts-uri': [uri] }))).find(
    ({ name }) => name === 'nginx_vts_server_request_duration_seconds',
  )!
  const ofShop = family.samples.filter(({ labels }) => labels[1] === 'shop.test')
  expect(ofShop.map(({ suffix, labels, value }) => [suffix, labels[3], value])).toEqual([
    ['_bucket', '0.005', 3],
    ['_bucket', '0.01', 7],
    ['_bucket', '1', 9],
    ['_bucket', '+Inf', 10],
    ['_sum', undefined, 2.345],
    ['_count', undefined, 10],
  ])
})

test('several pages are told apart, and one that does not answer costs its own families', async () => {
  const up = await serve((_request, response) => response.end(pageOf('vts-minimal')))
  const down = await serve((_request, response) => response.writeHead(500).end())
  const text = await scrape({ 'nginx.vts-uri': [up, down] })
  expect(text).toContain(`narthex_nginx_vts_up{addr="${up}"} 1\nnarthex_nginx_vts_up{addr="${down}"} 0\n`)
  expect(text).toContain(`nginx_up{addr="${up}"} 1\nnginx_up{addr="${down}"} 0\n`)
  expect(text.match(/^nginx_vts_server_requests_total/gm)).toHaveLength(5)
})

test('a page of stub_status that is named too is the one that nginx_up speaks of', async () => {
  const vts = await serve((_request, response) => response.end(pageOf('vts-minimal')))
  const text = await scrape({ 'nginx.vts-uri': [vts], 'nginx.scrape-uri': ['http://127.0.0.1:1/'] })
  expect(text).toContain('nginx_up 0\n')
  expect(text).toContain('narthex_nginx_vts_up 1\n')
  expect(text).not.toContain('nginx_connections_active')
})

test.each(['', '<html>', 'null', '[]', '{}', '{"connections":1}', '{"connections":{}'])('another text is refused: %j', (text) => {
  expect(() => parseVtsStatus(text)).toThrow(/^cannot read the page of the module vhost traffic status: want /)
})

test('parts of another kind are left out', () => {
  const text = JSON.stringify({
    connections: {},
    serverZones: [1],
    filterZones: { a: 1 },
    upstreamZones: { u: [1, { server: 2 }] },
    cacheZones: null,
  })
  expect(parseVtsStatus(text)).toMatchObject({ servers: [], filters: [], upstreams: [{ name: 'u', member: '' }], caches: [] })
})
