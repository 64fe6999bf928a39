import { createServer, type IncomingMessage } from 'node:http'
import { duplexPair } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { PlainRequests, readPlainRequest } from './plain-request.ts'

const lines = ['GET /metrics?a=1 HTTP/1.1', 'Host: a:9113', 'accept-encoding: \t gzip ', 'Connection: keep-alive']
const request = (all: readonly string[] = lines): Buffer => Buffer.from(`${all.join('\r\n')}\r\n\r\n`, 'latin1')
const withLine = (...added: readonly string[]): Buffer => request([...lines, ...added])

describe('a plain request', () => {
  it('is read with its target and its fields', () => {
    const read = readPlainRequest(withLine('X-ü: a:b'.replace('ü', 'u')))
    expect(read).toEqual({
      method: 'GET',
      target: '/metrics?a=1',
      headers: Object.assign(Object.create(null), { host: 'a:9113', 'accept-encoding': 'gzip', connection: 'keep-alive', 'x-u': 'a:b' }),
      bytes: withLine('X-u: a:b').length,
    })
    expect(readPlainRequest(request(['HEAD / HTTP/1.1', 'Host:']))).toMatchObject({ method: 'HEAD', target: '/' })
  })

  it('is up to 8 KiB long', () => {
    const filler = 8 * 1024 - withLine('F: ').length
    expect(readPlainRequest(withLine(`F: ${'x'.repeat(filler)}`))).toBeDefined()
    expect(readPlainRequest(withLine(`F: ${'x'.repeat(filler + 1)}`))).toBeUndefined()
  })

  const others: readonly [string, Buffer][] = [
    ['not whole', request().subarray(0, -1)],
    ['another method', request(['POST / HTTP/1.1', ...lines.slice(1)])],
    ['another version', request(['GET / HTTP/1.0', ...lines.slice(1)])],
    ['a whole URL', request(['GET http://a/ HTTP/1.1', ...lines.slice(1)])],
    ['an empty line before it', Buffer.concat([Buffer.from('\r\n'), request()])],
    ['no fields', request(['GET / HTTP/1.1'])],
    ['no host', request(lines.filter((line) => !line.startsWith('Host')))],
    ['a field twice', withLine('X: 1', 'x: 2')],
    ['two hosts', withLine('host: b')],
    ['a length', withLine('Content-Length: 0')],
    ['chunks', withLine('Transfer-Encoding: chunked')],
    ['an expectation', withLine('Expect: 100-continue')],
    ['an upgrade', withLine('Upgrade: h2c')],
    ['the end of the connection', request([...lines.slice(0, 3), 'Connection: close'])],
    ['what is said to a proxy about the connection', withLine('Proxy-Connection: close')],
    ['trailers', withLine('TE: trailers')],
    ['a blank before a colon', withLine('X : 1')],
    ['a folded line', withLine(' chunked')],
    ['a line without a name', withLine(': x')],
    ['a bare line feed', withLine('X: a\nY: b')],
    ['a bare carriage return', withLine('X: a\rb')],
    ['a NUL', withLine('X: a\0')],
    ['line feeds alone', Buffer.from(request().toString().replaceAll('\r\n', '\n'))],
  ]
  it.each(others)('with %s is for node:http', (_what, bytes) => {
    expect(readPlainRequest(bytes)).toBeUndefined()
  })

  it('that comes again on its connection is the same, and another one is not', () => {
    const requests = new PlainRequests()
    const first = requests.read(request())
    expect(first).toBeDefined()
    expect(requests.read(Buffer.concat([request(), Buffer.from('more')]))).toBe(first)
    expect(requests.read(request().subarray(0, -1))).toBeUndefined()
    expect(requests.read(Buffer.from(request().toString().replace('gzip', 'zstd')))?.headers['accept-encoding']).toBe('zstd')
    expect(requests.read(request())).toEqual(first)
  })

  it('means the same to node:http, whatever was changed in it', async () => {
    const pieces = [
      '\r\n',
      '\n',
      '\r',
      ' ',
      '\t',
      ':',
      ',',
      '\0',
      '\x7f',
      '\xff',
      'x',
      '3',
      '#',
      '%',
      'Connection: x\r\n',
      'Host: a\r\n',
      'X: y\r\n',
      '__proto__: z\r\n',
    ]
    let seed = 7
    const random = (below: number): number => (seed = (seed * 48271) % 0x7fffffff) % below
    let same = 0
    for (let round = 0; round < 3000; round++) {
      let text = request().toString('latin1')
      for (let change = 0; change <= random(2); change++) {
        const at = random(text.length)
        text = text.slice(0, at) + pieces[random(pieces.length)]! + text.slice(at + random(3))
      }
      const ours = readPlainRequest(Buffer.from(text, 'latin1'))
      if (ours === undefined) continue
      same++
      const theirs = await readByNode(text.slice(0, ours.bytes))
      const wanted = { method: theirs?.method, target: theirs?.url, headers: Object.entries(theirs?.headers ?? {}) }
      expect({ method: ours.method, target: ours.target, headers: Object.entries(ours.headers) }, JSON.stringify(text)).toEqual(wanted)
    }
    expect(same).toBeGreaterThan(300)
  })
})

/** Undefined if it refuses the request or waits for more. */
function readByNode(text: string): Promise<IncomingMessage | undefined> {
  return new Promise((resolve) => {
    const server = createServer((message) => void message.resume().on('end', () => resolve(message)))
    server.on('clientError', () => resolve(undefined))
    const [client, connection] = duplexPair()
    server.emit('connection', connection)
    client.write(Buffer.from(text, 'latin1'))
    setTimeout(() => resolve(undefined), 1000).unref()
  })
}
