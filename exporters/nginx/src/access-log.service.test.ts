import type { MetricFamily } from '@narthex/exporter-kit/family-parser'
import { findFreePort, waitFor } from '@narthex/test/kit/process'
import { startNginx, type Service } from '@narthex/test/kit/services'
import { chmodSync, copyFileSync, existsSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { NginxExporter } from './nginx-exporter.ts'
import { createTestExporter, parseText } from './test-exporter.ts'

// Access logs that NGINX 1.22 itself writes, turns over and reopens.

const extended =
  '$remote_addr [$time_local] "$request" $status $bytes_sent $request_length $request_time "$server_name" "$proxy_host" "$upstream_addr" "$upstream_status" "$upstream_response_time" "$upstream_cache_status"'
const jsonFields = (
  'status request_method server_name host request_time bytes_sent request_length proxy_host upstream_addr upstream_status ' +
  'upstream_response_time upstream_cache_status http_user_agent'
).split(' ')

let nginx: Service
let exporter: NginxExporter | undefined
let downPort: number

beforeAll(async () => {
  nginx = await startNginx('location /old { return 404; }')
  // Workers are another user than the test: they must reach the socket and reopen the logs.
  chmodSync(nginx.directory, 0o755)
  downPort = await findFreePort()
  const { directory, port } = nginx
  const json = jsonFields.map((name) => `"${name}":"$${name}"`).join(',')
  const formats = `log_format extended '${extended}'; log_format json escape=json '{${json}}';`
  // The first server of the upstream is never there: NGINX tries the second one.
  const upstream = `upstream app { server 127.0.0.1:${downPort} max_fails=0; server unix:${directory}/app.sock max_fails=0; }`
  const app = `server { listen unix:${directory}/app.sock; access_log off; location / { return 200 "from the app\n"; } }`
  const logs = ['extended', 'json'].map((name) => `access_log ${directory}/${name}.log ${name};`).join(' ')
  const pages = 'location /app { proxy_pass http://app; proxy_cache cache; proxy_cache_valid 1m; } location / { return 200 "hello\n"; }'
  const cache = `proxy_cache_path ${directory}/cache keys_zone=cache:1m;`
  const shop = `server { listen 127.0.0.1:${port}; server_name shop.test; ${logs} ${pages} }`
  const config = readFileSync(`${directory}/nginx.conf`, 'utf8')
  writeFileSync(
    `${directory}/nginx.conf`,
    config.replace('http { ', `http { ${formats} ${cache} ${upstream} ${app} `).replace(/\}\s*$/, `${shop} }\n`),
  )
  process.kill(nginx.process.pid, 'SIGHUP')
  await waitFor('NGINX to have the new configuration', async () => (await ask('/', 'shop.test')) === 'hello\n')
})
afterEach(async () => {
  await exporter?.close()
  exporter = undefined
})
afterAll(() => nginx?.stop())

function ask(path: string, host: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port: nginx.port, path, headers: { host, ...headers } }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve(text))
    })
    call.on('error', reject)
    call.end()
  })
}

async function scrape(flags: Readonly<Record<string, unknown>> = {}): Promise<ReadonlyMap<string, MetricFamily>> {
  exporter ??= createTestExporter(flags, { exporterMetricsDisabled: true })
  return parseText(Buffer.from((await exporter.handleMetrics()).body).toString())
}

/** Samples as `value labels`, labels without their names. */
function samplesOf(families: ReadonlyMap<string, MetricFamily>, name: string, suffix = ''): string[] {
  const samples = families.get(name)?.samples.filter((sample) => sample.suffix === suffix) ?? []
  return samples.map(({ labels, value }) => `${value} ${labels.filter((_, i) => i % 2 === 1).join(' ')}`)
}

/** NGINX writes a line after the answer: waits until the log has grown. */
async function growing(path: string, action: () => Promise<unknown>): Promise<void> {
  const sizeOf = (): number => (existsSync(path) ? statSync(path).size : 0)
  const before = sizeOf()
  await action()
  await waitFor(`${path} to grow`, () => sizeOf() > before)
}

test.each([
  ['extended', extended],
  ['json', 'auto'],
])('the log of the format %s has hosts, methods, durations, upstreams and cache', async (name, format) => {
  const path = `${nginx.directory}/${name}.log`
  await scrape({ 'nginx.access-log': [path], 'nginx.access-log.format': format })
  const agent = { 'user-agent': 'a "quoted" \\ agent é' }
  for (const url of ['/a', `/app/${name}`, `/app/${name}`]) await growing(path, () => ask(url, 'shop.test', agent))
  const families = await scrape()
  expect(samplesOf(families, 'nginx_parse_errors_total')).toEqual([`0 ${path}`])
  expect(samplesOf(families, 'nginx_http_response_count_total')).toEqual(['3 shop.test GET 200'])
  expect(samplesOf(families, 'nginx_http_request_duration_seconds', '_count')).toEqual(['3 2xx shop.test'])
  // Round robin may begin with either server.
  const upstreams = samplesOf(families, 'nginx_http_upstream_requests_total').filter((sample) => !sample.includes(String(downPort)))
  expect(upstreams).toEqual([`1 unix:${nginx.directory}/app.sock 2xx app`])
  expect(samplesOf(families, 'nginx_http_cache_requests_total')).toEqual(['1 shop.test miss', '1 shop.test hit'])
  const [sizes] = samplesOf(families, 'nginx_http_response_size_bytes')
  expect(Number(sizes!.split(' ')[0])).toBeGreaterThan(300)
})

test('NGINX reopens a renamed log when it is told to: no request is lost, none counts twice', async () => {
  const path = `${nginx.directory}/access.log`
  await scrape({ 'nginx.access-log': [`default=${path}`] })
  await growing(path, () => ask('/old', 'x'))
  renameSync(path, `${path}.1`)
  await growing(`${path}.1`, () => ask('/old', 'x'))
  expect(samplesOf(await scrape(), 'nginx_http_response_count_total')).toEqual(['2 default GET 404'])
  process.kill(nginx.process.pid, 'SIGUSR1')
  await waitFor('NGINX to reopen its log', () => existsSync(path))
  let asked = 2
  await waitFor('the new log to be written to', async () => {
    await ask('/old', 'x')
    asked++
    return statSync(path).size > 0
  })
  await waitFor('all requests to be counted', async () => {
    return samplesOf(await scrape(), 'nginx_http_response_count_total')[0] === `${asked} default GET 404`
  })
})

test('so it is with a log that is copied and cut', async () => {
  const path = `${nginx.directory}/access.log`
  await scrape({ 'nginx.access-log': [`default=${path}`] })
  await growing(path, () => ask('/old', 'x'))
  expect(samplesOf(await scrape(), 'nginx_http_response_count_total')).toEqual(['1 default GET 404'])
  copyFileSync(path, `${path}.2`)
  truncateSync(path)
  await growing(path, () => ask('/old', 'x'))
  expect(samplesOf(await scrape(), 'nginx_http_response_count_total')).toEqual(['2 default GET 404'])
})
