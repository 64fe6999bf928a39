import { spawnSync } from 'node:child_process'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import type { EtcdDiscovery } from '@narthex/config/etcd-discovery'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { createHttpClient } from '@narthex/http/client'
import { findFreePort, makeTemporaryDirectory } from '@narthex/test/kit/process'
import { startEtcd, type Service } from '@narthex/test/kit/services'
import { systemClock, type Clock } from '../clock.ts'
import { createEtcdDiscoverer } from './etcd.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { until } from './testkit/stub-server.ts'

let etcd: Service
let recorded: RecordedDiscovery<Clock>
const data = makeTemporaryDirectory('narthex-etcd-data-')
const tlsFiles = makeTemporaryDirectory('narthex-etcd-tls-')

beforeEach(async () => {
  recorded = new RecordedDiscovery<Clock>(systemClock)
  etcd = await startEtcd()
})
afterEach(async () => {
  recorded.stop()
  await etcd.stop()
  data.remove()
})
afterAll(() => tlsFiles.remove())

function start(changes: Partial<EtcdDiscovery> = {}): void {
  recorded.start(
    createEtcdDiscoverer(
      {
        mechanism: 'etcd',
        endpoints: [etcd.url],
        prefix: '/t/',
        username: '',
        refreshIntervalMs: 60_000,
        http: defaultHttpClientConfig,
        ...changes,
      },
      recorded.context,
    ),
  )
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64')

async function call(path: string, body: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(etcd.url + path, { method: 'POST', body: JSON.stringify(body) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path}: ${text}`)
  return JSON.parse(text) as Record<string, unknown>
}

const put = (key: string, value: string): Promise<Record<string, unknown>> => call('/v3/kv/put', { key: base64(key), value: base64(value) })
const remove = (key: string): Promise<unknown> => call('/v3/kv/deleterange', { key: base64(key) })
const revisionOf = (answer: Record<string, unknown>): string => (answer['header'] as { revision: string }).revision

test('reads what is there and follows every change', async () => {
  await put('/t/plain', 'a.test:9100')
  await put('/t/list', '[{"targets": ["b:1", "c:1"], "labels": {"zone": "x"}}, {"targets": ["d:1"]}]')
  await put('/u/other', 'not:1')
  start()
  await until(() => recorded.addresses().join() === 'a.test:9100,b:1,c:1,d:1')
  expect(recorded.targets()[1]).toEqual({
    __address__: 'b:1',
    zone: 'x',
    __meta_etcd_key: '/t/list',
    __meta_etcd_prefix: '/t/',
    __meta_etcd_name: 'list',
  })
  await put('/t/list', '{"targets": ["e:1"]}')
  await until(() => recorded.addresses().join() === 'a.test:9100,e:1')
  await put('/t/new', '[::1]:9100')
  await until(() => recorded.addresses().join() === '[::1]:9100,a.test:9100,e:1')
  await remove('/t/plain')
  await until(() => recorded.addresses().join() === '[::1]:9100,e:1')
  await put('/t/list', 'no targets')
  await until(() => recorded.lines.length === 1)
  expect(recorded.lines[0]).toContain('key=/t/list')
  await put('/t/last', 'z:1')
  await until(() => recorded.addresses().join() === '[::1]:9100,e:1,z:1')
  expect(recorded.metric('narthex_sd_etcd_bad_values_total')).toBe(1)
  expect(recorded.metric('narthex_sd_etcd_failures_total')).toBe(0)
})

test('reads prefixes of more keys than fit a page', async () => {
  for (let batch = 0; batch < 21; batch++) {
    const success = Array.from({ length: 125 }, (_, i) => ({
      request_put: { key: base64(`/t/${batch * 125 + i}`), value: base64(`h${batch * 125 + i}:1`) },
    }))
    await call('/v3/kv/txn', { success })
  }
  start()
  await until(() => recorded.addresses().length > 0)
  expect(new Set(recorded.addresses()).size).toBe(2625)
  expect(recorded.updates).toBe(1)
})

test('goes on after a restart of the server, and past a compaction that happened meanwhile', { timeout: 30_000 }, async () => {
  await etcd.stop()
  etcd = await startEtcd({ data: data.path })
  const { port } = etcd
  await put('/t/a', 'a:1')
  start()
  await until(() => recorded.addresses().join() === 'a:1')
  await etcd.process.stop()
  await until(() => recorded.lines.length > 0)
  expect(recorded.addresses()).toEqual(['a:1'])
  // Changes that our watch does not see, and then cannot see: their revisions are compacted away.
  const stopped = etcd
  etcd = await startEtcd({ data: data.path })
  await put('/t/a', 'a:2')
  const last = revisionOf(await put('/t/b', 'b:2'))
  await call('/v3/kv/compaction', { revision: last, physical: true })
  await etcd.stop()
  etcd = await startEtcd({ data: data.path, port })
  await until(() => recorded.addresses().join() === 'a:2,b:2', 15_000)
  await put('/t/c', 'c:3')
  await until(() => recorded.addresses().join() === 'a:2,b:2,c:3')
  await stopped.stop()
})

test('takes the next endpoint when one is gone', async () => {
  await put('/t/a', 'a:1')
  start({ endpoints: [`http://127.0.0.1:${await findFreePort()}`, etcd.url] })
  await until(() => recorded.addresses().join() === 'a:1')
  expect(recorded.lines).toHaveLength(1)
  expect(recorded.lines[0]).toContain('connection refused')
  expect(recorded.metric('narthex_sd_etcd_failures_total')).toBe(1)
})

test('a refresh reads everything again', async () => {
  await put('/t/a', 'a:1')
  start({ refreshIntervalMs: 200 })
  await until(() => recorded.updates >= 3)
  await put('/t/b', 'b:1')
  await until(() => recorded.addresses().join() === 'a:1,b:1')
  expect(recorded.lines).toEqual([])
})

test('authenticates, and again when its token is no longer good', { timeout: 30_000 }, async () => {
  await etcd.stop()
  // Tokens end after one second without use.
  etcd = await startEtcd({ args: ['--auth-token-ttl=1'] })
  await call('/v3/auth/user/add', { name: 'root', password: 'pw' })
  await call('/v3/auth/role/add', { name: 'root' })
  await call('/v3/auth/user/grant', { user: 'root', role: 'root' })
  await put('/t/a', 'a:1')
  await call('/v3/auth/enable', {})
  start({ username: 'root', password: new Secret('wrong') })
  await until(() => recorded.lines.length === 1)
  expect(recorded.lines[0]).toContain('authentication failed, invalid user ID or password')
  recorded.stop()
  recorded = new RecordedDiscovery<Clock>(systemClock)
  start({ username: 'root', password: new Secret('pw'), refreshIntervalMs: 2_500 })
  await until(() => recorded.updates === 2)
  expect(recorded.addresses()).toEqual(['a:1'])
  expect(recorded.lines).toEqual([])
})

test('follows a server that speaks TLS', { timeout: 30_000 }, async () => {
  await etcd.stop()
  const [cert, key] = [`${tlsFiles.path}/cert.pem`, `${tlsFiles.path}/key.pem`]
  const subject = ['-subj', '/CN=etcd', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    key,
    '-out',
    cert,
    ...subject,
  ])
  expect(made.status).toBe(0)
  etcd = await startEtcd({ tls: { cert, key } })
  for (const enableHttp2 of [true, false]) {
    recorded.stop()
    recorded = new RecordedDiscovery<Clock>(systemClock)
    start({ http: { ...defaultHttpClientConfig, enableHttp2, tls: { caFile: cert, insecureSkipVerify: false } } })
    await until(() => recorded.updates === 1)
    // A client of its own: the one of the test's other calls does not know the certificate.
    const client = createHttpClient({ ...defaultHttpClientConfig, tls: { caFile: cert, insecureSkipVerify: false } })
    const body = JSON.stringify({ key: base64('/t/a'), value: base64(enableHttp2 ? 'a:2' : 'a:1') })
    await client.request({ url: `${etcd.url}/v3/kv/put`, method: 'POST', body })
    await until(() => recorded.addresses().join() === (enableHttp2 ? 'a:2' : 'a:1'))
    await client.close()
    expect(recorded.lines).toEqual([])
  }
})
