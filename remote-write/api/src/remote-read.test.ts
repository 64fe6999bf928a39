import { Labels } from '@narthex/model/labels'
import { chunksResponse, encodeReadRequest, samplesResponse, type ReadQuery } from '@narthex/wire/remote-read-request'
import { compress } from '@narthex/wire/snappy'
import { fastify, type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import type { ApiBackend, RemoteRead } from './backend.ts'
import { ConcurrencyGate } from './concurrency-gate.ts'
import { ApiError } from './envelope.ts'
import { PartQueue } from './part-queue.ts'
import { registerRemoteRead } from './remote-read.ts'

const apps: FastifyInstance[] = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

type Read = (request: RemoteRead, onPart: (bytes: Uint8Array, onTaken: () => void) => void, signal: AbortSignal) => Promise<void>

class FakeServer {
  readonly app = fastify()
  readonly reads: RemoteRead[] = []
  readonly counts: number[] = []
  readonly bugs: unknown[] = []
  ready = true

  constructor(read: Read = () => Promise.resolve(), concurrencyMax = 0) {
    const backend: Pick<ApiBackend, 'remoteRead' | 'lifecycle' | 'reportBug'> = {
      remoteRead: {
        concurrencyMax,
        externalLabels: () => Labels.from({ dc: 'east' }),
        read: (request, onPart, signal) => {
          this.reads.push(request)
          return read(request, onPart, signal)
        },
        onCount: (count) => void this.counts.push(count),
      },
      lifecycle: { isReady: () => this.ready, isStopping: () => false, reload: undefined, quit: undefined },
      reportBug: (error) => void this.bugs.push(error),
    }
    registerRemoteRead(this.app, backend as ApiBackend)
    apps.push(this.app)
  }

  post(body: Uint8Array) {
    return this.app.inject({ method: 'POST', url: '/api/v1/read', payload: Buffer.from(body) })
  }

  ask(queries: readonly ReadQuery[] = [], acceptedResponses: readonly number[] = [samplesResponse]) {
    return this.post(compress(encodeReadRequest({ queries, acceptedResponses })))
  }
}

const part = (onPart: (bytes: Uint8Array, onTaken: () => void) => void, text: string) => onPart(Buffer.from(text), () => {})

describe('remote read', () => {
  test('answers the parts in their order, under the type of each answer', async () => {
    const server = new FakeServer(async (_request, onPart) => {
      part(onPart, 'a')
      await new Promise((resolve) => setImmediate(resolve))
      part(onPart, 'b')
    })
    const samples = await server.ask()
    expect([samples.statusCode, samples.body]).toEqual([200, 'ab'])
    expect(samples.headers).toMatchObject({ 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' })
    const chunks = await server.ask([], [chunksResponse, samplesResponse])
    expect(chunks.body).toBe('ab')
    expect(chunks.headers['content-type']).toBe('application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse')
    expect(chunks.headers['content-encoding']).toBeUndefined()
    expect(server.reads.map(({ streams }) => streams)).toEqual([false, true])
    await expect.poll(() => server.counts.at(-1)).toBe(0)
    expect(server.counts[0]).toBe(1)
  })

  test('asks for a series without the label where an external label is asked for', async () => {
    const server = new FakeServer()
    const matchers = [
      { type: '=', name: 'dc', value: 'east' },
      { type: '=', name: 'dc', value: 'west' },
      { type: '!=', name: 'dc', value: 'east' },
      { type: '=', name: 'a', value: '' },
    ] as const
    await server.ask([{ startMs: 1, endMs: 2, matchers }])
    expect(server.reads[0]!.queries[0]!.matchers).toEqual([{ type: '=', name: 'dc', value: '' }, ...matchers.slice(1)])
  })

  test('takes the time of the hints, if they have one', async () => {
    const server = new FakeServer()
    const query = { startMs: 1, endMs: 9, matchers: [] }
    const series = { ...query, hints: { function: 'series', startMs: 0, endMs: 0 } }
    await server.ask([query, { ...query, hints: { function: 'rate', startMs: 3, endMs: 4 } }, series])
    const times = server.reads[0]!.queries.map(({ startMs, endMs, wantsSamples }) => [startMs, endMs, wantsSamples])
    expect(times).toEqual([
      [1, 9, true],
      [3, 4, true],
      [1, 9, false],
    ])
  })

  test('refuses with Prometheus’ texts', async () => {
    const server = new FakeServer()
    const supported = 'supported: map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]\n'
    const cases: [Uint8Array, string][] = [
      [Uint8Array.of(1, 2), 'snappy: corrupt input\n'],
      [Uint8Array.of(), 'snappy: corrupt input\n'],
      [compress(Uint8Array.of(0x0a, 4, 0x1a, 2, 0x08, 4)), 'invalid matcher type\n'],
      [compress(Uint8Array.of(0x10, 5, 0x10, 6)), `server does not support any of the requested response types: [5 6]; ${supported}`],
    ]
    for (const [body, text] of cases) {
      const answer = await server.post(body)
      expect([answer.statusCode, answer.body]).toEqual([400, text])
      expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8')
    }
    expect(server.reads).toEqual([])
    expect(server.bugs).toEqual([])
  })

  test('takes requests up to 4 MiB', async () => {
    const server = new FakeServer()
    const limit = 4 * 1024 * 1024
    // An unknown field of so many bytes in all.
    const message = new Uint8Array(limit)
    message.set([
      0x7a,
      ...[limit - 5].flatMap((length) => [(length & 127) | 128, ((length >> 7) & 127) | 128, ((length >> 14) & 127) | 128, length >> 21]),
    ])
    expect((await server.post(compress(message))).statusCode).toBe(200)
    const larger = await server.post(compress(new Uint8Array(limit + 1)))
    expect([larger.statusCode, larger.body]).toEqual([
      400,
      `snappy: decoded block is too large: want at most ${limit} bytes, got ${limit + 1}\n`,
    ])
    expect((await server.post(new Uint8Array(limit + 1))).statusCode).toBe(413)
  })

  test('answers a failure before the first part with its status', async () => {
    const failures: [Error, number][] = [
      [new ApiError('bad_data', 'exceeded sample limit (5)'), 400],
      [new ApiError('execution', 'a block is damaged'), 500],
      [new ApiError('timeout', 'late'), 503],
      [new Error('ours'), 500],
    ]
    for (const [error, status] of failures) {
      const server = new FakeServer(() => Promise.reject(error))
      const answer = await server.ask()
      expect([answer.statusCode, answer.body]).toEqual([status, `${error.message}\n`])
      expect(answer.headers['content-encoding']).toBeUndefined()
      expect(server.bugs).toEqual(error instanceof ApiError ? [] : [error])
    }
  })

  test('breaks the connection off at a failure after the first part', async () => {
    const server = new FakeServer((_request, onPart) => {
      part(onPart, 'a')
      return Promise.reject(new ApiError('execution', 'a block is damaged'))
    })
    const url = await server.app.listen({ port: 0, host: '127.0.0.1' })
    const response = await fetch(`${url}/api/v1/read`, {
      method: 'POST',
      body: new Uint8Array(compress(encodeReadRequest({ queries: [], acceptedResponses: [1] }))),
    })
    await expect(response.text()).rejects.toThrow('terminated')
    await expect.poll(() => server.counts.at(-1)).toBe(0)
  })

  test('ends a read whose client goes away', async () => {
    const aborted = Promise.withResolvers<void>()
    const server = new FakeServer((_request, onPart, signal) => {
      part(onPart, 'a')
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted.resolve()
          reject(new ApiError('canceled', 'query was canceled'))
        })
      })
    })
    const url = await server.app.listen({ port: 0, host: '127.0.0.1' })
    const client = new AbortController()
    const body = new Uint8Array(compress(encodeReadRequest({ queries: [], acceptedResponses: [1] })))
    const response = await fetch(`${url}/api/v1/read`, { method: 'POST', body, signal: client.signal })
    client.abort()
    await expect(response.text()).rejects.toThrow()
    await aborted.promise
    await expect.poll(() => server.counts.at(-1)).toBe(0)
    expect(server.bugs).toEqual([])
  })

  test('lets so many in at a time', async () => {
    const ends: (() => void)[] = []
    const server = new FakeServer(() => new Promise((resolve) => void ends.push(resolve)), 2)
    const answers = [1, 2, 3].map(() => server.ask())
    await expect.poll(() => server.counts.at(-1)).toBe(3)
    expect(ends.length).toBe(2)
    ends[0]!()
    await expect.poll(() => ends.length).toBe(3)
    for (const end of ends) end()
    await Promise.all(answers)
    await expect.poll(() => server.counts.at(-1)).toBe(0)
  })

  test('answers 503 until the server is ready', async () => {
    const server = new FakeServer()
    server.ready = false
    const answer = await server.ask()
    expect([answer.statusCode, answer.body, answer.headers['x-prometheus-stopping']]).toEqual([503, 'Service Unavailable', 'false'])
  })
})

