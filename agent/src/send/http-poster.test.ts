import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import type { RemoteWriteConfig } from '@narthex/config/remote-config'
import { createCloudAuthorizer, type CloudAuthorizer } from '@narthex/http/cloud-authorizer'
import { createRandomLookup } from '@narthex/http/random-lookup'
import { startStub, type StubServer } from '@narthex/http/testkit/stub-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createClients } from '../http/clients.ts'
import type { RemotePoster } from './delivery.ts'
import { createPoster } from './http-poster.ts'

let remote: StubServer
let status: number
const posters: RemotePoster[] = []
const body = Buffer.from('body')
const { signal } = new AbortController()

beforeEach(async () => {
  status = 204
  remote = await startStub(() => ({ status }))
})

afterEach(async () => {
  await Promise.all(posters.splice(0).map(async (poster) => poster.close?.()))
  remote.close()
})

function remoteOf(keys: string): RemoteWriteConfig {
  const text = `remote_write:\n- url: ${remote.url}/api/v1/write\n  ${keys}\n`
  return parsePrometheusConfig(text, { path: '/etc/p.yml', mode: 'agent' }).remoteWrite[0]!
}

function open(keys: string, authorizer?: (config: RemoteWriteConfig) => CloudAuthorizer): RemotePoster {
  const config = remoteOf(keys)
  const poster = createPoster(createClients(config.http), config.url, 5_000, authorizer?.(config))
  posters.push(poster)
  return poster
}

const signatures = (): string[] => remote.requests.map(({ headers }) => /Signature=(\w+)/.exec(String(headers.authorization))?.[1] ?? '')

test('signs each attempt anew, with its time and its body', async () => {
  let nowMs = 1_700_000_000_000
  const sigv4 = 'sigv4: {region: r, access_key: K, secret_key: S}'
  const poster = open(sigv4, ({ cloudAuth }) => createCloudAuthorizer(cloudAuth!, { env: {}, now: () => nowMs }))
  await poster.post({ 'Content-Type': 'application/x-protobuf' }, body, signal)
  nowMs += 1_000
  await poster.post({ 'Content-Type': 'application/x-protobuf' }, body, signal)
  await poster.post({ 'Content-Type': 'application/x-protobuf' }, Buffer.from('other'), signal)
  expect(new Set(signatures()).size).toBe(3)
  const [first] = remote.requests
  expect(first!.headers).toMatchObject({ 'x-amz-date': '20231114T221320Z', 'content-type': 'application/x-protobuf' })
  expect(first!.headers.authorization).toMatch(/Credential=K\/20231114\/r\/aps\/aws4_request, SignedHeaders=content-type;host;x-amz-date,/)
})

test('gives refused credentials up, and no others', async () => {
  let forgotten = 0
  const authorizer: CloudAuthorizer = {
    authorize: () => Promise.resolve({ authorization: 'Bearer t' }),
    forget: () => void forgotten++,
    close: () => Promise.resolve(),
  }
  const poster = open('google_iam: {}', () => authorizer)
  for (status of [204, 400, 500, 429, 401, 403]) expect((await poster.post({}, body, signal)).status).toBe(status)
  expect(forgotten).toBe(2)
})

test('sends nothing without credentials, and does not wait for them when it is stopped', async () => {
  const stop = new AbortController()
  const never: CloudAuthorizer = { authorize: () => new Promise(() => undefined), forget: () => undefined, close: () => Promise.resolve() }
  const waiting = open('google_iam: {}', () => never).post({}, body, stop.signal)
  stop.abort()
  await expect(waiting).rejects.toThrow(/abort/i)
  const failing = { ...never, authorize: () => Promise.reject(new Error('no keys')) }
  await expect(open('google_iam: {}', () => failing).post({}, body, signal)).rejects.toThrow('no keys')
  expect(remote.requests).toEqual([])
})

test.each([
  ['basic_auth: {username: u, password: p}', 'authorization', `Basic ${btoa('u:p')}`],
  ['authorization: {type: Token, credentials: c}', 'authorization', 'Token c'],
  ['bearer_token: b', 'authorization', 'Bearer b'],
  ['http_headers: {X-Tenant: {values: [a], secrets: [b]}}', 'x-tenant', 'a, b'],
])('sends what %s says', async (keys, name, value) => {
  await open(keys).post({ 'Content-Type': 'x' }, body, signal)
  expect(remote.requests[0]!.headers).toMatchObject({ [name]: value, 'content-type': 'x' })
  expect(remote.requests[0]!.body).toBe('body')
})

test.each([
  ['plain', 'round_robin_dns: true'],
  ['general', 'round_robin_dns: true\n  basic_auth: {username: u}'],
])('resolves for each connection of the %s client to one address by chance', async (_client, keys) => {
  const asked: string[] = []
  const lookup = createRandomLookup((hostname) => {
    asked.push(hostname)
    return Promise.resolve([{ address: '127.0.0.1', family: 4 }])
  })
  const config = remoteOf(keys)
  const url = config.url.replace('127.0.0.1', 'remote.example')
  const poster = createPoster(createClients(config.http, { lookup }), url, 5_000)
  posters.push(poster)
  expect((await poster.post({}, body, signal)).status).toBe(204)
  await Promise.all([poster.post({}, body, signal), poster.post({}, body, signal)])
  // Two connections, of which the second was opened while the first was busy.
  expect(asked).toEqual(['remote.example', 'remote.example'])
})
