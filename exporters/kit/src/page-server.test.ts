import { Secret } from '@narthex/config/secret'
import { silentLogger } from '@narthex/service/logger'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { MetricsRequest } from './metrics-answer.ts'
import { createPageServer, type Page, type PageServer, type PageServerOptions } from './page-server.ts'

const servers: PageServer[] = []
const directories: string[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close(0)))
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
})

const page = (text: string): Page => ({
  path: '/metrics',
  methods: ['GET'],
  answer: ({ query }) => ({ status: 200, headers: { 'content-type': 'text/x' }, body: Buffer.from(text + (query?.get('a') ?? '')) }),
})
const noPassword = (): never => {
  throw new Error('nobody has a password')
}

async function start(pages: readonly Page[], options: Partial<PageServerOptions> = {}): Promise<string> {
  const server = createPageServer({
    listenAddress: ['127.0.0.1:0'],
    log: silentLogger,
    name: 'test',
    pages,
    verifyPassword: noPassword,
    ...options,
  })
  servers.push(server)
  return (await server.listen())[0]!
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

function ask(url: string, options: Parameters<typeof request>[1] = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(url, { agent: false, ...options }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }))
    })
      .on('error', reject)
      .end()
  })
}

/** All that comes until the server ends the connection. */
function talk(url: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text))
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')))
    socket.on('end', () => resolve(answer)).on('error', reject)
  })
}

test('a page is answered with its length, its query read', async () => {
  const url = await start([page('m')])
  expect(await ask(`${url}/metrics?a=1&b=2`)).toMatchObject({
    status: 200,
    text: 'm1',
    headers: { 'content-length': '2', 'content-type': 'text/x' },
  })
  expect((await ask(`${url}/metrics`)).text).toBe('m')
})

test('HEAD has the head of GET and no body', async () => {
  const url = await start([page('four')])
  const { headers, status, text } = await ask(`${url}/metrics`, { method: 'HEAD' })
  expect([status, headers['content-length'], text]).toEqual([200, '4', ''])
})

test('a path may be escaped, or come as a whole address', async () => {
  const url = await start([page('m')])
  expect((await ask(`${url}/%6detrics?a=%20`)).text).toBe('m ')
  expect(await talk(url, 'GET http://any/metrics?a=x HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n')).toMatch(
    /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nmx$/,
  )
  expect((await ask(`${url}/%e0metrics`)).status).toBe(404)
})

test.each([
  ['GET', '/nothing', 404, undefined, '404 page not found\n'],
  ['GET', '/metrics/', 404, undefined, '404 page not found\n'],
  ['GET', '/Metrics', 404, undefined, '404 page not found\n'],
  ['POST', '/metrics', 405, 'GET, OPTIONS', 'Method Not Allowed\n'],
  ['OPTIONS', '/metrics', 405, 'GET, OPTIONS', 'Method Not Allowed\n'],
  ['GET', '/-/reload', 405, 'OPTIONS, POST, PUT', 'Method Not Allowed\n'],
  ['DELETE', '/nothing', 404, undefined, '404 page not found\n'],
])('%s %s is answered with %i as by a Go server', async (method, path, status, allow, text) => {
  const url = await start([page('m'), { path: '/-/reload', methods: ['POST', 'PUT'], answer: page('').answer }])
  const answer = await ask(url + path, { method })
  expect([answer.status, answer.headers.allow, answer.text]).toEqual([status, allow, text])
  expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8')
})

test('a page that throws is a 500 with the reason, and the server goes on', async () => {
  const url = await start([
    page('m'),
    { path: '/bug', methods: ['GET'], answer: () => Promise.reject(new TypeError('x is not a function')) },
    { path: '/bad', methods: ['GET'], answer: () => ({ status: 200, headers: { 'x-bad': 'a\nb' }, body: Buffer.of() }) },
  ])
  expect(await ask(`${url}/bug`)).toMatchObject({ status: 500, text: 'x is not a function\n' })
  expect((await ask(`${url}/bad`)).status).toBe(500)
  expect((await ask(`${url}/metrics`)).status).toBe(200)
})

