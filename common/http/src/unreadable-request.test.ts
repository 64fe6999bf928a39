import { once } from 'node:events'
import { createConnection } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createHttpServer, type HttpServer, type HttpServerOptions } from './server.ts'

const servers: HttpServer[] = []
const log = { info: () => undefined, warn: () => undefined, error: () => undefined }

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close(0)))
})

async function start(options: Partial<HttpServerOptions> = {}): Promise<number> {
  const server = await createHttpServer({ listenAddress: ['127.0.0.1:0'], log, name: 'test', ...options })
  servers.push(server)
  server.fastify.get('/echo', (request) => request.url)
  server.fastify.get('/late', async ({ raw, url }) => {
    if (!raw.socket.readableEnded) await once(raw.socket, 'end')
    return url
  })
  server.fastify.get('/label/:name', () => 'label')
  const [url] = await server.listen()
  return Number(new URL(url!).port)
}

/** All that is answered to these bytes, behind which the client closes its side. */
function exchange(port: number, bytes: Buffer | string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true })
    let answer = ''
    socket
      .setEncoding('latin1')
      .on('data', (chunk) => (answer += String(chunk)))
      .on('error', () => undefined)
      .on('close', () => resolve(answer))
      .on('end', () => socket.destroy())
    socket.end(bytes)
  })
}

const request = (target: Buffer | string): Buffer =>
  Buffer.concat([Buffer.from('GET '), Buffer.from(target), Buffer.from(' HTTP/1.1\r\nHost: x\r\n\r\n')])

it('a client that has closed its side gets the answers to what it said before', async () => {
  const port = await start()
  const answer = await exchange(port, Buffer.concat([request('/late?a'), request('/late?b')]))
  expect(answer).toMatch(/^HTTP\/1.1 200 OK[^]*\/late\?aHTTP\/1.1 200 OK[^]*\/late\?b$/)
})

describe('what is no request', () => {
  it('is told with its reason where that is not plain', async () => {
    const port = await start()
    expect(await exchange(port, request(Buffer.from('/echo?é', 'utf8')))).toMatch(
      /^HTTP\/1.1 400 Bad Request\r\nContent-Type: text\/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request: want a path of ASCII characters/,
    )
    expect(await exchange(port, 'hello\r\n\r\n')).toMatch(/\r\n\r\n400 Bad Request$/)
  })

  it('nor is a path with a wrong escape', async () => {
    const port = await start()
    for (const target of ['/label/%zz', '/label/%ff']) {
      expect(await exchange(port, request(target))).toMatch(
        /^HTTP\/1.1 400 Bad Request\r\ncontent-type: text\/plain[^]*400 Bad Request\r\n0\r\n\r\n$/,
      )
    }
  })
})

it('a head is taken up to the length that the server says, and refused above', async () => {
  const port = await start({ headBytesMax: 64 * 1024 })
  expect(await exchange(port, request(`/echo?${'x'.repeat(63 * 1024)}`))).toMatch(/^HTTP\/1.1 200 OK/)
  expect(await exchange(port, request(`/echo?${'x'.repeat(64 * 1024)}`))).toMatch(/^HTTP\/1.1 431 /)
})
