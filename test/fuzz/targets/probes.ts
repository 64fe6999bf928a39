import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Endpoint } from '@narthex/agent/discovery/local/endpoints'
import { probeHttp } from '@narthex/agent/discovery/local/probe-http'
import { probeMetrics } from '@narthex/agent/discovery/local/probe-metrics'
import { probeMysql } from '@narthex/agent/discovery/local/probe-mysql'
import { probeRedis } from '@narthex/agent/discovery/local/probe-redis'
import type { ProbeResult } from '@narthex/agent/discovery/local/probe-result'
import { encode, ensure, type FuzzTarget } from '../fuzz-target.ts'

/** Inputs of `npm test`: each is a connection. */
const share = 200
const timeoutMs = 10_000
const credentials = { username: 'u', password: 'hunter2', source: 'fuzz' }

/** A server at a unix socket that says the input to everybody and ends. */
class RudeServer {
  #directory = ''
  #server: Server | undefined
  #greeting: Uint8Array = new Uint8Array(0)

  async say(greeting: Uint8Array): Promise<Endpoint> {
    this.#greeting = greeting
    if (this.#server === undefined) {
      this.#directory = mkdtempSync(join(tmpdir(), 'narthex-fuzz-'))
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.resume()
        socket.end(this.#greeting)
      })
      this.#server = server
      await new Promise<void>((resolve) => server.listen(join(this.#directory, 's'), resolve))
    }
    return { kind: 'unix', path: join(this.#directory, 's') }
  }

  close(): void {
    this.#server?.close()
    this.#server = undefined
    if (this.#directory !== '') rmSync(this.#directory, { recursive: true, force: true })
  }
}

const rude = new RudeServer()
const kinds: ReadonlySet<ProbeResult['kind']> = new Set(['confirmed', 'needs-credentials', 'not-reachable', 'other'])

function ensureResult(result: ProbeResult): void {
  ensure(kinds.has(result.kind), `a probe gives ${result.kind}`)
  if (result.kind === 'confirmed') return
  ensure(result.reason !== '' && !/\p{Cc}/u.test(result.reason), `a reason is not one line: ${JSON.stringify(result.reason)}`)
  ensure(result.reason.length <= 4_096, `a reason of ${result.reason.length} characters`)
  ensure(!result.reason.includes(credentials.password), 'a reason has the password')
}

function packet(sequence: number, ...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const payload = parts.flatMap((part) => [...part])
  return Uint8Array.from([payload.length & 0xff, payload.length >> 8, 0, sequence, ...payload])
}

const zero = [0]
const salt = encode('abcdefghijklmnopqrst')
const greet = (plugin: string): Uint8Array =>
  packet(
    0,
    ...[[10], encode('8.0.36'), zero, [1, 0, 0, 0], salt.subarray(0, 8), zero, [0xff, 0xf7], [33], [2, 0], [0xff, 0xff], [21]],
    ...[new Uint8Array(10), salt.subarray(8), zero, encode(plugin), zero],
  )
const ok = [0, 0, 0, 2, 0, 0, 0]
const denied = [0xff, 0x15, 0x04, ...encode('#28000Access denied')]
const switchTo = (plugin: string): Uint8Array => Uint8Array.from([0xfe, ...encode(plugin), 0, ...salt, 0])
const concat = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]))

const http = (head: string, body: string): Uint8Array =>
  encode(`HTTP/1.1 ${head}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`)

export const probeTargets: readonly FuzzTarget[] = [
  {
    name: 'probe-mysql',
    seeds: [
      concat(greet('mysql_native_password'), packet(2, ok)),
      concat(greet('caching_sha2_password'), packet(2, [1, 3]), packet(3, ok)),
      concat(greet('caching_sha2_password'), packet(2, [1, 4]), packet(4, denied)),
      concat(greet('auth_socket'), packet(2, switchTo('mysql_native_password')), packet(4, ok)),
      packet(0, [0xff, 0x69, 0x04, ...encode('Host is blocked')]),
    ],
    refusals: ['Error'],
    share,
    read: async (bytes) => ensureResult(await probeMysql(await rude.say(bytes), credentials, timeoutMs)),
    close: () => rude.close(),
  },
  {
    name: 'probe-redis',
    seeds: [
      encode('+OK\r\n+PONG\r\n'),
      encode('-ERR AUTH called without any password configured\r\n'),
      encode('+OK\r\n-LOADING Redis\r\n'),
    ],
    refusals: ['Error'],
    share,
    read: async (bytes) => ensureResult(await probeRedis(await rude.say(bytes), credentials, timeoutMs)),
    close: () => rude.close(),
  },
  {
    name: 'probe-metrics',
    seeds: [
      http('200 OK\r\nContent-Type: text/plain; version=0.0.4', '# TYPE a gauge\na{b="c"} 1\n'),
      http('200 OK\r\nContent-Type: application/openmetrics-text', '# EOF\n'),
      http('401 Unauthorized', 'no'),
      http('400 Bad Request', 'Client sent an HTTP request to an HTTPS server.'),
    ],
    refusals: ['Error'],
    share,
    async read(bytes) {
      const endpoint = await rude.say(bytes)
      ensureResult(await probeMetrics(endpoint, '/metrics', timeoutMs))
      const { status, start } = await probeHttp(endpoint, 'http', '/status', timeoutMs)
      ensure(status >= 0 && start.length <= 65_536, `status ${status}, ${start.length} characters`)
    },
    close: () => rude.close(),
  },
]
