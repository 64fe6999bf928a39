import { createServer, type Server } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { ReadyRequests } from './load-source.ts'
import { percentile, sendLoad } from './send-load.ts'
import { headBegin } from './wait-until-compacted.ts'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** Answers each body after `delayMs` of it with a status; gives the port. */
async function listen(answer: (body: number) => { status: number; delayMs: number; ends?: boolean }): Promise<number> {
  server = createServer((request, response) => {
    request.once('data', (chunk: Buffer) => {
      const { status, delayMs, ends = false } = answer(chunk[0]!)
      setTimeout(() => {
        if (ends) response.setHeader('Connection', 'close')
        response.writeHead(status, status === 429 ? { 'Retry-After': '0' } : {})
        response.end(status === 204 ? undefined : 'no')
      }, delayMs)
    })
  })
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const requests = (count: number) => Array.from({ length: count }, (_, i) => ({ body: Uint8Array.of(i), timeMs: i }))

describe('sending a load', () => {
  test('lets no sample overtake the older one of its series, however many connections there are', async () => {
    const answered: number[] = []
    const port = await listen((body) => ({ status: 204, delayMs: body % 2 === 0 ? 12 : 1 }))
    const sent = await sendLoad(new ReadyRequests(requests(24), 2), { port }, { connections: 8, onAcknowledged: (i) => answered.push(i) })
    expect(sent.requests).toBe(24)
    // Two requests a step: the even ones are one series, the odd ones another.
    for (const rest of [0, 1]) {
      expect(answered.filter((i) => i % 2 === rest)).toEqual(Array.from({ length: 12 }, (_, i) => 2 * i + rest))
    }
  })

  test('comes again when it is asked to, and counts it', async () => {
    let refused = 0
    const port = await listen((body) => ({ status: body === 1 && refused++ < 3 ? 429 : 204, delayMs: 0 }))
    const sent = await sendLoad(new ReadyRequests(requests(3), 1), { port }, { connections: 2 })
    expect(sent).toMatchObject({ requests: 3, refusals: 3, madeLate: 0 })
  })

  test('goes on over a new connection when the server ends one with its answer', async () => {
    const port = await listen((body) => ({ status: 204, delayMs: 0, ends: body % 2 === 1 }))
    const sent = await sendLoad(new ReadyRequests(requests(6), 1), { port }, { connections: 1 })
    expect(sent.requests).toBe(6)
  })

  test('fails with the text of any other answer', async () => {
    const port = await listen(() => ({ status: 400, delayMs: 0 }))
    await expect(sendLoad(new ReadyRequests(requests(1), 1), { port }, { connections: 1 })).rejects.toThrow(
      /want 204, got HTTP\/1\.1 400 Bad Request[^]*\nno\r/,
    )
  })

  test('counts the wait for a slow answer against the requests that were due behind it', async () => {
    const port = await listen((body) => ({ status: 204, delayMs: body === 0 ? 60 : 0 }))
    const { dueMs } = await sendLoad(new ReadyRequests(requests(3), 3), { port }, { connections: 1, requestsPerSecond: 100 })
    expect(dueMs[1]).toBeGreaterThan(40)
    expect(dueMs[2]).toBeGreaterThan(30)
  })
})

test('a percentile is the nearest rank', () => {
  const values = Float64Array.from({ length: 100 }, (_, i) => 100 - i)
  expect([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)]).toEqual([50, 99, 100])
})

test('a head is cut when it has more than three hours', () => {
  const hour = 3600_000
  expect(headBegin(0, 3 * hour)).toBe(0)
  expect(headBegin(0, 3 * hour + 1)).toBe(2 * hour)
  expect(headBegin(0, 6 * hour - 15_000)).toBe(4 * hour)
})
