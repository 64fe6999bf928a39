import { spawn } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { findProgram } from '@narthex/test/kit/packages'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { runQuery } from './query.ts'

// What servers and what stands in front of them may answer: beside promtool.

const answers: Readonly<Record<string, readonly [status: number, body: string]>> = {
  ok: [200, '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","a":"b"},"value":[1.5,"1"]}]}}'],
  matrix: [200, '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2.123,"+Inf"]]}]}}'],
  sets: [200, '{"status":"success","data":[{"__name__":"x","b":"<"}]}'],
  list: [200, '{"status":"success","warnings":["w1","w2"],"data":["a","b"]}'],
  none: [200, '{"status":"success","data":null}'],
  missing: [404, '404 page not found\n'],
  unauthorized: [401, 'Unauthorized'],
  unavailable: [503, '<html>\n<body>Service Unavailable</body></html>\n\n'],
  gateway: [502, ''],
  execution: [422, '{"status":"error","errorType":"execution","error":"boom"}'],
  bad: [400, '{"status":"error","errorType":"bad_data","error":"x < y"}'],
  late: [200, '{"status":"error","errorType":"execution","error":"boom"}'],
  internal: [500, '{"status":"error","errorType":"internal","error":"boom"}'],
  page: [200, '<html>'],
  nothing: [200, ''],
  bare: [200, '{"status":"success"}'],
  foreign: [200, '{"status":"success","data":{"resultType":"streams","result":[]}}'],
  broken: [200, '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"1"]}]}}'],
}

let server: Server
let base: string
const requests: string[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    const [, name = ''] = request.url!.split('/')
    requests.push(`${request.method} ${request.url!.replace(/\?.*/, '')}`)
    request.resume()
    request.on('end', () => {
      const refused = /^refuses-post-(\d+)$/.exec(name)?.[1]
      const [status, body] =
        refused === undefined ? answers[name]! : request.method === 'POST' ? ([Number(refused), 'no'] as const) : answers['ok']!
      response.writeHead(status, { 'content-type': body.startsWith('{') ? 'application/json' : 'text/plain' }).end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterAll(() => void server.close())

interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function theirs(args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(findProgram('promtool')!, ['query', ...args])
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

async function ours(args: readonly string[]): Promise<Outcome> {
  let err = ''
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    err += chunk.toString()
    return true
  })
  try {
    await runQuery(args)
    return expect.fail('want an end')
  } catch (end) {
    if (end instanceof PrintAndExit) return { code: end.exitCode, out: end.text, err }
    if (end instanceof UserError) return { code: end.exitCode, out: '', err: `${err}${end.message}\n` }
    throw end
  } finally {
    spy.mockRestore()
  }
}

const argumentsOf = (kind: string, name: string): string[] => {
  const times = kind === 'instant' ? ['--time=5'] : ['--start=1', '--end=5']
  const rest = kind === 'series' ? ['--match=up'] : [kind === 'labels' ? 'job' : 'up']
  return [kind, base + name, ...rest, ...times]
}

describe('prints and ends as promtool does', () => {
  test.each([
    ...['ok', 'matrix', 'missing', 'unauthorized', 'unavailable', 'execution', 'bad', 'late', 'refuses-post-405', 'refuses-post-501'].map(
      (name) => ['instant', name] as const,
    ),
    ...['matrix', 'missing', 'execution', 'refuses-post-405'].map((name) => ['range', name] as const),
    ...['sets', 'missing', 'unavailable', 'execution'].map((name) => ['series', name] as const),
    ...['list', 'missing', 'execution'].map((name) => ['labels', name] as const),
  ])('%s %s', async (kind, name) => {
    expect(await ours(argumentsOf(kind, name))).toEqual(await theirs(argumentsOf(kind, name)))
  })
})

describe('is refused as by promtool, in words of its own', () => {
  test.each([
    ['instant', 'page', 'want an answer in JSON, got "<html>"'],
    ['instant', 'nothing', 'want an answer in JSON, got ""'],
    ['instant', 'gateway', 'server_error: server error: 502'],
    ['instant', 'internal', 'internal: boom'],
    ['instant', 'bare', 'cannot read answer: want an object, got nothing'],
    ['instant', 'list', 'cannot read answer: want an object, got ["a","b"]'],
    ['instant', 'foreign', 'cannot read answer: unknown value type "streams"'],
    ['range', 'broken', 'cannot read answer: want a series, got {"metric":{"a":1},"value":[1,"1"]}'],
    ['series', 'list', 'cannot read answer: want a list of label sets, got ["a","b"]'],
    ['labels', 'sets', 'cannot read answer: want a list of texts, got [{"__name__":"x","b":"<"}]'],
    ['series', 'none', 'cannot read answer: want a list of label sets, got null'],
    ['labels', 'bare', 'cannot read answer: want a list of texts, got nothing'],
  ])('%s %s', async (kind, name, text) => {
    expect(await ours(argumentsOf(kind, name))).toEqual({ code: 1, out: '', err: `query error: ${text}\n` })
    expect(await theirs(argumentsOf(kind, name))).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/^query error: /) as string,
    })
  })
})

test('a server that refuses POST is asked again with GET, with the same parameters', async () => {
  requests.length = 0
  await ours(argumentsOf('instant', 'refuses-post-405'))
  expect(requests).toEqual(['POST /refuses-post-405/api/v1/query', 'GET /refuses-post-405/api/v1/query'])
})

test('an address of another protocol is told', async () => {
  expect((await ours(['instant', 'ftp://127.0.0.1', 'up'])).err).toBe(
    'narthex query: cannot parse server address "ftp://127.0.0.1": unsupported protocol scheme "ftp"\n',
  )
})
