import { request as httpRequest } from 'node:http'
import { createHttpServer, type HttpServer } from '@narthex/http/server'
import { Registry } from '@narthex/service/metrics'
import { RemoteWrite2Writer } from '@narthex/wire/remote-write-2-writer'
import { compress } from '@narthex/wire/snappy'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeHead } from './fake-head.ts'
import { Receiver } from './receive.ts'
import { createWriteRoute, writePath } from './route.ts'

const now = 1_700_000_000_000
const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
let server: HttpServer
let head: FakeHead
let port: number

async function start(isDirect: boolean): Promise<void> {
  head = new FakeHead()
  server = await createHttpServer({ listenAddress: ['127.0.0.1:0'], log, name: 'test' })
  const receiver = new Receiver({ appender: head, metadata: { setMetadata: () => undefined }, now: () => now })
  const route = createWriteRoute({ receiver, registry: new Registry(), inflightBytesMax: 1000, bodyDeadlineMs: 300 })
  server.routes((app, _options, done) => {
    route.add(app)
    done()
  })
  if (isDirect) server.answerDirectly(writePath, route.body)
  port = Number(new URL((await server.listen())[0]!).port)
}

function body2(): Uint8Array {
  const writer = new RemoteWrite2Writer()
  const name = writer.addSymbol('__name__')
  const value = writer.addSymbol('up')
  writer.series(Uint8Array.of(0x0a, 2, name, value), 0, 4, undefined, now, 0, 0x3ff00000)
  return compress(writer.view())
}

const headers2 = { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request', 'content-encoding': 'snappy' }

function post(headers: Record<string, string>, body: Uint8Array): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/api/v1/write`, { method: 'POST', headers, body: Buffer.from(body) })
}

describe.each([
  ['among ordinary routes', false],
  ['answered directly', true],
])('remote write %s', (_where, isDirect) => {
  beforeEach(() => start(isDirect))
  afterEach(() => server.close(0))

  test('answers 204 with the written headers and an empty body', async () => {
    const response = await post(headers2, body2())
    expect([response.status, await response.text()]).toEqual([204, ''])
    expect(response.headers.get('x-prometheus-remote-write-samples-written')).toBe('1')
    expect(head.sampleCount).toBe(1)
  })

  test('answers errors as plain text', async () => {
    const response = await post({ 'content-type': 'application/json' }, body2())
    expect([response.status, response.headers.get('content-type')]).toEqual([415, 'text/plain; charset=utf-8'])
    expect(await response.text()).toBe('expected application/x-protobuf as the first (media) part, got application/json content-type\n')
  })

  test('refuses a declared body above 32 MiB with 413 before it is sent', async () => {
    const status = await new Promise((resolve, reject) => {
      const request = httpRequest(
        { port, method: 'POST', path: '/api/v1/write', headers: { 'content-length': String(32 * 2 ** 20 + 1) } },
        (response) => {
          resolve(response.statusCode)
          request.destroy()
        },
      )
      request.on('error', reject)
      request.flushHeaders()
    })
    expect(status).toBe(413)
  })

  test('answers 429 with Retry-After while other bodies fill the room, and takes the request afterwards', async () => {
    const slow = httpRequest({ port, method: 'POST', path: '/api/v1/write', headers: { ...headers2, 'content-length': '999' } })
    slow.on('error', () => undefined)
    slow.flushHeaders()
    slow.write(Buffer.alloc(10))
    await expect.poll(async () => (await post(headers2, body2())).status).toBe(429)
    expect((await post(headers2, body2())).headers.get('retry-after')).toBe('1')
    slow.destroy()
    await expect.poll(async () => (await post(headers2, body2())).status).toBe(204)
  })

  test('answers 405 to other methods', async () => {
    expect((await fetch(`http://127.0.0.1:${port}/api/v1/write`)).status).toBe(405)
  })

  test('gives up a body that does not come, and its room is free again', async () => {
    const ended = new Promise((resolve) => {
      const request = httpRequest({ port, method: 'POST', path: '/api/v1/write', headers: { ...headers2, 'content-length': '1000' } })
      request.on('error', resolve)
      request.on('response', resolve)
      request.write('x')
    })
    // Until then the slow sender holds all of the room.
    await expect.poll(async () => (await post(headers2, body2())).status).toBe(429)
    await ended
    await expect.poll(async () => (await post(headers2, body2())).status).toBe(204)
  })
})