test('what has a body is answered without reading it, and the connection goes on', async () => {
  const url = await start([page('m'), { path: '/-/reload', methods: ['POST'], answer: page('r').answer }])
  const body = 'x'.repeat(100_000)
  const answers = await talk(
    url,
    `POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
      'GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  )
  expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200'])
  expect(answers).toMatch(/\r\n\r\nm$/)
})

test('a head of more than 16 KiB is refused with 431', async () => {
  const url = await start([page('m')])
  const head = (bytes: number): string => {
    const start = 'GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: '
    return `${start}${'x'.repeat(bytes - start.length - 4)}\r\n\r\n`
  }
  expect(await talk(url, head(15 * 1024))).toMatch(/^HTTP\/1\.1 200 /)
  expect(await talk(url, head(17 * 1024))).toMatch(/^HTTP\/1\.1 431 /)
})

test('more connections than allowed are closed at once', async () => {
  const url = await start([page('m')], { connectionsMax: 1 })
  const first = connect(Number(new URL(url).port), '127.0.0.1')
  await new Promise((resolve) => first.once('connect', resolve))
  await expect(ask(`${url}/metrics`)).rejects.toThrow()
  first.destroy()
  await expect
    .poll(async () =>
      ask(`${url}/metrics`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200)
})

test('users of the flags and of the web config are both asked for, before the path is looked at; headers of the config are on every answer', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-pages-'))
  directories.push(directory)
  const webConfigFile = join(directory, 'web.yml')
  const write = (users: string): void =>
    writeFileSync(webConfigFile, `${users}http_server_config:\n  headers:\n    X-Content-Type-Options: nosniff\n`)
  write('')
  let started = 0
  const plainly = (password: string, wanted: string): Promise<boolean> => Promise.resolve(password === wanted)
  const url = await start([page('m')], {
    webConfigFile,
    users: { known: { me: new Secret('open') }, verify: plainly },
    verifyPassword: () => (started++, (password) => Promise.resolve(password === 'open')),
  })
  const status = async (path: string, auth?: string): Promise<number> => (await ask(url + path, auth === undefined ? {} : { auth })).status
  expect([
    await status('/metrics'),
    await status('/nothing'),
    await status('/metrics', 'me:shut'),
    await status('/metrics', 'you:open'),
  ]).toEqual([401, 401, 401, 401])
  expect(await ask(`${url}/metrics`)).toMatchObject({
    text: 'Unauthorized\n',
    headers: { 'www-authenticate': 'Basic', 'x-content-type-options': 'nosniff' },
  })
  expect([await status('/metrics', 'me:open'), await status('/nothing', 'me:open'), started]).toEqual([200, 404, 0])
  write('basic_auth_users:\n  you: $2b$04$aaaaaaaaaaaaaaaaaaaaaeAcQdNFtYWhyJYqIhAhbjEYGhIf1BkvS\n')
  await expect.poll(() => status('/metrics', 'me:open'), { timeout: 5_000 }).toBe(401)
  expect(started).toBe(1)
})

test('a scrape that runs is answered before the stop', async () => {
  const asked = Promise.withResolvers<MetricsRequest>()
  const finish = Promise.withResolvers<void>()
  const answer: Page['answer'] = async (given) => {
    asked.resolve(given)
    await finish.promise
    return { status: 200, headers: {}, body: Buffer.from('done') }
  }
  const url = await start([{ path: '/slow', methods: ['GET'], answer }])
  const slow = ask(`${url}/slow`, { headers: { 'X-Prometheus-Scrape-Timeout-Seconds': '7' } })
  expect((await asked.promise).headers?.['x-prometheus-scrape-timeout-seconds']).toBe('7')
  const stopped = servers.pop()!.close(2_000)
  finish.resolve()
  expect((await slow).text).toBe('done')
  await stopped
})
