import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Endpoint } from './endpoints.ts'
import { serviceRules } from './known-services.ts'
import { probeService } from './probe.ts'
import type { ProbeResult } from './probe-result.ts'
import { noFacts } from './process-facts.ts'

const servers: Server[] = []
const sockets = new Set<Socket>()
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})

async function listen(server: Server): Promise<number> {
  servers.push(server)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function probe(
  service: string,
  ports: readonly number[],
  credentials?: { username: string; password: string; source: string },
): Promise<ProbeResult> {
  const rule = serviceRules.find((known) => known.service === service)!
  const endpoints = ports.map((port): Endpoint => ({
    kind: 'tcp',
    host: '127.0.0.1',
    port,
    listener: { host: '127.0.0.1', port, inode: port },
  }))
  const found = { key: '1', rule, process: undefined, startTimeMs: 0, matchedBy: 'name' as const, tcp: [], unix: [], isOwnNamespace: true }
  return probeService({ service: found, facts: noFacts, endpoints, credentials })
}

describe('Redis', () => {
  /** Answers each command with the next line, and keeps the commands. */
  async function redis(...lines: string[]): Promise<{ port: number; commands: string[] }> {
    const commands: string[] = []
    const port = await listen(
      createServer((socket) => {
        socket.on('data', (chunk: Buffer) => {
          commands.push(chunk.toString())
          const line = lines.shift()
          if (line !== undefined) socket.write(line)
        })
      }),
    )
    return { port, commands }
  }
  const login = { username: '', password: 'hunter2', source: '/c/redis.yml' }

  test.each(['+PONG\r\n', '-LOADING Redis is loading the dataset in memory\r\n', '-MASTERDOWN Link with MASTER is down\r\n'])(
    'is one that answers PING with %j',
    async (line) => {
      const { port, commands } = await redis(line)
      expect(await probe('redis', [port])).toEqual({ kind: 'confirmed', address: { address: `127.0.0.1:${port}` } })
      expect(commands).toEqual(['*1\r\n$4\r\nPING\r\n'])
    },
  )

  test.each(['-NOAUTH Authentication required.\r\n', '-DENIED Redis is running in protected mode because\r\n'])(
    'wants credentials: %j',
    async (line) => {
      const { port } = await redis(line)
      expect(await probe('redis', [port])).toMatchObject({ kind: 'needs-credentials', address: { address: `127.0.0.1:${port}` } })
    },
  )

  test('lets in with a password, by name where there is one', async () => {
    const first = await redis('+OK\r\n', '+PONG\r\n')
    expect(await probe('redis', [first.port], login)).toMatchObject({ kind: 'confirmed', address: { password: 'hunter2' } })
    expect(first.commands[0]).toBe('*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n')
    const second = await redis('+OK\r\n', '+PONG\r\n')
    await probe('redis', [second.port], { ...login, username: 'ü' })
    expect(second.commands[0]).toBe('*3\r\n$4\r\nAUTH\r\n$2\r\nü\r\n$7\r\nhunter2\r\n')
  })

  test('that refuses a password needs another, and one without any is open', async () => {
    const wrong = await redis('-WRONGPASS invalid username-password pair\r\n')
    expect(await probe('redis', [wrong.port], login)).toMatchObject({
      kind: 'needs-credentials',
      reason: '/c/redis.yml: WRONGPASS invalid username-password pair',
    })
    const open = await redis('-ERR AUTH <password> called without any password configured for the default user\r\n')
    expect(await probe('redis', [open.port], login)).toEqual({ kind: 'confirmed', address: { address: `127.0.0.1:${open.port}` } })
  })

  test.each(['HTTP/1.1 400 Bad Request\r\n\r\n', '\0\0\0', `+${'x'.repeat(2000)}`])('is not one that answers %j', async (line) => {
    const { port } = await redis(line)
    expect(await probe('redis', [port])).toMatchObject({ kind: 'other' })
  })
})

describe('a metrics page', () => {
  const serve = (status: number, contentType: string, body: string, seen: string[] = []): Promise<number> =>
    listen(
      createHttpServer((request, response) => {
        seen.push(`${request.method} ${request.url}`)
        response.writeHead(status, { 'content-type': contentType }).end(body)
      }),
    )

  test.each([
    ['text/plain; version=0.0.4', '# HELP a b\n'],
    ['text/plain', 'a{b="c"} 1\n'],
    ['text/plain', ''],
    ['application/openmetrics-text; version=1.0.0', '# EOF\n'],
    ['application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily', '\x01'],
  ])('is one of content type %s that begins with %j', async (contentType, body) => {
    const seen: string[] = []
    const port = await serve(200, contentType, body, seen)
    expect(await probe('node', [port])).toEqual({ kind: 'confirmed', address: { uri: `http://127.0.0.1:${port}/metrics` } })
    expect(seen).toEqual(['GET /metrics'])
  })

  test.each([
    [200, 'text/html', '<html>', 'other'],
    [200, 'text/plain', 'Hello there\n', 'other'],
    [404, 'text/plain', '', 'other'],
    [401, 'text/plain', '', 'needs-credentials'],
  ])('is not one with status %i, content type %s and %j', async (status, contentType, body, kind) => {
    expect(await probe('node', [await serve(status, contentType, body)])).toMatchObject({ kind })
  })

  test('is read to its bound only', async () => {
    const port = await listen(
      createHttpServer((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/plain' })
        const more = (): void => {
          while (!response.destroyed && response.write(`a 1\n${'# x\n'.repeat(4096)}`));
        }
        response.on('drain', more)
        more()
      }),
    )
    expect(await probe('node', [port])).toMatchObject({ kind: 'confirmed' })
  })

  test('behind TLS is told by what Go says to plain HTTP', async () => {
    const port = await serve(400, 'text/plain', 'Client sent an HTTP request to an HTTPS server.\n')
    expect(await probe('node', [port])).toEqual({ kind: 'confirmed', address: { uri: `https://127.0.0.1:${port}/metrics` } })
  })

  test('is looked for on the next port where another thing answers', async () => {
    const other = await listen(createServer((socket) => socket.end('what?\n')))
    const port = await serve(200, 'text/plain', 'a 1\n')
    expect(await probe('statsd', [other, port])).toMatchObject({ kind: 'confirmed', address: { uri: `http://127.0.0.1:${port}/metrics` } })
  })
})

test('a port where nobody answers is told as such, and the next place is tried', async () => {
  const port = await listen(createServer())
  servers.pop()!.close()
  await new Promise((resolve) => setImmediate(resolve))
  expect(await probe('redis', [port])).toMatchObject({ kind: 'not-reachable', reason: `127.0.0.1:${port}: ECONNREFUSED` })
  const open = await listen(createServer((socket) => socket.on('data', () => socket.write('+PONG\r\n'))))
  expect(await probe('redis', [port, open])).toMatchObject({ kind: 'confirmed' })
})
