import bcrypt from 'bcryptjs'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { BodyPool } from './body.ts'
import type { BodyAnswer, BodyRoute } from './body-route.ts'
import { createHttpServer, type HttpServer, type HttpServerOptions } from './server.ts'

const servers: HttpServer[] = []
const agents: Agent[] = []
const directories: string[] = []
const logged: unknown[] = []
const log = {
  info: () => undefined,
  warn: () => undefined,
  error: (_message: string, fields?: Readonly<Record<string, unknown>>) => void logged.push(fields),
}

afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy()
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
    app.addContentTypeParser('*', (_request, payload, parsed) => void payload.resume().on('end', () => parsed(null)))
    app.post('/write', (_request, reply) => reply.send('ordinary'))
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
    const request = httpRequest(url, { method: 'POST', agent: false, ...options }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    request.on('error', reject)
    request.end(body)
  })
}

const keepAlive = (): Agent => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agents.push(agent)
  return agent
}

describe('a route that is answered directly', () => {
  it('gets bodies whole, with and without a declared length', async () => {
    const watched = makeRoute()
    const url = await start(watched)
    const headers = { 'content-type': 'a/b', 'content-encoding': 'snappy' }
    const answer = await post(url, Buffer.alloc(70_000), { headers: { ...headers, 'content-length': 70_000 } })
    expect([answer.status, answer.text, answer.headers['x-written']]).toEqual([204, '', '70000'])
    expect((await post(url, Buffer.alloc(70_000), { headers: { 'transfer-encoding': 'chunked' } })).status).toBe(204)
    expect(watched).toMatchObject({ bodies: ['a/b snappy 70000', 'undefined undefined 70000'], underWay: 0 })
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

  it('takes a body at its limit and refuses one byte more with 413, which ends the connection', async () => {
    const watched = makeRoute()
    const url = await start(watched)
    expect((await post(url, Buffer.alloc(100_000), { headers: { 'content-length': 100_000 } })).status).toBe(204)
    const declared = await post(url, Buffer.alloc(100_001), { headers: { 'content-length': 100_001 }, agent: keepAlive() })
    expect([declared.status, declared.headers.connection, declared.text]).toEqual([
      413,
      'close',
      'request body too large: want at most 100000 bytes\n',
    ])
    expect((await post(url, Buffer.alloc(100_001), { headers: { 'transfer-encoding': 'chunked' } })).status).toBe(413)
    expect(watched.underWay).toBe(0)
  })

  it('refuses before the body is sent what it does not begin', async () => {
    const watched = makeRoute({ begin: () => ({ status: 429, headers: { 'Retry-After': '1' }, text: 'later\n' }) })
    const url = await start(watched)
    const { status, headers, text } = await post(url, 'a', { agent: keepAlive() })
    expect([status, headers['retry-after'], headers.connection, text]).toEqual([429, '1', 'close', 'later\n'])
    expect(watched).toMatchObject({ bodies: [], underWay: 0 })
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
    expect(await post(new URL('?a=b', url), 'a')).toMatchObject({ status: 200, text: 'ordinary' })
    expect((await post(url, '', { method: 'GET' })).status).toBe(404)
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
    const agent = keepAlive()
    const ask = async (auth?: string): Promise<number> => (await post(url, 'a', { agent, ...(auth === undefined ? {} : { auth }) })).status
    expect(await ask()).toBe(401)
    expect(await ask('alice:wrong')).toBe(401)
    expect([200, 204]).toContain(await ask('alice:secret'))
    expect(await ask('alice:secret')).toBe(204)
    expect(await ask('alice:wrong')).toBe(401)
    expect(await ask()).toBe(401)
    write('other')
    await expect.poll(() => ask('alice:secret'), { timeout: 5_000 }).toBe(401)
  })
})
