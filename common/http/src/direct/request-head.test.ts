import { createServer, type IncomingMessage } from 'node:http'
import { duplexPair } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { readRequestHead, RequestHeads } from './request-head.ts'

const lines = [
  'POST /write HTTP/1.1',
  'Host: a:9090',
  'Content-Length: 3',
  'Authorization: Basic eDp5',
  'X-Other:',
  'content-type: \ta/b;c=d \t',
]
const head = (changed: readonly string[] = lines): Buffer => Buffer.from(`${changed.join('\r\n')}\r\n\r\n`, 'latin1')
const withLine = (...more: string[]): Buffer => head([...lines, ...more])
const without = (name: string): Buffer => head(lines.filter((line) => !line.startsWith(name)))
const read = (bytes: Buffer) => readRequestHead(bytes, 0)

describe('the head of a request', () => {
  it('is read with its values trimmed, wherever it begins', () => {
    const bytes = Buffer.concat([Buffer.from('before'), head(), Buffer.from('abc')])
    expect(readRequestHead(bytes, 6)).toEqual({
      path: '/write',
      headBytes: head().length,
      bodyBytes: 3,
      authorization: 'Basic eDp5',
      contentType: 'a/b;c=d',
      contentEncoding: undefined,
    })
  })

  it('may say that the connection is kept', () => {
    expect(read(withLine('Connection: Keep-Alive'))).toBeDefined()
  })

  it('is up to 8 KiB long', () => {
    const filler = 8 * 1024 - withLine('F: ').length
    expect(read(withLine(`F: ${'x'.repeat(filler)}`))).toBeDefined()
    expect(read(withLine(`F: ${'x'.repeat(filler + 1)}`))).toBeUndefined()
  })

  it('has a length of up to nine digits', () => {
    const lengthOf = (text: string) => read(Buffer.from(head().toString().replace('Length: 3', `Length: ${text}`)))?.bodyBytes
    expect(['0', '999999999', '007'].map(lengthOf)).toEqual([0, 999_999_999, 7])
    expect(['', '1000000000', '-1', '+1', '1.0', '0x1', '1 2', '1,1', 'x'].map(lengthOf)).toEqual(Array(9).fill(undefined))
  })

  const others: readonly [string, Buffer][] = [
    ['not whole', head().subarray(0, -1)],
    ['another method', head(['PUT /write HTTP/1.1', ...lines.slice(1)])],
    ['another version', head(['POST /write HTTP/1.0', ...lines.slice(1)])],
    ['two blanks before the path', head(['POST  /write HTTP/1.1', ...lines.slice(1)])],
    ['a whole URL', head(['POST http://a/write HTTP/1.1', ...lines.slice(1)])],
    ['an empty line before it', Buffer.concat([Buffer.from('\r\n'), head()])],
    ['no fields', head(['POST /write HTTP/1.1'])],
    ['no host', without('Host')],
    ['two hosts', withLine('host: b')],
    ['no length', without('Content-Length')],
    ['two lengths', withLine('content-length: 3')],
    ['two authorizations', withLine('authorization: Basic eDp5')],
    ['two types', withLine('Content-Type: a/b')],
    ['two encodings', withLine('Content-Encoding: snappy', 'Content-Encoding: snappy')],
    ['chunks', withLine('Transfer-Encoding: chunked')],
    ['an expectation', withLine('Expect: 100-continue')],
    ['an upgrade', withLine('Connection: upgrade', 'Upgrade: h2c')],
    ['the end of the connection', withLine('Connection: close')],
    ['trailers', withLine('Trailer: x')],
    ['a blank before a colon', withLine('Transfer-Encoding : chunked')],
    ['a folded line', withLine(' chunked')],
    ['a line without a colon', withLine('chunked')],
    ['a line without a name', withLine(': chunked')],
    ['a bare line feed', withLine('X: a\nTransfer-Encoding: chunked')],
    ['a bare carriage return', withLine('X: a\rTransfer-Encoding: chunked')],
    ['a NUL', withLine('X: a\0')],
    ['line feeds alone', Buffer.from(head().toString().replaceAll('\r\n', '\n'))],
  ]
  it.each(others)('with %s is for node:http', (_what, bytes) => {
    expect(read(bytes)).toBeUndefined()
  })

  it('that follows on a connection is read as if it were the first, whatever is other in it', () => {
    const pieces = [
      '\r\n',
      '\r',
      ' ',
      ':',
      '\0',
      'x',
      '0',
      '3',
      '12345678',
      'Content-Length: 3\r\n',
      'Host: b\r\n',
      'Connection: close\r\n',
    ]
    let seed = 11
    const random = (below: number): number => (seed = (seed * 48271) % 0x7fffffff) % below
    const heads = new RequestHeads()
    let same = 0
    for (let round = 0; round < 20_000; round++) {
      let text = head().toString('latin1')
      if (random(2) === 0)
        text = text.replace(/Length: \d+/, `Length: ${random(2) === 0 ? random(1e9) : random(100)}${random(9) === 0 ? '0' : ''}`)
      if (random(3) === 0) {
        const at = random(text.length)
        text = text.slice(0, at) + pieces[random(pieces.length)]! + text.slice(at + random(3))
      }
      const bytes = Buffer.from(`${'p'.repeat(random(3))}${text}body`, 'latin1').subarray(0, text.length + random(4) - 1)
      const start = random(3)
      const wanted = readRequestHead(bytes, start)
      if (wanted !== undefined) same++
      expect(heads.read(bytes, start), JSON.stringify(text)).toEqual(wanted)
    }
    expect(same).toBeGreaterThan(1000)
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
      'Content-Length: 3\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Connection: x\r\n',
    ]
    let seed = 7
    const random = (below: number): number => (seed = (seed * 48271) % 0x7fffffff) % below
    let same = 0
    for (let round = 0; round < 3000; round++) {
      let text = head().toString('latin1')
      for (let change = 0; change <= random(2); change++) {
        const at = random(text.length)
        text = text.slice(0, at) + pieces[random(pieces.length)]! + text.slice(at + random(3))
      }
      const ours = read(Buffer.from(text, 'latin1'))
      if (ours === undefined || ours.bodyBytes > 1000) continue
      same++
      const theirs = await readByNode(`${text.slice(0, ours.headBytes)}${'b'.repeat(ours.bodyBytes)}`)
      const { url, headers, bodyBytes } = theirs ?? {}
      const read2 = { path: url, bodyBytes, authorization: headers?.authorization, contentType: headers?.['content-type'] }
      const { path, authorization, contentType } = ours
      expect(read2, JSON.stringify(text)).toEqual({ path, bodyBytes: ours.bodyBytes, authorization, contentType })
    }
    expect(same).toBeGreaterThan(300)
  })
})

/** Undefined if it refuses the request or waits for more. */
function readByNode(text: string): Promise<(Pick<IncomingMessage, 'url' | 'headers'> & { bodyBytes: number }) | undefined> {
  return new Promise((resolve) => {
    const server = createServer((request) => {
      let bodyBytes = 0
      request.on('data', (chunk: Buffer) => (bodyBytes += chunk.length))
      request.on('end', () => resolve({ url: request.url, headers: request.headers, bodyBytes }))
    })
    server.on('clientError', () => resolve(undefined))
    const [client, connection] = duplexPair()
    server.emit('connection', connection)
    client.write(Buffer.from(text, 'latin1'))
    setTimeout(() => resolve(undefined), 1000).unref()
  })
}
