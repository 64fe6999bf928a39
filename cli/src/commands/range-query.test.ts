import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RangeQueryClient } from './range-query.ts'

let server: Server
let answer: { status: number; text: string } = { status: 200, text: '' }
const asked: string[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (data: Buffer) => (body += data.toString()))
    request.on('end', () => {
      asked.push(`${request.method} ${request.url} ${body}`)
      response.writeHead(answer.status).end(answer.text)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => server.close())

async function ask(content: unknown, status = 200) {
  answer = { status, text: typeof content === 'string' ? content : JSON.stringify(content) }
  const client = new RangeQueryClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix`)
  try {
    const series = await client.ask('up > 0', 1_700_000_000_123, 1_700_000_060_000, 15_000)
    return series
  } finally {
    await client.close()
  }
}

const matrix = (...result: unknown[]) => ({ status: 'success', data: { resultType: 'matrix', result } })

test('asks below the path of the server, in seconds', async () => {
  await ask(matrix())
  expect(asked.at(-1)).toBe('POST /prefix/api/v1/query_range query=up+%3E+0&start=1700000000.123&end=1700000060&step=15')
})

test('gives every value that a server can say', async () => {
  const values = [
    [1.001, '1'],
    [2, '+Inf'],
    [3, '-Inf'],
    [4, 'NaN'],
    [5.5, '1.5e-7'],
  ]
  const series = await ask(
    matrix({ metric: { __name__: 'up', a: 'b' }, values }, { metric: {}, histograms: [[1, { count: '1', sum: '2' }]] }),
  )
  expect(series.map(({ labels }) => labels.toRecord())).toEqual([{ __name__: 'up', a: 'b' }, {}])
  const { times, values: read, length } = series[0]!.samples
  expect([...times.subarray(0, length)]).toEqual([1001, 2000, 3000, 4000, 5500])
  expect([...read.subarray(0, length)]).toEqual([1, Infinity, -Infinity, NaN, 1.5e-7])
  expect(series[1]!.histograms!.histogram(0)).toMatchObject({ schema: 0, count: 1, sum: 2, isFloat: true })
})

test.each([
  ['<html>', 502, 'server error: 502: want JSON, got "<html>"'],
  [{ status: 'error', errorType: 'bad_data', error: 'parse error' }, 400, 'bad_data: parse error'],
  [{ status: 'success', data: { resultType: 'vector', result: [] } }, 200, 'rule result is wrong type vector'],
  [[1], 200, 'cannot read answer: want an object, got [1]'],
  [{ status: 'success' }, 200, 'cannot read answer: want an object, got undefined'],
  [matrix('x'), 200, 'cannot read answer: want an object, got "x"'],
  [matrix({ metric: {}, values: [['1', '2']] }), 200, 'cannot read answer: want pairs of time and value'],
  [matrix({ metric: {}, values: [1] }), 200, 'cannot read answer: want pairs of time and value'],
  [matrix({ metric: {}, values: [[1, 'x']] }), 200, 'cannot read answer: want a value, got "x"'],
  [matrix({ metric: {}, histograms: [[1, 1]] }), 200, 'cannot read answer: want an object, got 1'],
  [matrix({ metric: {}, histograms: [[1, { count: '1' }]] }), 200, 'cannot read answer: want a value, got undefined'],
  [matrix({ metric: {}, histograms: [[1, { count: '1', sum: '1', buckets: [[]] }]] }), 200, 'cannot read answer: want a bucket, got []'],
  [matrix({ metric: {}, values: [[1, '']] }), 200, 'cannot read answer: want a value, got ""'],
])('says of the answer %j what is wrong with it', async (content, status, text) => {
  await expect(ask(content, status)).rejects.toThrow(text)
})
