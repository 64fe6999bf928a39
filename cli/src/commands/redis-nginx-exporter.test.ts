import type { EmbeddedFactories } from '@narthex/agent/embedded/embedded-exporter'
import { createEmbeddedNginx } from '@narthex/exporter-nginx/embedded-nginx'
import { createEmbeddedRedis } from '@narthex/exporter-redis/embedded-redis'
import { silentLogger } from '@narthex/service/logger'
import type { MainContext } from '@narthex/service/lifecycle'
import { findFreePort } from '@narthex/test/kit/process'
import bcrypt from 'bcryptjs'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get as getTls, type RequestOptions } from 'node:https'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { runNginxExporter } from './nginx-exporter.ts'
import { runRedisExporter } from './redis-exporter.ts'

let directory: string
let redis: Server
let redisPort: number
const login: string[] = []
const stops: ((graceMs: number) => void | Promise<void>)[] = []
const log: string[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-redis-command-'))
  // Knows AUTH, and INFO with the line end that every command has.
  redis = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      const text = chunk.toString()
      if (text.includes('AUTH')) login.push(text.replaceAll('\r\n', ' '))
      for (const word of text.match(/AUTH|INFO|SETNAME|CONFIG|LATENCY|SLOWLOG/g) ?? []) {
        socket.write(word === 'INFO' ? '$9\r\nhz:10\r\na:\r\n' : word === 'AUTH' ? '+OK\r\n' : '-ERR unknown command\r\n')
      }
    })
  })
  await new Promise<void>((resolve) => redis.listen(0, '127.0.0.1', resolve))
  const address = redis.address()
  redisPort = address !== null && typeof address === 'object' ? address.port : 0
})
afterAll(() => {
  redis.close()
  rmSync(directory, { recursive: true, force: true })
})
beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => log.push(String(text)) > 0)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  for (const stop of stops.splice(0).reverse()) await stop(0)
  log.length = 0
  login.length = 0
})

interface Started {
  readonly url: string
  reload(): Promise<void>
}

async function start(run: typeof runRedisExporter, argv: readonly string[], scheme = 'http'): Promise<Started> {
  const port = await findFreePort()
  const reloads: (() => void | Promise<void>)[] = []
  const context: MainContext = {
    signal: new AbortController().signal,
    onStop: (_name, stop) => void stops.push((graceMs) => stop(graceMs, () => undefined)),
    onReload: (reload) => void reloads.push(reload),
    reload: async () => {
      for (const reload of reloads) await reload()
    },
    stop: () => undefined,
    setLog: () => undefined,
  }
  await run([`-web.listen-address=127.0.0.1:${port}`, ...argv], context)
  return { url: `${scheme}://127.0.0.1:${port}`, reload: () => context.reload() }
}

async function ask(url: string, options: RequestInit = {}): Promise<{ status: number; text: string }> {
  const response = await fetch(url, options)
  return { status: response.status, text: await response.text() }
}

test('redis: the pages of the original are there', async () => {
  const { url } = await start(runRedisExporter, [`-redis.addr=redis://127.0.0.1:${redisPort}`, '--namespace', 'cache'])
  expect((await ask(`${url}/metrics`)).text).toContain('cache_hz 10\n')
  expect(await ask(`${url}/health`)).toEqual({ status: 200, text: 'ok' })
  expect((await ask(`${url}/`)).text).toContain('<a href="/metrics">Metrics</a>')
  expect((await ask(`${url}/scrape?target=127.0.0.1:${redisPort}`)).text).toContain('cache_up 1\n')
  expect(await ask(`${url}/scrape`)).toEqual({ status: 400, text: "'target' parameter must be specified\n" })
  expect((await ask(`${url}/discover-cluster-nodes`)).status).toBe(400)
  expect(await ask(`${url}/-/reload`, { method: 'POST' })).toEqual({ status: 200, text: 'ok' })
  // Whoever asks whether it lives may ask at any path.
  for (const path of ['healthz', 'metrics/', 'a/b']) expect((await ask(`${url}/${path}`)).text).toContain('<a href="/metrics">Metrics</a>')
  expect((await ask(`${url}/-/reload`)).status).toBe(405)
})

test('redis: environment variables give what flags do not, and flags beat them', async () => {
  vi.stubEnv('REDIS_ADDR', `redis://127.0.0.1:${redisPort}`)
  vi.stubEnv('REDIS_PASSWORD', 'from-environment')
  vi.stubEnv('REDIS_USER', 'someone')
  vi.stubEnv('REDIS_EXPORTER_NAMESPACE', 'ignored')
  vi.stubEnv('REDIS_EXPORTER_DISABLE_SCRAPE_ENDPOINT', 'true')
  const { url } = await start(runRedisExporter, ['-namespace=flag'])
  expect((await ask(`${url}/metrics`)).text).toContain('flag_up 1\n')
  expect(login[0]).toContain('someone $16 from-environment')
  expect((await ask(`${url}/scrape?target=x`)).text).toContain('<title>Redis Exporter</title>')
})

test('redis: variables that cannot be read are told of and count as not set, and any word is a log format', async () => {
  vi.stubEnv('REDIS_ADDR', `redis://127.0.0.1:${redisPort}`)
  vi.stubEnv('REDIS_EXPORTER_EXPORT_CLIENT_LIST', 'nonsense')
  vi.stubEnv('REDIS_EXPORTER_CHECK_KEYS_BATCH_SIZE', 'x')
  const { url } = await start(runRedisExporter, ['-log-format=text'])
  expect((await ask(`${url}/metrics`)).text).toContain('redis_up 1\n')
  const warnings = log.filter((line) => line.includes('has no effect'))
  expect(warnings).toEqual([
    expect.stringContaining('environment variable REDIS_EXPORTER_CHECK_KEYS_BATCH_SIZE has no effect'),
    expect.stringContaining('environment variable REDIS_EXPORTER_EXPORT_CLIENT_LIST has no effect'),
  ])
})

