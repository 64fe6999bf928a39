import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { createHttpDiscoverer } from './http.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { answerJson, startStubServer, until, type StubServer } from './testkit/stub-server.ts'

let recorded: RecordedDiscovery
let server: StubServer
let answer: (response: ServerResponse) => void

beforeEach(async () => {
  recorded = new RecordedDiscovery(new FakeClock())
  server = await startStubServer((_request, response) => answer(response))
})
afterEach(async () => {
  recorded.stop()
  await server.close()
})

function start(): void {
  const url = `${server.url}/sd`
  recorded.start(createHttpDiscoverer({ mechanism: 'http', url, refreshIntervalMs: 1500, http: defaultHttpClientConfig }, recorded.context))
}

async function refreshed(): Promise<void> {
  const before = recorded.updates + recorded.lines.length
  await recorded.clock.advance(1500)
  await until(() => recorded.updates + recorded.lines.length > before)
}

describe('http_sd_configs', () => {
  test('asks as Prometheus does and labels the groups', async () => {
    answer = (response) => answerJson(response, [{ targets: ['a:1', 'b:1'], labels: { zone: 'x' } }, { targets: ['c:1'] }])
    start()
    await until(() => recorded.updates === 1)
    expect(server.requests[0]).toMatchObject({
      method: 'GET',
      path: '/sd',
      headers: { accept: 'application/json', 'user-agent': 'Narthex/test', 'x-prometheus-refresh-interval-seconds': '1.5' },
    })
    const url = `${server.url}/sd`
    expect([...recorded.groups.keys()]).toEqual([`${url}:0`, `${url}:1`])
    expect(recorded.targets()).toEqual([
      { __address__: 'a:1', zone: 'x', __meta_url: url },
      { __address__: 'b:1', zone: 'x', __meta_url: url },
      { __address__: 'c:1', __meta_url: url },
    ])
  })

  test('a group that an answer does not have any more ends', async () => {
    answer = (response) => answerJson(response, [{ targets: ['a:1'] }, { targets: ['b:1'] }])
    start()
    await until(() => recorded.updates === 1)
    answer = (response) => answerJson(response, [{ targets: ['c:1'] }])
    await refreshed()
    expect(recorded.addresses()).toEqual(['c:1'])
    answer = (response) => answerJson(response, [])
    await refreshed()
    expect(recorded.addresses()).toEqual([])
  })

  test.each<[string, (response: ServerResponse) => void, string]>([
    ['another status', (response) => response.writeHead(503).end(), 'server returned HTTP status 503 Service Unavailable'],
    ['another content type', (response) => response.writeHead(200, { 'content-type': 'text/plain' }).end('[]'), 'unsupported content type'],
    ['no JSON', (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('['), 'JSON'],
    ['no list', (response) => answerJson(response, { targets: [] }), 'want a list, got object'],
    ['an unknown field', (response) => answerJson(response, [{ target: [] }]), 'field target not found'],
    ['a null group', (response) => answerJson(response, [null]), 'nil target group item found (index 0)'],
    ['a nameless label', (response) => answerJson(response, [{ targets: [], labels: { '': 'x' } }]), 'is not a valid label name'],
    [
      'a body too long',
      (response) => response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(64 * 2 ** 20 + 1) }).write(' '),
      'body is larger than 67108864 bytes',
    ],
    ['a closed connection', (response) => response.socket!.destroy(), 'EOF'],
  ])('%s keeps the last good targets and is counted', async (_what, bad, text) => {
    answer = (response) => answerJson(response, [{ targets: ['a:1'] }])
    start()
    await until(() => recorded.updates === 1)
    answer = bad
    await refreshed()
    expect(recorded.lines).toHaveLength(1)
    expect(recorded.lines[0]).toContain(text)
    expect(recorded.addresses()).toEqual(['a:1'])
    expect(recorded.metric('prometheus_sd_http_failures_total')).toBe(1)
    answer = (response) => answerJson(response, [{ targets: ['b:1'] }])
    await refreshed()
    expect(recorded.addresses()).toEqual(['b:1'])
  })

  test.each(['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"', ' application/json '])(
    'takes the content type %j',
    async (type) => {
      answer = (response) => answerJson(response, [{ targets: ['a:1'] }], { 'content-type': type })
      start()
      await until(() => recorded.updates === 1)
      expect(recorded.addresses()).toEqual(['a:1'])
    },
  )

  test('says nothing after it was stopped in the middle of a request', async () => {
    answer = () => {}
    start()
    await until(() => server.requests.length === 1)
    recorded.stop()
    await recorded.clock.advance(10_000)
    expect([recorded.lines, recorded.updates, recorded.clock.timerCount]).toEqual([[], 0, 0])
  })
})