describe('gate', () => {
  test('lets in who waits in order, and forgets who gave up', async () => {
    const gate = new ConcurrencyGate(1)
    const { signal } = new AbortController()
    const order: number[] = []
    await gate.enter(signal)
    const first = gate.enter(signal).then(() => order.push(1))
    const impatient = new AbortController()
    const second = gate.enter(impatient.signal)
    const third = gate.enter(signal).then(() => order.push(3))
    expect(gate.count).toBe(4)
    impatient.abort(new Error('gone'))
    await expect(second).rejects.toThrow('gone')
    await expect(gate.enter(impatient.signal)).rejects.toThrow('gone')
    gate.leave()
    await first
    gate.leave()
    await third
    gate.leave()
    expect(order).toEqual([1, 3])
    expect(gate.count).toBe(0)
  })
})

describe('parts', () => {
  test('are taken when the next one is asked for', async () => {
    const queue = new PartQueue()
    const taken: string[] = []
    for (const text of ['a', 'b']) queue.push(Buffer.from(text), () => taken.push(text))
    const reader = queue[Symbol.asyncIterator]()
    await reader.next()
    expect(taken).toEqual([])
    await reader.next()
    expect(taken).toEqual(['a'])
    const last = reader.next()
    await Promise.resolve()
    expect(taken).toEqual(['a', 'b'])
    queue.end()
    expect(await last).toEqual({ done: true, value: undefined })
  })

  test('before a failure are read, then it is thrown', async () => {
    const queue = new PartQueue()
    queue.push(Buffer.from('a'), () => {})
    queue.end(new Error('broken'))
    await queue.begin()
    const reader = queue[Symbol.asyncIterator]()
    expect((await reader.next()).value).toEqual(Buffer.from('a'))
    await expect(reader.next()).rejects.toThrow('broken')
    const empty = new PartQueue()
    empty.end(new Error('broken'))
    await expect(empty.begin()).rejects.toThrow('broken')
  })
})
