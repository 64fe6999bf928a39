import { findViolations } from '@narthex/exporter-kit/conformance'
import { readInventory } from '@narthex/exporter-kit/inventory'
import { createLogger, silentLogger } from '@narthex/service/logger'
import { createServer, type RequestListener, type Server } from 'node:http'
import { afterEach, expect, test, vi } from 'vitest'
import { pageBytesMax } from './collect-stub-status.ts'
import { parseConstantLabels } from './constant-labels.ts'
import { createEmbeddedNginx } from './embedded-nginx.ts'
import { nginxExporterEnvironment, nginxExporterFlags } from './flags.ts'
import { parseScrapeUri } from './scrape-uri.ts'
import { createTestExporter, linesOf, scrapeOnce } from './test-exporter.ts'

const page = 'Active connections: 4 \nserver accepts handled requests\n 10 9 20 \nReading: 1 Writing: 2 Waiting: 1 \n'

const servers: Server[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

async function start(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('cannot start a server: want a port, got none')
  return `http://127.0.0.1:${address.port}/stub_status`
}

const startPage = (): Promise<string> => start((_request, response) => response.end(page))

test('the exporter conforms and has only families, types and labels of the original', async () => {
  const inventory = readInventory('nginx')
  expect(inventory, 'want parity/nginx.tsv in the shared folder (NARTHEX_SHARED)').toBeDefined()
  const exporter = createTestExporter({ 'nginx.scrape-uri': [await startPage()] })
  const violations = await findViolations(exporter, {
    collector: 'stub_status',
    inventory: inventory!,
    // The original's handler counts no errors of its own.
    isDynamicName: (name) => name === 'promhttp_metric_handler_errors_total',
  })
  await exporter.close()
  expect(violations).toEqual([])
})

test('every default family of the original that is not of Go is there', async () => {
  const exporter = createTestExporter({ 'nginx.scrape-uri': [await startPage()] })
  const text = Buffer.from((await exporter.handleMetrics()).body).toString()
  await exporter.close()
  const names = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]))
  const missing = readInventory('nginx')!.filter((row) => row.isDefault && row.collector !== 'self.go' && !names.has(row.metric))
  expect(missing.map(({ metric }) => metric)).toEqual([])
})

test('the numbers of the page are the values', async () => {
  expect(await scrapeOnce({ 'nginx.scrape-uri': [await startPage()] })).toEqual([
    'nginx_connections_accepted 10',
    'nginx_connections_active 4',
    'nginx_connections_handled 9',
    'nginx_connections_reading 1',
    'nginx_connections_waiting 1',
    'nginx_connections_writing 2',
    'nginx_http_requests_total 20',
    'nginx_up 1',
  ])
})

test('constant labels are on every sample, and several servers are told apart by addr', async () => {
  const up = await startPage()
  const down = await start((_request, response) => response.writeHead(404).end())
  const lines = await scrapeOnce({
    'nginx.scrape-uri': [up, down],
    'prometheus.const-label': ['zone=b', 'a="x'],
    'prometheus.const-labels': 'team=web',
  })
  const labels = (address: string): string => `{a="\\"x",addr="${address}",team="web",zone="b"}`
  expect(lines).toContain(`nginx_http_requests_total${labels(up)} 20`)
  expect(lines.filter((line) => line.startsWith('nginx_up'))).toEqual([`nginx_up${labels(up)} 1`, `nginx_up${labels(down)} 0`])
})

test.each([
  ['another status', (): RequestListener => (_request, response) => response.writeHead(403).end(page)],
  ['another page', (): RequestListener => (_request, response) => response.end('hello')],
  ['too large a page', (): RequestListener => (_request, response) => response.end(page + ' '.repeat(pageBytesMax))],
  ['a connection that breaks', (): RequestListener => (request) => request.socket.destroy()],
])('%s is nginx_up 0 and nothing else', async (_, listener) => {
  expect(await scrapeOnce({ 'nginx.scrape-uri': [await start(listener())] })).toEqual(['nginx_up 0'])
})

test('a page that has moved is followed', async () => {
  const there = await startPage()
  const uri = await start((_request, response) => response.writeHead(302, { location: there }).end())
  expect(await scrapeOnce({ 'nginx.scrape-uri': [uri] })).toContain('nginx_up 1')
})

test('scrapes use one connection, and another when NGINX has closed it', async () => {
  let requests = 0
  const uri = await start((_request, response) => {
    requests++
    response.end(page)
  })
  let connections = 0
  const [server] = servers
  server!.on('connection', () => connections++)
  const exporter = createTestExporter({ 'nginx.scrape-uri': [uri] })
  const lines = async (): Promise<string[]> => linesOf(Buffer.from((await exporter.handleMetrics()).body).toString())
  for (let i = 0; i < 3; i++) expect(await lines()).toContain('nginx_up 1')
  expect([requests, connections]).toEqual([3, 1])
  server!.closeAllConnections()
  expect(await lines()).toContain('nginx_up 1')
  expect([requests, connections]).toEqual([4, 2])
  await exporter.close()
})

