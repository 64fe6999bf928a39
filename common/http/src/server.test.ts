import bcrypt from 'bcryptjs'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { BodyPool, RequestTooLargeError, streamBody } from './body.ts'
import { sendCompressed } from './compress.ts'
import { addCors } from './cors.ts'
import { addRawRoute } from './raw-route.ts'
import { createHttpServer, type HttpServer, type HttpServerOptions } from './server.ts'

const servers: HttpServer[] = []
const directories: string[] = []
const log = { info: () => undefined, warn: () => undefined, error: () => undefined }

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close(0)))
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
})

async function start(options: Partial<HttpServerOptions>, addRoutes: (server: HttpServer) => void): Promise<string[]> {
  const server = await createHttpServer({ listenAddress: ['127.0.0.1:0'], log, name: 'test', ...options })
  servers.push(server)
  addRoutes(server)
  return server.listen()
}

const hello = (server: HttpServer): void => void server.fastify.get('/', () => 'hello')

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: Buffer
  readonly certificate: PeerCertificate | undefined
}

function call(url: string, options: RequestOptions = {}, body?: Uint8Array | string): Promise<Answer> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const request = send(url, { agent: false, ...options }, (response) => {
      const certificate = 'getPeerCertificate' in response.socket ? (response.socket as TLSSocket).getPeerCertificate() : undefined
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => void chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks), certificate }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'narthex-server-'))
  directories.push(made)
  return made
}

function makeCertificate(into: string, name: string): { cert: string; key: string } {
  const [cert, key] = [join(into, 'cert.pem'), join(into, 'key.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-days', '2', ...subject, '-keyout', key, '-out', cert], { stdio: 'pipe' })
  return { cert, key }
}

describe('listening', () => {
  it('opens every address and answers on each', async () => {
    const urls = await start({ listenAddress: ['127.0.0.1:0', '[::1]:0'] }, hello)
    for (const url of urls) expect((await call(url)).body.toString()).toBe('hello')
    expect(urls[1]).toMatch(/^http:\/\/\[::1\]:\d+$/)
  })

  it('says in one line that an address is in use, and leaves none open', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as AddressInfo
    await expect(start({ listenAddress: ['127.0.0.1:0', `127.0.0.1:${port}`] }, hello)).rejects.toThrow(
      `listen tcp 127.0.0.1:${port}: bind: address already in use`,
    )
    taken.close()
  })

  it('answers what is running before it stops, and cuts what takes longer', async () => {
    let finish = (): void => undefined
    const asked: (() => void)[] = []
    const arrived = [0, 1].map(() => new Promise<void>((resolve) => asked.push(resolve)))
    const server = await createHttpServer({ listenAddress: ['127.0.0.1:0'], log, name: 'test' })
    server.fastify.get('/slow', () => {
      asked[0]!()
      return new Promise<string>((resolve) => (finish = () => resolve('done')))
    })
    server.fastify.get('/never', () => {
      asked[1]!()
      return new Promise<string>(() => undefined)
    })
    const [url] = await server.listen()
    const slow = call(`${url}/slow`)
    const never = call(`${url}/never`).catch((error: unknown) => String(error))
    await Promise.all(arrived)
    const stopped = server.close(300)
    finish()
    expect((await slow).body.toString()).toBe('done')
    await stopped
    expect(await never).toContain('socket hang up')
  })
})

