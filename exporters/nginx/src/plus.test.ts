import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { join } from 'node:path'
import { findViolations } from '@narthex/exporter-kit/conformance'
import { parseFamilies } from '@narthex/exporter-kit/family-parser'
import { readInventory } from '@narthex/exporter-kit/inventory'
import { afterEach, expect, test } from 'vitest'
import { createTestExporter } from './test-exporter.ts'

// The API of NGINX Plus as its documentation shows it.

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

const testdata = join(import.meta.dirname, '..', 'testdata', 'plus-documented')
const documented = JSON.parse(readFileSync(join(testdata, 'pages.json'), 'utf8')) as Readonly<Record<string, unknown>>

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('cannot start a server: want a port, got none')
  return `http://127.0.0.1:${address.port}/api`
}

/** Answers the pages below /api/, and 404 for others. */
function servePages(pages: Readonly<Record<string, unknown>>): Promise<string> {
  return serve((request, response) => {
    const path = /^\/api\/?(.*)$/.exec(request.url ?? '')?.[1] ?? 'nothing'
    if (!Object.hasOwn(pages, path)) response.writeHead(404)
    response.end(JSON.stringify(pages[path] ?? { error: { status: 404, code: 'PathNotFound' } }))
  })
}

const flagsOf = (...uris: readonly string[]) => ({ 'nginx.plus': true, 'nginx.scrape-uri': uris })

async function scrape(...uris: readonly string[]): Promise<string> {
  const exporter = createTestExporter(flagsOf(...uris), { exporterMetricsDisabled: true })
  const { body } = await exporter.handleMetrics()
  await exporter.close()
  return Buffer.from(body)
    .toString()
    .replace(/^.*nginx_exporter_build_info.*\n/gm, '')
}

test('the documented answers become these metrics', async () => {
  await expect(await scrape(await servePages(documented))).toMatchFileSnapshot(join(testdata, 'metrics.txt'))
})

test('every family of the original is there, with its type and labels', async () => {
  const inventory = readInventory('nginx')
  expect(inventory, 'want parity/nginx.tsv in the shared folder (NARTHEX_SHARED)').toBeDefined()
  const exporter = createTestExporter(flagsOf(await servePages(documented)), { exporterMetricsDisabled: true })
  const isDynamicName = (name: string): boolean => name === 'promhttp_metric_handler_errors_total'
  expect(await findViolations(exporter, { collector: 'plus', inventory: inventory!, isDynamicName })).toEqual([])
  const families = new Map(parseFamilies((await exporter.handleMetrics()).body).map((family) => [family.name, family]))
  await exporter.close()
  const wanted = inventory!.filter(({ metric }) => metric.startsWith('nginxplus_'))
  expect(wanted).toHaveLength(133)
  const labelsOf = (name: string) => families.get(name)?.samples[0]!.labels.filter((_, i) => i % 2 === 0)
  expect(wanted.map(({ metric }) => [metric, labelsOf(metric)])).toEqual(wanted.map(({ labels, metric }) => [metric, labels]))
})

test('parts that a server does not have are left out, and the newest version that is known is asked', async () => {
  const text = await scrape(await servePages({ '': [1, 7, 99], '7/connections': documented['9/connections'] }))
  expect(text.match(/^nginxplus_.*$/gm)).toEqual([
    'nginxplus_connections_accepted 4.968119e+06',
    'nginxplus_connections_active 5',
    'nginxplus_connections_dropped 1',
    'nginxplus_connections_idle 117',
    'nginxplus_up 1',
  ])
})

test.each([
  ['no list of versions', { '': {} }],
  ['versions that are too new or too old', { '': [3, 10] }],
  ['no connections', { '': [9] }],
  ['a part of another kind', { ...documented, '9/http/upstreams': 'x' }],
])('%s is nginxplus_up 0 and nothing else', async (_, pages) => {
  expect((await scrape(await servePages(pages))).match(/^nginxplus_.*$/gm)).toEqual(['nginxplus_up 0'])
})

test('an API that is not there, answers 500 or HTML costs its own families', async () => {
  const up = await servePages({ '': [9], '9/connections': {} })
  const broken = await serve((_request, response) => response.writeHead(500).end())
  const html = await serve((_request, response) => response.end('<html>'))
  const text = await scrape(up, broken, html, 'http://127.0.0.1:1/api')
  expect(text.match(/^nginxplus_up.*$/gm)!.map((line) => line.at(-1))).toEqual(['1', '0', '0', '0'])
  expect(text.match(/^nginxplus_connections_active.*$/gm)).toEqual([`nginxplus_connections_active{addr="${up}"} 0`])
})