test('a page of the largest size is read', async () => {
  const uri = await start((_request, response) => response.end(page + ' '.repeat(pageBytesMax - page.length)))
  expect(await scrapeOnce({ 'nginx.scrape-uri': [uri] })).toContain('nginx_up 1')
})

test('a server that does not answer costs its own timeout, and not the other server', async () => {
  const hung = await start(() => undefined)
  const up = await startPage()
  const startMs = performance.now()
  const lines = await scrapeOnce({ 'nginx.scrape-uri': [hung, up], 'nginx.timeout': '1s' })
  // The scrape as a whole may take ten seconds.
  expect(performance.now() - startMs).toBeLessThan(9000)
  expect(lines.filter((line) => line.startsWith('nginx_up'))).toEqual([`nginx_up{addr="${hung}"} 0`, `nginx_up{addr="${up}"} 1`])
})

test('the time that the client gives counts too, and the answer says that NGINX is down', async () => {
  const asked = Promise.withResolvers<void>()
  const exporter = createTestExporter({ 'nginx.scrape-uri': [await start(() => asked.resolve())] })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const answer = exporter.handleMetrics({ headers: { 'x-prometheus-scrape-timeout-seconds': '0.5' } })
  await asked.promise
  await vi.advanceTimersByTimeAsync(490)
  const { body } = await answer
  vi.useRealTimers()
  await exporter.close()
  expect(linesOf(Buffer.from(body).toString())).toEqual(['nginx_up 0'])
})

test('a server that is down is logged when it goes, when the reason changes and when it comes back, without its password', async () => {
  const lines: string[] = []
  let status = 500
  const seen: (string | undefined)[] = []
  const uri = await start((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(status).end(page)
  })
  const log = createLogger({ write: (line) => void lines.push(line), source: 'test' })
  const exporter = createTestExporter({ 'nginx.scrape-uri': [uri.replace('://', '://me:hid%20den@')] }, { log })
  for (status of [500, 500, 404, 404, 200, 200]) await exporter.handleMetrics()
  await exporter.close()
  expect(seen[0]).toBe(`Basic ${Buffer.from('me:hid den').toString('base64')}`)
  expect(lines).toHaveLength(3)
  expect(lines[0]).toContain('expected 200 response, got 500')
  expect(lines[1]).toContain('expected 200 response, got 404')
  expect(lines[2]).toContain('NGINX answers again')
  expect(lines.join('')).not.toContain('hid')
})

test('in another process the exporter leaves out what is about the process', async () => {
  const uri = await startPage()
  const embedded = createEmbeddedNginx({ service: { uri }, flags: { 'prometheus.const-label': ['a=b'] }, log: silentLogger })
  const { body, contentType, status } = await embedded.scrape({ query: new URLSearchParams(), timeoutMs: 5_000 })
  await embedded.close()
  const text = Buffer.from(body).toString()
  expect(status).toBe(200)
  expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(text).toContain('nginx_up{a="b"} 1\n')
  expect(text).not.toMatch(/^(process|promhttp)_/m)
})

test('scrape URIs are read', () => {
  expect(parseScrapeUri('unix:/run/n.sock:/stub')).toMatchObject({ url: 'http://unix/stub', socketPath: '/run/n.sock' })
  expect(parseScrapeUri('unix:/run/n.sock')).toMatchObject({ url: 'http://unix/', socketPath: '/run/n.sock' })
  expect(parseScrapeUri('https://u:hidden@h/x')).toMatchObject({ text: 'https://u:xxxxx@h/x', url: 'https://h/x', socketPath: undefined })
})

test.each([
  [{ 'nginx.scrape-uri': ['ftp://u:hidden@h/'] }, 'cannot use scrape URI ftp://u:xxxxx@h/: want http, https or unix, got ftp'],
  [{ 'nginx.scrape-uri': ['nowhere'] }, 'cannot use scrape URI nowhere: want http://host/path, https://host/path or unix:/path:/path'],
  [{ 'nginx.scrape-uri': ['unix:/a:/b:/c'] }, 'unix domain socket address has wrong format'],
  [{ 'nginx.scrape-uri': ['unix:'] }, 'want the path of a socket after unix:, got none'],
  [{ 'nginx.timeout': 0 }, 'cannot use flag --nginx.timeout: want more than 0, got 0 ms'],
  [{ 'nginx.ssl-client-cert': 'x' }, 'want both or none, got one'],
  [{ 'prometheus.const-label': ['1a=b'] }, 'cannot use flag --prometheus.const-label: want label=value, got "1a=b"'],
  [{ 'prometheus.const-label': ['novalue'] }, 'want label=value, got "novalue"'],
  [{ 'prometheus.const-label': ['__name__=x'] }, 'want label=value, got "__name__=x"'],
])('%j stops the start with one line', (flags, reason) => {
  expect(() => createTestExporter(flags)).toThrow(reason)
})

test('constant labels may be empty and hold equals signs', () => {
  expect(parseConstantLabels(['b=,a=x=y', ''])).toEqual(['a', 'x=y', 'b', ''])
})

test('flags and variables are named once', () => {
  const names = nginxExporterFlags.map(({ name }) => name)
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  expect([...nginxExporterEnvironment.keys()].filter((name) => !names.includes(name))).toEqual([])
})
