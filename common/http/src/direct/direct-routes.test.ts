import bcrypt from 'bcryptjs'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { Agent as TlsAgent, request as httpsRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { BodyPool } from '../body.ts'
import type { BodyAnswer, BodyRoute } from '../body-route.ts'
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../server.ts'

const servers: HttpServer[] = []
const agents: Agent[] = []
const opened: Socket[] = []
const directories: string[] = []
const logged: unknown[] = []
const log = {
  info: () => undefined,
  warn: () => undefined,
  error: (_message: string, fields?: Readonly<Record<string, unknown>>) => void logged.push(fields),
}

afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy()
  for (const socket of opened.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => server.close(0)))
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
  logged.length = 0
})

/** What a route was asked and told. */
interface Watched {
  readonly route: BodyRoute
  readonly bodies: string[]
  underWay: number
}

function makeRoute(overrides: Partial<BodyRoute> = {}): Watched {
  const watched: Watched = {
    bodies: [],
    underWay: 0,
    route: {
      bodyBytesMax: 100_000,
      bodyDeadlineMs: 200,
      pool: new BodyPool(),
      begin: () => void watched.underWay++,
      answer(contentType, contentEncoding, body): BodyAnswer {
        watched.bodies.push(`${contentType} ${contentEncoding} ${body.length}`)
        if (body[0] === 0x3f) return { status: 400, headers: {}, text: 'not so\n' }
        return { status: 204, headers: { 'X-Written': String(body.length) }, text: '' }
      },
      end: () => void watched.underWay--,
      ...overrides,
    },
  }
  return watched
}

/** Answers directly at /prom/write; the ordinary route of the path says so. */
async function start({ route }: Watched, options: Partial<HttpServerOptions> = {}): Promise<URL> {
  const server = await createHttpServer({ listenAddress: ['127.0.0.1:0'], log, name: 'test', routePrefix: '/prom', ...options })
  servers.push(server)
  server.routes((app, _options, done) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, parsed) => {
      let bytes = 0
      payload.on('data', (chunk: Buffer) => (bytes += chunk.reduce((sum, byte) => sum + byte, 0)))
      payload.on('end', () => parsed(null, bytes))
    })
    app.post('/write', { bodyLimit: 1e6 }, (request, reply) => reply.send(`ordinary ${String(request.body)}`))
    done()
  })
  server.answerDirectly('/write', route)
  const [url] = await server.listen()
  return new URL(`${url}/prom/write`)
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