describe('a web config', () => {
  it('that is not there is told in one line with the exit code of a wrong one', async () => {
    const created = createHttpServer({ listenAddress: ['127.0.0.1:0'], log, name: 'test', webConfigFile: '/does/not/exist' })
    await expect(created).rejects.toMatchObject({
      message: 'cannot read web config file /does/not/exist: no such file or directory',
      exitCode: 2,
    })
  })

  const hash = bcrypt.hashSync('secret', 4)

  it('lets a connection in that says the same again, and no longer when it says something else or the user has another hash', async () => {
    const webConfigFile = join(directory(), 'web.yml')
    const write = (password: string) => writeFileSync(webConfigFile, `basic_auth_users:\n  alice: ${bcrypt.hashSync(password, 4)}\n`)
    write('secret')
    const [url] = await start({ webConfigFile }, hello)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ask = async (password: string) => (await call(url!, { agent, auth: `alice:${password}` })).status
    try {
      expect([await ask('secret'), await ask('secret'), await ask('wrong'), await ask('secret')]).toEqual([200, 200, 401, 200])
      write('other')
      await expect.poll(() => ask('secret'), { timeout: 5_000 }).toBe(401)
      expect(await ask('other')).toBe(200)
    } finally {
      agent.destroy()
    }
  })

  it('asks for basic auth and remembers who was right', async () => {
    const webConfigFile = join(directory(), 'web.yml')
    writeFileSync(webConfigFile, `basic_auth_users:\n  alice: ${hash}\n`)
    let comparisons = 0
    const verifyPassword = async (password: string, against: string): Promise<boolean> => {
      comparisons++
      return bcrypt.compare(password, against)
    }
    const [url] = await start({ webConfigFile, verifyPassword }, hello)
    const refused = await call(url!)
    expect([refused.status, refused.headers['www-authenticate'], refused.body.toString()]).toEqual([401, 'Basic', 'Unauthorized\n'])
    expect((await call(url!, { auth: 'alice:wrong' })).status).toBe(401)
    expect((await call(url!, { auth: 'bob:secret' })).status).toBe(401)
    comparisons = 0
    for (let i = 0; i < 3; i++) expect((await call(url!, { auth: 'alice:secret' })).status).toBe(200)
    expect(comparisons).toBe(1)
  })

  it('serves TLS, and a new certificate without a restart', async () => {
    const made = directory()
    const { cert, key } = makeCertificate(made, 'first.test')
    const webConfigFile = join(made, 'web.yml')
    writeFileSync(
      webConfigFile,
      'tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nhttp_server_config:\n  headers:\n    X-Frame-Options: deny\n',
    )
    const [url] = await start({ webConfigFile }, hello)
    expect(url).toMatch(/^https:/)
    const first = await call(url!, { rejectUnauthorized: false })
    expect([first.body.toString(), first.certificate?.subject.CN, first.headers['x-frame-options']]).toEqual([
      'hello',
      'first.test',
      'deny',
    ])
    makeCertificate(made, 'second.test')
    utimesSync(cert, 1, 1)
    utimesSync(key, 1, 1)
    await expect
      .poll(async () => (await call(url!, { rejectUnauthorized: false })).certificate?.subject.CN, { timeout: 5_000 })
      .toBe('second.test')
  })

  it('lets in only clients whose certificate the CA signed', async () => {
    const own = directory()
    makeCertificate(own, 'server.test')
    const trusted = makeCertificate(directory(), 'client.test')
    const stranger = makeCertificate(directory(), 'stranger.test')
    const webConfigFile = join(own, 'web.yml')
    const lines = [
      'tls_server_config:',
      '  cert_file: cert.pem',
      '  key_file: key.pem',
      '  client_auth_type: RequireAndVerifyClientCert',
      `  client_ca_file: ${trusted.cert}`,
    ]
    writeFileSync(webConfigFile, lines.join('\n'))
    const [url] = await start({ webConfigFile }, hello)
    const read = (path: string): string => execFileSync('cat', [path]).toString()
    const withCertificate = (pair: { cert: string; key: string }): RequestOptions => ({
      rejectUnauthorized: false,
      cert: read(pair.cert),
      key: read(pair.key),
    })
    expect((await call(url!, withCertificate(trusted))).body.toString()).toBe('hello')
    await expect(call(url!, withCertificate(stranger))).rejects.toThrow()
    await expect(call(url!, { rejectUnauthorized: false })).rejects.toThrow()
  })

  it('is refused with file, line and column', async () => {
    const webConfigFile = join(directory(), 'web.yml')
    writeFileSync(webConfigFile, 'tls_server_config:\n  certfile: x\n')
    await expect(start({ webConfigFile }, hello)).rejects.toThrow(`${webConfigFile}:2:3: field certfile not found in type web.TLSConfig`)
  })
})

describe('a streamed body', () => {
  function streamRoute(bytesMax: number, pool: BodyPool) {
    return (server: HttpServer): void =>
      addRawRoute(server.fastify, {
        method: 'POST',
        url: '/write',
        async handler(request, reply) {
          try {
            const body = await streamBody(request.raw, bytesMax, pool)
            const sum = body.bytes.reduce((total, byte) => total + byte, 0)
            body.release()
            return await reply.send(`${body.bytes.length} ${sum}`)
          } catch (error) {
            if (!(error instanceof RequestTooLargeError)) throw error
            return reply.code(error.statusCode).send(error.message)
          }
        },
      })
  }

  it('arrives whole, with and without a declared length, whatever its type', async () => {
    const [url] = await start({}, streamRoute(1_000_000, new BodyPool()))
    const body = Buffer.alloc(300_000, 1)
    const declared = { method: 'POST', headers: { 'content-type': 'application/x-protobuf', 'content-length': body.length } }
    expect((await call(`${url}/write`, declared, body)).body.toString()).toBe('300000 300000')
    const chunked = { method: 'POST', headers: { 'transfer-encoding': 'chunked' } }
    expect((await call(`${url}/write`, chunked, body)).body.toString()).toBe('300000 300000')
  })

  it('is accepted at the limit and refused with 413 one byte above', async () => {
    const [url] = await start({}, streamRoute(100_000, new BodyPool()))
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
      expect((await call(`${url}/write`, { method: 'POST', headers }, Buffer.alloc(100_000))).status).toBe(200)
      expect((await call(`${url}/write`, { method: 'POST', headers }, Buffer.alloc(100_001))).status).toBe(413)
    }
  })
})

