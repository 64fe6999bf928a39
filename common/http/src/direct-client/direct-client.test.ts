import { BodyTooLargeError } from '../client-errors.ts'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DirectClient, Exchanger, isDirect, prepareRequest, type ExchangeTaker } from './direct-client.ts'

const client = new DirectClient()
let server: Server | ReturnType<typeof createTcpServer> | undefined

afterEach(async () => {
  client.close()
  const closing = server
  server = undefined
  if (closing === undefined) return
  closing.close()
  if ('closeAllConnections' in closing) closing.closeAllConnections()
  await once(closing, 'close')
})

async function serve(listener: RequestListener): Promise<URL> {
  server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/path?a=b`)
}

function ask(url: URL, options: { body?: Uint8Array; timeoutMs?: number; bodyBytesMax?: number; signal?: AbortSignal } = {}) {
  const { body, timeoutMs = 2000, bodyBytesMax = 1 << 20, signal } = options
  const request = prepareRequest(body === undefined ? 'GET' : 'POST', url, { 'x-mine': 'ä' })
  return client.exchange(request, {
    ...(body === undefined ? {} : { body }),
    timeoutMs,
    bodyBytesMax,
    signal,
    take: ({ status }, bytes) => `${status} ${Buffer.from(bytes).toString()}`,
  })
}

describe('DirectClient', () => {
  it('asks over one connection again and again, and over others at the same time', async () => {
    let connections = 0
    const url = await serve((request, response) =>
      response.end(
        `${request.method} ${request.url} ${request.headers.host} ${Buffer.from(String(request.headers['x-mine']), 'latin1').toString('hex')}`,
      ),
    )
    server!.on('connection', () => connections++)
    const wanted = `200 GET /path?a=b ${url.host} e4`
    for (let i = 0; i < 3; i++) expect(await ask(url)).toBe(wanted)
    expect(connections).toBe(1)
    expect(await Promise.all([ask(url), ask(url), ask(url)])).toEqual([wanted, wanted, wanted])
    expect(connections).toBe(3)
  })

  it('asks at a unix socket, and says when there is none', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'narthex-direct-'))
    const socketPath = join(directory, 'a:1.sock')
    const asked: (string | undefined)[] = []
    server = createServer((request, response) => {
      asked.push(request.headers.host)
      response.end('ok')
    }).listen(socketPath)
    let connections = 0
    server.on('connection', () => connections++)
    await once(server, 'listening')
    const take = ({ status }: { readonly status: number }): number => status
    const exchange = (path: string): Promise<number> =>
      client.exchange(prepareRequest('GET', new URL('http://unix/x'), {}, path), {
        timeoutMs: 2000,
        bodyBytesMax: 10,
        signal: undefined,
        take,
      })
    try {
      expect([await exchange(socketPath), await exchange(socketPath)]).toEqual([200, 200])
      expect([asked, connections]).toEqual([['unix', 'unix'], 1])
      await expect(exchange(`${socketPath}x`)).rejects.toThrow('connect: no such file or directory')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('sends bodies, large ones and answers in pieces included', async () => {
    const url = await serve((request, response) => {
      request.on('data', (chunk) => response.write(chunk))
      request.on('end', () => response.end())
    })
    for (const size of [0, 10, 700_000]) expect(await ask(url, { body: Buffer.alloc(size, 'x') })).toBe(`200 ${'x'.repeat(size)}`)
  })

  it('asks once more when a kept connection was closed meanwhile, but posts only once', async () => {
    let answers = 0
    const url = await serve((_request, response) => {
      if (++answers % 2 === 0) response.socket!.destroy()
      else response.end('ok')
    })
    expect(await ask(url)).toBe('200 ok')
    expect(await ask(url)).toBe('200 ok')
    await expect(ask(url, { body: Buffer.from('x') })).rejects.toThrow('EOF')
    expect(answers).toBe(4)
  })

  it('words errors as Go does', async () => {
    const url = await serve((request, response) => {
      if (request.method === 'POST') response.writeHead(200, { 'content-length': '2000000' }).write('x')
    })
    await expect(ask(url, { timeoutMs: 50 })).rejects.toThrow(`Get "${url.href}": context deadline exceeded`)
    await expect(ask(url, { body: Buffer.from('x') })).rejects.toBeInstanceOf(BodyTooLargeError)
    const abort = new AbortController()
    const asked = ask(url, { signal: abort.signal })
    abort.abort()
    await expect(asked).rejects.toThrow(`Get "${url.href}"`)
    ;(server as Server).closeAllConnections()
    server!.close()
    await once(server!, 'close')
    server = undefined
    await expect(ask(url)).rejects.toThrow(`dial tcp ${url.host}: connect: connection refused`)
  })

  it('tells an answer that breaks off', async () => {
    server = createTcpServer((socket) => void socket.resume().end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await expect(ask(url)).rejects.toThrow('unexpected EOF')
  })

  it('sends each body whole when many go at once over new connections', async () => {
    const url = await serve((request, response) => void request.pipe(response))
    const bodies = Array.from({ length: 20 }, (_, i) => Buffer.alloc(1000 + i * 30_000, 97 + i))
    const answers = await Promise.all(bodies.map((body) => ask(url, { body })))
    expect(answers.map((answer, i) => answer === `200 ${bodies[i]!.toString()}`)).toEqual(bodies.map(() => true))
  })

  it('keeps idle connections for five minutes, and not for seven', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const url = await serve((_request, response) => response.end('ok'))
      ;(server as Server).keepAliveTimeout = 0
      let closed = 0
      server!.on('connection', (socket) => void socket.on('close', () => closed++))
      await Promise.all([ask(url), ask(url)])
      vi.advanceTimersByTime(299_000)
      expect(await ask(url)).toBe('200 ok')
      expect(closed).toBe(0)
      // Of the two, one was used meanwhile.
      vi.advanceTimersByTime(120_000)
      while (closed === 0) await new Promise((resolve) => setImmediate(resolve))
      expect(await ask(url)).toBe('200 ok')
      vi.advanceTimersByTime(420_000)
      while (closed === 1) await new Promise((resolve) => setImmediate(resolve))
    } finally {
      vi.useRealTimers()
    }
  })

  it('survives a taker that gives up in the middle of a piece', async () => {
    const url = await serve((_request, response) => response.end(Buffer.alloc(1_000_000)))
    const ended: unknown[] = []
    let pieces = 0
    const taker: ExchangeTaker = {
      bodyBytesMax: 1e9,
      wantsHeaders: false,
      wantsBody: () => true,
      open: () => ({
        push() {
          pieces++
          exchanger.cancel(new Error('enough'))
        },
      }),
      take: () => ended.push('taken'),
      onEnd: (error) => ended.push(error),
    }
    const exchanger: Exchanger = new Exchanger(client, 2000, taker)
    for (let i = 1; i <= 2; i++) {
      exchanger.start(prepareRequest('GET', url, {}), '', undefined)
      while (ended.length < i) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(ended.map(String)).toEqual(ended.map(() => `HttpRequestError: Get "${url.href}": enough`))
    // The room's and the one that was just read.
    expect(pieces).toBeLessThanOrEqual(4)
    expect(await ask(url)).toMatch(/^200 /)
  })

  it('passes on what the taker throws', async () => {
    const url = await serve((_request, response) => response.end())
    const failure = new TypeError('no')
    const take = (): never => {
      throw failure
    }
    const exchange = { timeoutMs: 1000, bodyBytesMax: 10, signal: undefined, take }
    await expect(client.exchange(prepareRequest('GET', url, {}), exchange)).rejects.toBe(failure)
  })
})

it('refuses headers that are more than one line', () => {
  expect(() => prepareRequest('GET', new URL('http://a/'), { a: 'b\r\nc: d' })).toThrow(TypeError)
  expect(() => prepareRequest('GET', new URL('http://a/'), { 'a b': 'c' })).toThrow(TypeError)
})

it('leaves https to the general client', () => {
  expect(isDirect(undefined, new URL('http://a/'))).toBe(true)
  expect(isDirect(undefined, new URL('https://a/'))).toBe(false)
  expect(isDirect(undefined, new URL('http://user:password@a/'))).toBe(false)
})

describe('a taker that needs its time', () => {
  /** Reads a large answer, busy for `pieceMs` with each piece; resolves with the pieces and the error. */
  async function read(url: URL, timeoutMs: number, pieceMs: number): Promise<{ pieces: number; error: unknown }> {
    let pieces = 0
    const ended = Promise.withResolvers<unknown>()
    const taker: ExchangeTaker = {
      bodyBytesMax: 2 ** 30,
      wantsHeaders: false,
      wantsBody: () => true,
      open: () => ({
        push() {
          pieces++
          const until = performance.now() + pieceMs
          while (performance.now() < until);
        },
      }),
      take: () => {},
      onEnd: (error) => ended.resolve(error),
    }
    new Exchanger(client, timeoutMs, taker).start(prepareRequest('GET', url, {}), '', undefined)
    return { error: await ended.promise, pieces }
  }

  it('does not use up the time of the other side, and lets others have their turn', async () => {
    const body = Buffer.alloc(4 * 2 ** 20, 'x')
    const url = await serve((_request, response) => response.end(body))
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const { error, pieces } = await read(url, 500, 25)
    clearInterval(timer)
    expect(error).toBeUndefined()
    // More than three times the timeout.
    expect(pieces * 25).toBeGreaterThan(1500)
    expect(turns).toBeGreaterThan(pieces / 4)
  })

  it('does not save one that stops in the middle', async () => {
    const url = await serve((_request, response) => void response.write(Buffer.alloc(2 ** 20, 'x')))
    const { error, pieces } = await read(url, 100, 5)
    expect(String(error)).toContain('context deadline exceeded')
    expect(pieces).toBeGreaterThan(1)
  })
})