test('redis: passwords are read again on request, and a file that went bad is told', async () => {
  const file = join(directory, 'passwords.json')
  writeFileSync(file, JSON.stringify({ [`redis://127.0.0.1:${redisPort}`]: 'first' }))
  const { url } = await start(runRedisExporter, [`-redis.addr=127.0.0.1:${redisPort}`, `-redis.password-file=${file}`])
  await ask(`${url}/metrics`)
  expect(login.splice(0)[0]).toContain('first')
  writeFileSync(file, '{')
  expect((await ask(`${url}/-/reload`, { method: 'POST' })).text).toContain('failed to reload passwords: cannot read password file')
})

test.each([
  ['a password', () => ['-basic-auth-username=me', '-basic-auth-password=open']],
  ['a hash', () => ['-basic-auth-username=me', `-basic-auth-hash-password=${bcrypt.hashSync('open', 4)}`]],
])('redis: %s protects every page', async (_, flags) => {
  const { url } = await start(runRedisExporter, ['-redis.addr=', ...flags()])
  const as = (password: string): RequestInit => ({
    headers: { authorization: `Basic ${Buffer.from(`me:${password}`).toString('base64')}` },
  })
  expect((await ask(`${url}/metrics`)).status).toBe(401)
  expect((await ask(`${url}/health`, as('shut'))).status).toBe(401)
  expect((await ask(`${url}/health`, as('open'))).status).toBe(200)
})

test('redis: the web interface speaks TLS and wants certificates of its clients', async () => {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=x']
  expect(spawnSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert]).status).toBe(0)
  const tls = [
    `-tls-server-cert-file=${cert}`,
    `-tls-server-key-file=${key}`,
    `-tls-server-ca-cert-file=${cert}`,
    '-tls-server-min-version=TLS1.3',
  ]
  const { url } = await start(runRedisExporter, ['-redis.addr=', ...tls], 'https')
  const status = (options: RequestOptions): Promise<number | string> =>
    new Promise((resolve) => {
      const request = getTls(`${url}/health`, { rejectUnauthorized: false, ...options }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
  expect(await status({})).not.toBe(200)
  expect(await status({ cert: readFileSync(cert), key: readFileSync(key) })).toBe(200)
  expect(await status({ cert: readFileSync(cert), key: readFileSync(key), maxVersion: 'TLSv1.2' })).not.toBe(200)
})

test.each([
  [['-redis.addr=http://h'], 'redis_exporter: cannot use flag --redis.addr http://h: cannot parse redis address'],
  [['-tls-server-cert-file=x'], 'want both --tls-server-cert-file and --tls-server-key-file, got one'],
  [
    ['-tls-server-cert-file=x', '-tls-server-key-file=x', '-web.config.file=y'],
    'want --web.config.file or --tls-server-cert-file, got both',
  ],
  [['-basic-auth-username=me'], 'want --basic-auth-username with one of'],
  [['-log-level=loud'], 'want one of DEBUG, INFO, WARN, ERROR, got "loud"'],
  [['-no-such-flag'], "unknown short flag '-n'"],
  [['-web.telemetry-path=metrics'], 'cannot serve metrics at "metrics": want a path that begins with /'],
])('redis: %j stops the start with one line', async (argv, reason) => {
  await expect(start(runRedisExporter, argv)).rejects.toThrow(reason)
})

test('nginx: flags with one dash and variables are read, the label of the variable too', async () => {
  vi.stubEnv('SCRAPE_URI', 'http://127.0.0.1:1/a\nhttp://127.0.0.1:1/b')
  vi.stubEnv('CONST_LABELS', 'x=1,y=2')
  vi.stubEnv('TELEMETRY_PATH', '/m')
  const { url } = await start(runNginxExporter, ['-nginx.timeout=1s', '-nginx.retries=3'])
  const { text } = await ask(`${url}/m`)
  expect(text).toContain('nginx_up{addr="http://127.0.0.1:1/a",x="1",y="2"} 0\n')
  expect(text).toContain('nginx_up{addr="http://127.0.0.1:1/b",x="1",y="2"} 0\n')
  expect(text).toMatch(/^nginx_exporter_build_info\{/m)
  expect((await ask(`${url}/`)).text).toContain('<a href="/m">Metrics</a>')
  expect(log.join('')).toContain('flag --nginx.retries has no effect')
})

test('nginx: with -nginx.plus the address is that of the API of NGINX Plus', async () => {
  const { url } = await start(runNginxExporter, ['-nginx.plus', '-nginx.scrape-uri=http://127.0.0.1:1/api'])
  const text = await (await fetch(`${url}/metrics`)).text()
  expect(text).toContain('nginxplus_up 0\n')
  expect(text).not.toMatch(/^nginx_up/m)
})

test('both fit what the agent asks of an exporter in its own process', async () => {
  const factories: EmbeddedFactories = { redis: createEmbeddedRedis, nginx: createEmbeddedNginx }
  const exporter = factories.redis!({
    service: { address: `127.0.0.1:${redisPort}`, username: 'u', password: 'p' },
    flags: { namespace: 'redis' },
    log: silentLogger,
  })
  const { body, status } = await exporter.scrape({ query: new URLSearchParams(), timeoutMs: 5_000 })
  await exporter.close()
  const text = Buffer.from(body).toString()
  expect(status).toBe(200)
  expect(text).toContain('redis_up 1\n')
  expect(text).not.toMatch(/^process_/m)
  expect(login[0]).toContain('$4 AUTH $1 u $1 p')
})