describe('answers', () => {
  it('are compressed as the client asks', async () => {
    const text = 'metric 1\n'.repeat(1_000)
    const [url] = await start(
      {},
      ({ fastify }) => void fastify.get('/', (request, reply) => sendCompressed(request, reply, 'text/plain', text)),
    )
    const gzip = await call(url!, { headers: { 'accept-encoding': 'gzip' } })
    expect([gzip.headers['content-encoding'], gunzipSync(gzip.body).toString()]).toEqual(['gzip', text])
    const zstd = await call(url!, { headers: { 'accept-encoding': 'gzip, deflate, br, zstd' } })
    expect([zstd.headers['content-encoding'], zstdDecompressSync(zstd.body).toString()]).toEqual(['zstd', text])
    expect((await call(url!, { headers: { 'accept-encoding': 'gzip;q=0' } })).body.toString()).toBe(text)
  })

  it('to HEAD are those of routes that say so', async () => {
    const [url] = await start({}, (server) => {
      hello(server)
      server.fastify.route({ method: ['GET', 'HEAD'], url: '/health', handler: () => 'well' })
    })
    expect(await call(`${url}/`, { method: 'HEAD' })).toMatchObject({ status: 405, headers: { allow: 'GET, OPTIONS' } })
    expect((await call(`${url}/health`, { method: 'HEAD' })).status).toBe(200)
  })

  it('carry CORS headers for the origins allowed', async () => {
    const [url] = await start({}, (server) => {
      addCors(server.fastify, 'https?://(a|b)\\.test')
      hello(server)
    })
    expect((await call(url!, { headers: { origin: 'http://a.test' } })).headers['access-control-allow-origin']).toBe('http://a.test')
    expect((await call(url!, { headers: { origin: 'http://a.test.evil' } })).headers['access-control-allow-origin']).toBeUndefined()
  })

  it('are reported with the route below the prefix', async () => {
    const seen: string[] = []
    const instruments = { observe: (handler: string, method: string, status: number) => void seen.push(`${method} ${handler} ${status}`) }
    const [url] = await start({ instruments, routePrefix: '/prom/' }, (server) => {
      server.routes((scope, _options, done) => {
        scope.get('/label/:name/values', () => 'x')
        done()
      })
    })
    expect((await call(`${url}/prom/label/job/values`)).status).toBe(200)
    expect(await call(`${url}/nothing`)).toMatchObject({ status: 404, body: Buffer.from('404 page not found\n') })
    expect(seen).toEqual(['GET /label/:name/values 200'])
  })

  it('of ours that fail are logged and told in one line; mistakes of the client are told alone', async () => {
    const logged: unknown[] = []
    const watched = { ...log, error: (_message: string, fields?: Readonly<Record<string, unknown>>) => void logged.push(fields) }
    const [url] = await start({ log: watched }, ({ fastify }) => {
      fastify.get('/bug', () => Promise.reject(new TypeError('x is not a function')))
      fastify.post('/form', () => 'x')
    })
    const failed = await call(`${url}/bug`)
    expect([failed.status, failed.body.toString()]).toEqual([500, 'x is not a function\n'])
    expect(logged).toMatchObject([{ method: 'GET', route: '/bug', err: { message: 'x is not a function' } }])
    const refused = await call(`${url}/form`, { method: 'POST', headers: { 'content-type': 'application/json' } }, '{')
    expect(refused.status).toBe(400)
    expect(logged).toHaveLength(1)
  })
})

describe('routes of the start', () => {
  const started: HttpServer[] = []
  const begin = async (): Promise<string> => {
    const urls = await start({ routePrefix: '/p' }, (server) => {
      started.push(server)
      server.routesOfStart((app, _options, done) => {
        app.get('/here', () => 'starting')
        app.all('*', (_request, reply) => reply.code(503).send('not yet'))
        done()
      })
    })
    return urls[0]!
  }

  it('are answered until the others are served, which may be added after listening', async () => {
    const url = await begin()
    const server = started.at(-1)!
    expect((await call(`${url}/p/here`)).body.toString()).toBe('starting')
    expect((await call(`${url}/p/later`)).status).toBe(503)
    server.routes((app, _options, done) => {
      app.get('/later', () => 'served')
      done()
    })
    expect((await call(`${url}/p/later`)).status).toBe(503)
    await server.serve()
    expect((await call(`${url}/p/later`)).body.toString()).toBe('served')
    expect((await call(`${url}/p/here`)).status).toBe(404)
  })

  it('still answer a request that runs when the others take over', async () => {
    const answering = Promise.withResolvers<string>()
    const asked = Promise.withResolvers<void>()
    const [url] = await start({}, (server) => {
      started.push(server)
      server.routesOfStart((app, _options, done) => {
        app.get('/slow', () => {
          asked.resolve()
          return answering.promise
        })
        done()
      })
    })
    const slow = call(`${url}/slow`)
    await asked.promise
    await started.at(-1)!.serve()
    answering.resolve('from the first ones')
    expect((await slow).body.toString()).toBe('from the first ones')
  })
})
