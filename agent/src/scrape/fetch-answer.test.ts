import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { createClients } from '../http/clients.ts'
import type { Clients } from '../http/clients.ts'
import { streamBytesMin } from '@narthex/http/direct-client/answer-reader'
import { AnswerFetcher } from './fetch-answer.ts'
import type { FetchOptions } from './fetch-answer.ts'
import type { AnswerTaker } from './fetch-answer-intake.ts'
import { InProcessTargets } from './in-process.ts'
import { PieceUnpackers, wholeBytesMax } from './unpack-pieces.ts'

let server: Server
let clients: Clients
let inProcess: InProcessTargets
let requests: string[]
/** Writes the answer to the nth request, from 0. */
let answer: (socket: Socket, turn: number) => void

beforeEach(async () => {
  requests = []
  inProcess = new InProcessTargets()
  clients = createClients(undefined)
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      requests.push(bytes.toString('latin1'))
      answer(socket, requests.length - 1)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(async () => {
  await clients.close()
  server.close()
})

function ask(fetch: AnswerFetcher, taker: AnswerTaker): Promise<number> {
  // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- as it was given
  return new Promise((resolve, reject) => fetch.ask(taker, { onAnswer: resolve, onFailure: reject }))
}

/** Notes what it is given. */
class NotingTaker implements AnswerTaker {
  readonly calls: string[] = []
  readonly #takesPieces: boolean
  body: Buffer = Buffer.alloc(0)
  #pieces: Buffer[] = []

  constructor(takesPieces = true) {
    this.#takesPieces = takesPieces
  }

  take(contentType: string, body: Uint8Array): void {
    this.calls.push(`take ${contentType}`)
    this.body = Buffer.from(body)
  }

  open(contentType: string) {
    this.calls.push(`open ${contentType}`)
    if (!this.#takesPieces) return undefined
    return {
      push: (bytes: Uint8Array) => void this.#pieces.push(Buffer.from(bytes)),
      end: () => {
        this.calls.push('end')
        this.body = Buffer.concat(this.#pieces)
      },
    }
  }

  get pieceLengths(): number[] {
    return this.#pieces.map(({ length }) => length)
  }
}

/** The two ways to a target: the direct client's, and the general one's because of a header. */
const ways = {
  direct: undefined,
  general: { ...defaultHttpClientConfig, httpHeaders: { 'x-a': { values: ['b'], secrets: [], files: [] } } },
}
type Way = keyof typeof ways

function fetcher(options: Partial<FetchOptions> = {}, way: Way = 'direct'): AnswerFetcher {
  if (way === 'general') clients = createClients(ways.general as never)
  return new AnswerFetcher({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    socketPath: undefined,
    headers: { accept: 'text/plain' },
    timeoutMs: 5000,
    bodySizeLimitBytes: 0,
    clients,
    inProcess,
    ...options,
  })
}

function head(fields: string, status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\ncontent-type: text/plain\r\n${fields}\r\n\r\n`
}

/** A body in the three forms of HTTP/1.1; the last one ends with the connection. */
const forms: Record<string, (body: Buffer, fields?: string) => Buffer> = {
  sized: (body, fields = 'x: y') => Buffer.concat([Buffer.from(head(`${fields}\r\ncontent-length: ${body.length}`)), body]),
  chunked(body, fields = 'x: y') {
    const parts: Buffer[] = [Buffer.from(head(`${fields}\r\ntransfer-encoding: chunked`))]
    for (let at = 0; at < body.length; at += 30_011) {
      const chunk = body.subarray(at, at + 30_011)
      parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
    }
    return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
  },
  'until-close': (body, fields = 'x: y') => Buffer.concat([Buffer.from(head(`${fields}\r\nconnection: close`)), body]),
}

function send(form: string, body: Buffer, fields?: string): void {
  answer = (socket) => {
    socket.write(forms[form]!(body, fields))
    if (form === 'until-close') socket.end()
  }
}

const texts = new Map<number, Buffer>()
const packedTexts = new Map<string, Buffer>()

/** Text that packs badly: what is sent is as large as half of it at least. */
function textOf(bytes: number): Buffer {
  const text =
    texts.get(bytes) ??
    Buffer.from(
      randomBytes(Math.ceil(bytes / 2))
        .toString('hex')
        .slice(0, bytes),
    )
  texts.set(bytes, text)
  return text
}

function packedTextOf(packing: string, bytes: number): Buffer {
  const key = `${packing} ${bytes}`
  const packed = packedTexts.get(key) ?? packers[packing]!(textOf(bytes))
  packedTexts.set(key, packed)
  return packed
}

const packers: Record<string, (body: Buffer) => Buffer> = {
  identity: (body) => body,
  gzip: (body) => gzipSync(body, { level: 1 }),
  zstd: (body) => zstdCompressSync(body),
}

describe.each(['direct', 'general'] as const)('through the %s client', (way) => {
  describe.each(Object.keys(forms))('a %s answer', (form) => {
    test.each(Object.keys(packers))('of %s is taken whole when it is small', async (packing) => {
      const body = Buffer.from('m 1\n'.repeat(1000))
      send(form, packers[packing]!(body), `content-encoding: ${packing}`)
      const taker = new NotingTaker()
      expect(await ask(fetcher({}, way), taker)).toBe(4000)
      expect([taker.calls, taker.body.equals(body)]).toEqual([['take text/plain'], true])
    })

    test.each(Object.keys(packers))('of %s is streamed when it is large', async (packing) => {
      const body = textOf(700_000)
      const packed = packedTextOf(packing, 700_000)
      expect(packed.length).toBeGreaterThan(streamBytesMin)
      send(form, packed, `content-encoding: ${packing}`)
      const taker = new NotingTaker()
      expect(await ask(fetcher({}, way), taker)).toBe(body.length)
      expect([taker.calls, taker.body.equals(body)]).toEqual([['open text/plain', 'end'], true])
    })

    test.each(Object.keys(packers))('of %s is collected when nobody streams', async (packing) => {
      const body = textOf(700_000)
      send(form, packedTextOf(packing, 700_000), `content-encoding: ${packing}`)
      const taker = new NotingTaker(false)
      expect(await ask(fetcher({}, way), taker)).toBe(body.length)
      expect(taker.calls.at(-1)).toBe('take text/plain')
      expect(taker.body.equals(body)).toBe(true)
    })
  })

  test.each([
    ['identity', 1000],
    ['gzip', 1000],
    ['zstd', 1000],
    ['identity', 1_000_000],
    ['gzip', 1_000_000],
    ['zstd', 1_000_000],
    ['gzip', 1_500_000],
  ])('%s of %d bytes is refused by a limit of as much, not by one more', async (packing, bytes) => {
    send('chunked', packedTextOf(packing, bytes), `content-encoding: ${packing}`)
    for (const takesPieces of [true, false]) {
      expect(await ask(fetcher({ bodySizeLimitBytes: bytes + 1 }, way), new NotingTaker(takesPieces))).toBe(bytes)
      const taker = new NotingTaker(takesPieces)
      await expect(ask(fetcher({ bodySizeLimitBytes: bytes }, way), taker)).rejects.toMatchObject({
        message: 'body size limit exceeded',
        failure: 'body-size-limit',
      })
      expect(taker.calls.filter((call) => !call.startsWith('open'))).toEqual([])
      expect(taker.pieceLengths.reduce((sum, length) => sum + length, 0)).toBeLessThan(bytes)
    }
  })

  test('a small answer that unpacks to more than the shared buffer goes in pieces', async () => {
    for (const [bytes, calls] of [
      [wholeBytesMax, ['take text/plain']],
      [wholeBytesMax + 1, ['open text/plain', 'end']],
      [5_000_000, ['open text/plain', 'end']],
    ] as const) {
      const body = Buffer.alloc(bytes, 'm 1\n')
      send('sized', gzipSync(body), 'content-encoding: gzip')
      const taker = new NotingTaker()
      expect(await ask(fetcher({}, way), taker)).toBe(bytes)
      expect([taker.calls, taker.body.equals(body)]).toEqual([calls, true])
    }
  })

  test('an answer that is not 200 fails, whatever its body', async () => {
    const fetch = fetcher({ bodySizeLimitBytes: 100 }, way)
    for (const bytes of [0, 10, 5000, 1_000_000]) {
      answer = (socket) =>
        void socket.write(Buffer.concat([Buffer.from(head(`content-length: ${bytes}`, '503 Service Unavailable')), Buffer.alloc(bytes)]))
      const taker = new NotingTaker()
      await expect(ask(fetch, taker)).rejects.toThrow('server returned HTTP status 503 Service Unavailable')
      expect(taker.calls).toEqual([])
    }
  })

  test('an encoding that nobody asked for is refused', async () => {
    for (const bytes of [10, 1_000_000]) {
      send('sized', Buffer.alloc(bytes), 'content-encoding: br')
      await expect(ask(fetcher({}, way), new NotingTaker())).rejects.toThrow(
        'cannot read answer: want content encoding gzip or zstd, got "br"',
      )
    }
  })

  test('what the taker throws is what the scrape fails with', async () => {
    const failure = new TypeError('no')
    const fail = (): never => {
      throw failure
    }
    const open = () => ({ push() {}, end() {} })
    for (const packing of ['identity', 'gzip']) {
      send('chunked', packers[packing]!(Buffer.from('m 1\n')), `content-encoding: ${packing}`)
      await expect(ask(fetcher({}, way), { take: fail, open })).rejects.toBe(failure)
      send('chunked', packedTextOf(packing, 1_000_000), `content-encoding: ${packing}`)
      await expect(ask(fetcher({}, way), { take() {}, open: fail })).rejects.toBe(failure)
      for (const part of ['push', 'end']) {
        await expect(ask(fetcher({}, way), { take() {}, open: () => ({ ...open(), [part]: fail }) })).rejects.toBe(failure)
      }
    }
  })

  test('an answer that stops is never ended when the deadline comes or the caller gives up', async () => {
    answer = (socket) => void socket.write(Buffer.concat([Buffer.from(head('content-length: 1000000')), Buffer.alloc(500_000, 'x')]))
    const taker = new NotingTaker()
    await expect(ask(fetcher({ timeoutMs: 50 }, way), taker)).rejects.toThrow('context deadline exceeded')
    expect(taker.calls).toEqual(['open text/plain'])
    const given = fetcher({}, way)
    const asked = ask(given, { take() {}, open: () => ({ push: () => given.cancel(new Error('context canceled')), end() {} }) })
    await expect(asked).rejects.toThrow('context canceled')
  })

  test.each([
    ['identity', 700_000],
    ['gzip', 700_000],
    ['zstd', 700_000],
    ['gzip', 5_000_000],
  ])('a taker that gives up in the middle of %s is not called any more', async (packing, bytes) => {
    const body = bytes > 1e6 ? packers[packing]!(Buffer.alloc(bytes)) : packedTextOf(packing, bytes)
    send('sized', body, `content-encoding: ${packing}`)
    const fetch = fetcher({}, way)
    let calls = 0
    const push = (): void => {
      calls++
      fetch.cancel(new Error('context canceled'))
    }
    await expect(ask(fetch, { take() {}, open: () => ({ push, end: () => calls++ }) })).rejects.toThrow('context canceled')
    expect(calls).toBe(1)
    const taker = new NotingTaker()
    expect(await ask(fetch, taker)).toBe(bytes)
    expect(taker.calls).toEqual(['open text/plain', 'end'])
  })

  test('can be called off', async () => {
    answer = () => {}
    const fetch = fetcher({}, way)
    const asked = ask(fetch, new NotingTaker())
    while (requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
    fetch.cancel(new Error('context canceled'))
    await expect(asked).rejects.toThrow('context canceled')
  })
})

describe('a gzip answer', () => {
  const body = textOf(700_000)
  const whole = packers['gzip']!(body)
  const cases: Record<string, [packed: Buffer, error: string | undefined]> = {
    'cut off': [whole.subarray(0, -5), 'cannot unpack gzip answer: unexpected end of file'],
    'with rubbish behind it': [Buffer.concat([whole, Buffer.from('rubbish')]), 'cannot unpack gzip answer: incorrect header check'],
    'with a wrong checksum': [flipped(whole, -7), 'cannot unpack gzip answer: incorrect data check'],
    'of several members': [Buffer.concat([gzipSync(body.subarray(0, 300_000)), gzipSync(body.subarray(300_000))]), undefined],
    'with zeros behind it': [Buffer.concat([whole, Buffer.alloc(100_000)]), undefined],
    'with rubbish behind zeros': [
      Buffer.concat([whole, Buffer.alloc(1000), Buffer.from('x')]),
      'cannot unpack gzip answer: incorrect header check',
    ],
    'that is none': [body, 'cannot unpack gzip answer: incorrect header check'],
  }

  test.each(Object.keys(cases))('%s is streamed to its end or not ended', async (name) => {
    const [packed, error] = cases[name]!
    for (const unpackers of [new PieceUnpackers()]) {
      send('sized', packed, 'content-encoding: gzip')
      const taker = new NotingTaker()
      const asked = ask(fetcher({ unpackers }), taker)
      if (error === undefined)
        expect([await asked, taker.body.equals(body), taker.calls]).toEqual([body.length, true, ['open text/plain', 'end']])
      else {
        await expect(asked).rejects.toThrow(error)
        expect(taker.calls).not.toContain('end')
      }
      // The engine of a broken body spoils no other.
      send('sized', whole, 'content-encoding: gzip')
      expect(await ask(fetcher({ unpackers }), new NotingTaker())).toBe(body.length)
    }
  })

  test.each(Object.keys(cases))('%s, small, is taken or not', async (name) => {
    const small = Buffer.from('m 1\n'.repeat(1000))
    const packed = {
      'cut off': gzipSync(small).subarray(0, -5),
      'with rubbish behind it': Buffer.concat([gzipSync(small), Buffer.from('rubbish')]),
      'with a wrong checksum': flipped(gzipSync(small), -7),
      'of several members': Buffer.concat([gzipSync(small.subarray(0, 1000)), gzipSync(small.subarray(1000))]),
      'with zeros behind it': Buffer.concat([gzipSync(small), Buffer.alloc(9)]),
      'with rubbish behind zeros': Buffer.concat([gzipSync(small), Buffer.alloc(9), Buffer.from('x')]),
      'that is none': small,
    }[name]!
    send('sized', packed, 'content-encoding: gzip')
    const taker = new NotingTaker()
    const asked = ask(fetcher(), taker)
    const error = cases[name]![1]
    if (error === undefined) expect([await asked, taker.body.equals(small)]).toEqual([small.length, true])
    else await expect(asked).rejects.toThrow(error)
  })

  test('is collected and unpacked whole where the runtime has no engine for pieces', async () => {
    class NoUnpackers extends PieceUnpackers {
      override open(): undefined {}
    }
    for (const bytes of [1000, 700_000, 1_500_000]) {
      const text = textOf(bytes)
      send('chunked', packedTextOf('gzip', bytes), 'content-encoding: gzip')
      const taker = new NotingTaker()
      expect(await ask(fetcher({ unpackers: new NoUnpackers() }), taker)).toBe(bytes)
      expect([taker.calls, taker.body.equals(text)]).toEqual([['take text/plain'], true])
      await expect(ask(fetcher({ unpackers: new NoUnpackers(), bodySizeLimitBytes: bytes }), taker)).rejects.toThrow(
        'body size limit exceeded',
      )
    }
  })
})

test('a zstd answer of several frames is streamed however they are cut', async () => {
  const body = textOf(1_200_000)
  const packed = Buffer.concat(
    [body.subarray(0, 7), body.subarray(7, 400_000), body.subarray(400_000)].map((part) => zstdCompressSync(part)),
  )
  send('chunked', packed, 'content-encoding: zstd')
  const taker = new NotingTaker()
  expect(await ask(fetcher(), taker)).toBe(body.length)
  expect(taker.body.equals(body)).toBe(true)
  for (const broken of [packed.subarray(0, -3), Buffer.concat([packed, Buffer.from('rubbish')])]) {
    send('sized', broken, 'content-encoding: zstd')
    await expect(ask(fetcher(), new NotingTaker())).rejects.toThrow('cannot unpack zstd answer: ')
  }
})

test('a zstd answer may not ask for a window of more than 8 MiB', async () => {
  const packed = zstdCompressSync(Buffer.alloc(20_000_000, 'm 1\n'), { params: { [constants.ZSTD_c_windowLog]: 24 } })
  send('sized', packed, 'content-encoding: zstd')
  await expect(ask(fetcher(), new NotingTaker())).rejects.toThrow('Frame requires too much memory')
})

test.each(Object.keys(packers))('a small %s answer is the same wherever its packets are cut', async (packing) => {
  const body = packers[packing]!(Buffer.from('# TYPE m gauge\nm 1\n'))
  for (const form of ['sized', 'chunked']) {
    const bytes = forms[form]!(body, `content-encoding: ${packing}`)
    answer = (socket, turn) => {
      socket.setNoDelay(true)
      socket.write(bytes.subarray(0, turn + 1))
      setImmediate(() => socket.write(bytes.subarray(turn + 1)))
    }
    requests = []
    const fetch = fetcher()
    for (let cut = 1; cut < bytes.length; cut++) {
      const taker = new NotingTaker()
      await ask(fetch, taker)
      expect(taker.body.toString()).toBe('# TYPE m gauge\nm 1\n')
    }
  }
})

test('an exporter of this process gives its body without a copy', async () => {
  const body = Buffer.from('m 1\n')
  const fetch = fetcher({ bodySizeLimitBytes: 5 })
  const register = (given: Buffer) =>
    inProcess.register(`127.0.0.1:${(server.address() as AddressInfo).port}`, '/metrics', () => ({
      status: 200,
      contentType: 'a/b',
      body: given,
    }))
  register(body)
  let taken: Uint8Array | undefined
  expect(await ask(fetch, { take: (_type, bytes) => void (taken = bytes), open: () => undefined })).toBe(4)
  expect(taken).toBe(body)
  register(Buffer.from('m 12\n'))
  await expect(ask(fetch, new NotingTaker())).rejects.toThrow('body size limit exceeded')
})

test('an exporter of this process that answers after the scrape was called off is not taken', async () => {
  const answered = Promise.withResolvers<void>()
  inProcess.register(`127.0.0.1:${(server.address() as AddressInfo).port}`, '/metrics', async () => {
    await answered.promise
    return { status: 200, contentType: '', body: Buffer.from('m 1\n') }
  })
  const fetch = fetcher()
  const taker = new NotingTaker()
  const asked = ask(fetch, taker)
  fetch.cancel(new Error('context canceled'))
  answered.resolve()
  await expect(asked).rejects.toThrow('context canceled')
  expect(taker.calls).toEqual([])
})

test('asks a target of this machine for answers without compression, unless compression is set', async () => {
  answer = (socket) => void socket.write(`${head('content-length: 4')}m 1\n`)
  for (const compression of ['auto', 'on', 'off'] as const) await ask(fetcher({ compression }), new NotingTaker())
  const encodings = requests.map((request) => /accept-encoding: (.*)\r/.exec(request)![1])
  expect(encodings).toEqual(['identity', 'gzip, zstd;q=0.9', 'identity'])
})

test('a redirect is followed by the general client, and its last answer is taken', async () => {
  answer = (socket, turn) =>
    void socket.write(turn < 2 ? head('location: /there\r\ncontent-length: 0', '302 Found') : `${head('content-length: 4')}m 1\n`)
  const taker = new NotingTaker()
  expect(await ask(fetcher(), taker)).toBe(4)
  expect([requests[2]!.split('\r\n')[0], taker.calls]).toEqual(['GET /there HTTP/1.1', ['take text/plain']])
})

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[copy.length + at]! ^= 1
  return copy
}
