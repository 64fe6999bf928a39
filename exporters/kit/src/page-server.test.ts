import { Secret } from '@narthex/config/secret'
import { silentLogger } from '@narthex/service/logger'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request, type IncomingHttpHeaders } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
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

/** What a server says to these bytes until it has been still for a while, sent as they are or cut at `cut`; the date is another one each second. */
async function exchange(url: string, text: string, cut = 0): Promise<string> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', noDelay: true })
  let answer = ''
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')))
  const ended = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  socket.on('error', () => undefined)
  if (cut > 0) {
    socket.write(text.slice(0, cut), 'latin1')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  socket.end(text.slice(cut), 'latin1')
  await ended
  return answer.replaceAll(/^Date: .*$/gm, 'Date: now')
}

test.each([
  'GET /metrics HTTP/1.1',
  'GET /metrics?a=x%20y&b HTTP/1.1',
  'HEAD /metrics?a=1 HTTP/1.1',
  'GET /%6detrics HTTP/1.1',
  'GET /bug HTTP/1.1',
  'HEAD /bug HTTP/1.1',
  'GET /bad HTTP/1.1',
  'GET /own HTTP/1.1',
  'GET /large HTTP/1.1',
  'HEAD /large HTTP/1.1',
  'GET /nothing HTTP/1.1',
  'POST /metrics HTTP/1.1',
])('%s has the same answer before node:http and from it, byte for byte', async (line) => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-pages-'))
  directories.push(directory)
  const webConfigFile = join(directory, 'web.yml')
  writeFileSync(webConfigFile, 'http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n')
  const large = Buffer.alloc(200_000, 'large')
  const fixed = (path: string, headers: Readonly<Record<string, string>>, body: Buffer): Page => ({
    path,
    methods: ['GET'],
    answer: () => ({ status: 200, headers, body }),
  })
  const url = await start(
    [
      page('m'),
      { path: '/bug', methods: ['GET'], answer: () => Promise.reject(new TypeError('x is not a function')) },
      fixed('/bad', { 'x-bad': 'a\nb' }, Buffer.of()),
      fixed('/own', { 'X-Content-Type-Options': 'own', 'x-more': '1' }, Buffer.from('own')),
      fixed('/large', { 'content-type': 'text/x' }, large),
    ],
    { webConfigFile },
  )
  const text = `${line}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n`
  const direct = await exchange(url, text)
  expect(direct).toMatch(/^HTTP\/1\.1 /)
  // Half a request is for node:http.
  expect(await exchange(url, text, 10)).toBe(direct)
})

test('requests that come together are answered in their order, slow ones and those for node:http among them', async () => {
  const slow: Page = {
    path: '/slow',
    methods: ['GET'],
    answer: async () => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      return { status: 200, headers: {}, body: Buffer.from('slow') }
    },
  }
  const url = await start([page('m'), slow])
  const get = (target: string, more = ''): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
  const requests = [get('/slow'), get('/metrics?a=1'), get('/slow'), get('/metrics?a=2', 'Content-Length: 2\r\n') + 'xx', get('/slow')]
  const answers = await talk(url, requests.join('') + get('/metrics?a=3', 'Connection: close\r\n'))
  expect(answers.match(/(?<=\r\n\r\n)(slow|m\d)/g)).toEqual(['slow', 'm1', 'slow', 'm2', 'slow', 'm3'])
})

test('who asks and goes on asking without reading gets no more answers than fit, and all of them when he reads', async () => {
  let asked = 0
  const body = Buffer.alloc(60_000, 'b')
  const url = await start([{ path: '/metrics', methods: ['GET'], answer: () => (asked++, { status: 200, headers: {}, body }) }])
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.pause()
  const request = 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'
  const wanted = 500
  for (let i = 0; i < wanted; i++) socket.write(request)
  let before = -1
  await expect.poll(() => before === (before = asked), { interval: 100 }).toBe(true)
  expect(asked).toBeLessThan(wanted)
  let bytes = 0
  socket.on('data', (chunk) => (bytes += chunk.length))
  socket.resume()
  await expect.poll(() => asked, { timeout: 10_000 }).toBe(wanted)
  await expect.poll(() => bytes >= wanted * body.length, { timeout: 10_000 }).toBe(true)
  socket.destroy()
})

test('a connection that asks for nothing in time is closed, and one whose page takes longer is not', async () => {
  const answer: Page['answer'] = async () => {
    await new Promise((resolve) => setTimeout(resolve, 400))
    return { status: 200, headers: {}, body: Buffer.from('late') }
  }
  const url = await start([{ path: '/late', methods: ['GET'], answer }], { readTimeoutMs: 150 })
  expect(await talk(url, '')).toBe('')
  expect(await talk(url, 'GET /late HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/late$/)
})

test('a client that goes before its answer is there leaves the server as it was', async () => {
  const finish = Promise.withResolvers<void>()
  const released: string[] = []
  const slow: Page = {
    path: '/slow',
    methods: ['GET'],
    answer: async () => {
      await finish.promise
      return { status: 200, headers: {}, body: Buffer.from('s'), release: () => void released.push('slow') }
    },
  }
  const url = await start([page('m'), slow])
  const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n'))
  await new Promise((resolve) => setTimeout(resolve, 50))
  socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 50))
  finish.resolve()
  await expect.poll(() => released).toEqual(['slow'])
  expect((await ask(`${url}/metrics`)).text).toBe('m')
})

test('over TLS, answers of all sizes are whole, before node:http as well', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-pages-'))
  directories.push(directory)
  const [cert, key, webConfigFile] = ['cert.pem', 'key.pem', 'web.yml'].map((name) => join(directory, name)) as [string, string, string]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', cert], {
    stdio: 'pipe',
  })
  writeFileSync(webConfigFile, 'tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n')
  const answer: Page['answer'] = ({ query }) => {
    const bytes = Number(query?.get('bytes'))
    return { status: 200, headers: {}, body: Buffer.alloc(bytes, String(bytes)) }
  }
  const url = await start([{ path: '/metrics', methods: ['GET'], answer }], { webConfigFile })
  const agent = new TlsAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
  const sizes = [3, 60_000, 200_000, 60_000, 5, 900_000, 7]
  const asked = sizes.map(
    (bytes) =>
      new Promise<string>((resolve, reject) => {
        tlsRequest(`${url}/metrics?bytes=${bytes}`, { agent }, (response) => {
          let text = ''
          response.on('data', (part: Buffer) => (text += part.toString())).on('end', () => resolve(text))
        })
          .on('error', reject)
          .end()
      }),
  )
  const texts = await Promise.all(asked)
  agent.destroy()
  expect(texts.map((text, i) => text === Buffer.alloc(sizes[i]!, String(sizes[i])).toString())).toEqual(sizes.map(() => true))
})