function post(url: URL, body: Uint8Array | string, options: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(
      url,
      { method: 'POST', agent: keepAlive(), ...options },
      (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

const plainHead = (bytes: number): string => `POST /prom/write HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`
const received = new WeakMap<Socket, string>()

function open(url: URL): Socket {
  const socket = connect({ port: Number(url.port), host: '127.0.0.1', allowHalfOpen: true })
  opened.push(socket)
  socket.on('data', (chunk: Buffer) => received.set(socket, `${received.get(socket) ?? ''}${chunk.toString()}`))
  socket.on('error', () => undefined)
  return socket
}

/** Of the answers so far. */
const statuses = (socket: Socket): string[] => [...(received.get(socket) ?? '').matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]!)

const keepAlive = (): Agent => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agents.push(agent)
  return agent
}

describe('a route that is answered directly', () => {
  it('gets bodies whole, in one piece and in many', async () => {
    const watched = makeRoute()
    const url = await start(watched)
    const headers = { 'content-type': 'a/b', 'content-encoding': 'snappy' }
    for (const length of [0, 1, 70_000]) {
      const answer = await post(url, Buffer.alloc(length), { headers: { ...headers, 'content-length': length } })
      expect([answer.status, answer.text, answer.headers['x-written']]).toEqual([204, '', String(length)])
    }
    const socket = open(url)
    for (const byte of 'abc') {
      socket.write(byte === 'a' ? `${plainHead(3)}a` : byte)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await expect.poll(() => watched.bodies).toEqual(['a/b snappy 0', 'a/b snappy 1', 'a/b snappy 70000', 'undefined undefined 3'])
    expect(watched.underWay).toBe(0)
  })

  it('answers requests that come together in their order, and what follows them of another kind', async () => {
    const watched = makeRoute()
    const url = await start(watched)
    const socket = open(url)
    socket.write(`${plainHead(1)}a${plainHead(2)}??${plainHead(3)}abc`)
    socket.write('GET /prom/nothing HTTP/1.1\r\nHost: x\r\n\r\n')
    await expect.poll(() => statuses(socket)).toEqual(['204', '400', '204', '404'])
    expect(watched.bodies.map((body) => body.at(-1))).toEqual(['1', '2', '3'])
    // From here on the connection is not its.
    socket.write(`${plainHead(1)}a`)
    await expect.poll(() => statuses(socket)).toEqual(['204', '400', '204', '404', '200'])
  })

  it('answers no more to who does not read his answers, and goes on when he does', async () => {
    const watched = makeRoute()
    const url = await start(
      makeRoute({ answer: () => ({ status: 400, headers: {}, text: 'x'.repeat(100_000) }), begin: watched.route.begin }),
    )
    const socket = connect(Number(url.port), '127.0.0.1')
    opened.push(socket)
    // Kernel buffers take some MB of answers.
    socket.write(`${plainHead(1)}a`.repeat(300))
    let before = -1
    await expect.poll(() => before === (before = watched.underWay), { interval: 100 }).toBe(true)
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan(200)
    let bytes = 0
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
    await expect.poll(() => watched.underWay, { timeout: 5_000 }).toBe(300)
    await expect.poll(() => bytes, { timeout: 5_000 }).toBeGreaterThan(300 * 100_000)
  })

  it('answers one request after the other on a connection, mistakes as plain text', async () => {
    const watched = makeRoute()
    const url = await start(watched)
    const agent = keepAlive()
    const statuses = []
    for (const body of ['a', '?', 'b']) statuses.push((await post(url, body, { agent })).status)
    expect(statuses).toEqual([204, 400, 204])
    const { headers, text } = await post(url, '?', { agent })
    expect([headers['content-type'], headers['content-length'], text]).toEqual(['text/plain; charset=utf-8', '7', 'not so\n'])
  })

  it('is not for bodies without a length, nor for what it does not begin: the ordinary route gets them whole', async () => {
    const watched = makeRoute({
      begin: (bytes) => (bytes > 100_000 ? { status: 413, headers: {}, text: 'too large\n' } : void watched.underWay++),
    })
    const url = await start(watched)
    expect((await post(url, Buffer.alloc(100_000), { headers: { 'content-length': 100_000 } })).status).toBe(204)
    const declared = await post(url, Buffer.alloc(100_001, 1), { headers: { 'content-length': 100_001 } })
    expect([declared.status, declared.text]).toEqual([200, 'ordinary 100001'])
    const chunked = await post(url, Buffer.alloc(300_000, 1), { headers: { 'transfer-encoding': 'chunked' } })
    expect([chunked.status, chunked.text]).toEqual([200, 'ordinary 300000'])
    expect(watched).toMatchObject({ bodies: ['undefined undefined 100000'], underWay: 0 })
  })

  it('closes a connection that asks for nothing in time, and one that ends in the middle of a body with 400', async () => {
    const watched = makeRoute({ bodyDeadlineMs: 10_000 })
    const url = await start(watched, { readTimeoutMs: 300 })
    const silent = open(url)
    const used = open(url)
    used.write(`${plainHead(1)}a`)
    const half = open(url)
    half.end(`${plainHead(3)}ab`)
    await expect.poll(() => statuses(half)).toEqual(['400'])
    await expect.poll(() => [silent, used, half].map(({ readableEnded, closed }) => readableEnded || closed)).toEqual([true, true, true])
    expect(statuses(used)).toEqual(['204'])
    expect(watched.underWay).toBe(0)
  })

  it('lets a stop wait for a body that is under way, and for nothing else', async () => {
    const watched = makeRoute({ bodyDeadlineMs: 10_000 })
    const url = await start(watched)
    const idle = open(url)
    idle.write(`${plainHead(1)}a`)
    const busy = open(url)
    busy.write(`${plainHead(3)}ab`)
    await expect.poll(() => [watched.underWay, ...statuses(idle)]).toEqual([1, '204'])
    const stopped = servers.pop()!.close(5_000)
    await expect.poll(() => idle.readableEnded || idle.closed).toBe(true)
    busy.write('c')
    await stopped
    expect(statuses(busy)).toEqual(['204'])
  })

  it('gives up bodies that break off or are not whole in time', async () => {
    const watched = makeRoute()
    const url = await start(watched)
    for (const breaksOff of [true, false]) {
      const socket = connect(Number(url.port), '127.0.0.1')
      socket.on('error', () => undefined)
      socket.write('POST /prom/write HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123')
      await expect.poll(() => watched.underWay).toBe(1)
      if (breaksOff) socket.destroy()
      await expect.poll(() => watched.underWay).toBe(0)
      socket.destroy()
    }
    expect(watched.bodies).toEqual([])
  })

  it('is told as a bug when it throws, and its connection goes on', async () => {
    const watched = makeRoute({
      answer() {
        throw new TypeError('x is not a function')
      },
    })
    const url = await start(watched)
    const agent = keepAlive()
    expect(await post(url, 'a', { agent })).toMatchObject({ status: 500, text: 'x is not a function\n' })
    expect((await post(url, 'a', { agent })).status).toBe(500)
    expect(logged).toMatchObject([
      { method: 'POST', route: '/write' },
      { method: 'POST', route: '/write' },
    ])
    expect(watched.underWay).toBe(0)
  })

  it('is only what was asked for exactly so', async () => {
    const url = await start(makeRoute())
    expect(await post(new URL('?a=b', url), 'a')).toMatchObject({ status: 200, text: 'ordinary 97' })
    expect((await post(url, '', { method: 'GET' })).status).toBe(405)
  })

  it('is there over TLS, and what is not for it arrives whole at its ordinary route', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'narthex-route-'))
    directories.push(directory)
    const [cert, key, webConfigFile] = ['cert.pem', 'key.pem', 'web.yml'].map((name) => join(directory, name)) as [string, string, string]
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
    execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', cert], {
      stdio: 'pipe',
    })
    writeFileSync(webConfigFile, 'tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n')
    const watched = makeRoute()
    const url = await start(watched, { webConfigFile })
    const agent = new TlsAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
    agents.push(agent)
    for (const length of [1, 100_000]) {
      expect((await post(url, Buffer.alloc(length), { agent, headers: { 'content-length': length } })).status).toBe(204)
    }
    // Several records, the first of which is looked at here.
    const body = Buffer.alloc(900_000, 1)
    for (let round = 0; round < 5; round++) {
      const handed = await post(url, body, { agent, headers: { 'transfer-encoding': 'chunked' } })
      expect([handed.status, handed.text]).toEqual([200, 'ordinary 900000'])
      agent.destroy()
    }
    expect(watched.bodies.length).toBe(2)
  })

  it('is reported, and its answers have the headers of the web config', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'narthex-route-'))
    directories.push(directory)
    const webConfigFile = join(directory, 'web.yml')
    writeFileSync(webConfigFile, 'http_server_config: {headers: {X-Frame-Options: deny}}\n')
    const seen: string[] = []
    const observe = (handler: string, method: string, status: number, seconds: number, bytes: number): void =>
      void seen.push(`${method} ${handler} ${status} ${bytes} ${seconds >= 0 && seconds < 5}`)
    const url = await start(makeRoute(), { webConfigFile, instruments: { observe } })
    expect((await post(url, 'a')).headers['x-frame-options']).toBe('deny')
    await post(url, '?')
    expect(seen).toEqual(['POST /write 204 0 true', 'POST /write 400 7 true'])
  })

  it('is for those who said who they are on their connection, and nobody else', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'narthex-route-'))
    directories.push(directory)
    const webConfigFile = join(directory, 'web.yml')
    const write = (password: string): void => writeFileSync(webConfigFile, `basic_auth_users: {alice: '${bcrypt.hashSync(password, 4)}'}\n`)
    write('secret')
    const watched = makeRoute()
    const url = await start(watched, { webConfigFile })
    const ask = async (auth: string | undefined, agent: Agent): Promise<number> =>
      (await post(url, 'a', { agent, ...(auth === undefined ? {} : { auth }) })).status
    const [agent, guesser] = [keepAlive(), keepAlive()]
    expect([await ask('alice:secret', agent), await ask('alice:secret', agent)]).toEqual([204, 204])
    expect([await ask(undefined, guesser), await ask('alice:wrong', guesser), await ask('alice:wrong', keepAlive())]).toEqual([
      401, 401, 401,
    ])
    // The password of before is not for another who comes over the same connection.
    expect([await ask('alice:wrong', agent), await ask(undefined, agent)]).toEqual([401, 401])
    expect(watched.bodies.length).toBe(2)
    const later = keepAlive()
    expect(await ask('alice:secret', later)).toBe(204)
    write('other')
    await expect.poll(() => ask('alice:secret', later), { timeout: 5_000 }).toBe(401)
  })
})
