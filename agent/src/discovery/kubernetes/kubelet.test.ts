import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { podsMax } from './kubelet.ts'
import { buildPodGroup } from './role-pod.ts'
import { readPod } from './objects.ts'
import { DiscoveryBench } from './testkit/discovery-bench.ts'
import { realPod } from './testkit/objects.ts'
import type { ApiObject } from './testkit/stub-api-server.ts'

let pods: ApiObject[]
let status: number
let requests: { url: string | undefined; authorization: string | undefined }[]
let server: Server
let apiServer: string
let bench: DiscoveryBench

beforeEach(async () => {
  pods = [realPod('a'), realPod('b', { metadata: { namespace: 'other' } })]
  status = 200
  requests = []
  bench = new DiscoveryBench()
  server = createServer((request, response) => {
    requests.push({ url: request.url, authorization: request.headers.authorization })
    response.writeHead(status)
    response.end(
      status === 200 ? JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: pods }) : 'Forbidden (user=me)\n',
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  apiServer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(() => {
  bench.stop()
  server.close()
  server.closeAllConnections()
})

test('gives what role pod gives, from the kubelet', async () => {
  const run = bench.start({ role: 'kubelet', apiServer })
  await bench.until('pods', () => run.groups.size === 2)
  expect(requests[0]!.url).toBe('/pods')
  const attach = { node: false, namespace: false, deployment: false, job: false, cronjob: false }
  expect(run.groups.get('pod/shop/a')).toEqual(buildPodGroup(readPod(pods[0]), { attach, find: () => undefined }))
})

test('asks every ten seconds, and drops what is gone', async () => {
  const run = bench.start({ role: 'kubelet', apiServer })
  await bench.until('pods', () => run.groups.size === 2, 0)
  pods = pods.slice(1)
  await bench.clock.advance(9_999)
  expect(requests).toHaveLength(1)
  await bench.clock.advance(1)
  await bench.until('second answer', () => run.groups.size === 1, 0)
  expect([...run.groups.keys()]).toEqual(['pod/other/b'])
})

test('keeps its targets while the kubelet refuses, and says why', async () => {
  const run = bench.start({ role: 'kubelet', apiServer })
  await bench.until('pods', () => run.groups.size === 2)
  status = 403
  await bench.until('trouble', () => bench.lines.length > 0, 1000)
  expect(bench.lines[0]).toContain('err="403 Forbidden (user=me)"')
  expect(run.groups.size).toBe(2)
})

test('keeps to the namespaces named', async () => {
  const run = bench.start({ role: 'kubelet', apiServer, namespaces: ['other'] })
  await bench.until('pods', () => run.groups.size === 1)
  expect([...run.groups.keys()]).toEqual(['pod/other/b'])
})

test('takes as many pods as one kubelet may have, and refuses a longer list', async () => {
  const one = { metadata: { name: '' }, spec: { containers: [{ name: 'c' }] }, status: { podIP: '10.0.0.1' } }
  pods = Array.from({ length: podsMax }, (_, i) => ({ ...one, metadata: { name: `p${i}` } }))
  const run = bench.start({ role: 'kubelet', apiServer })
  await bench.until('pods', () => run.groups.size === podsMax)
  pods.push({ ...one, metadata: { name: 'more' } })
  await bench.until('trouble', () => bench.lines.length > 0, 1000)
  expect(bench.lines[0]).toContain(`want at most ${podsMax} pods`)
  expect(run.groups.size).toBe(podsMax)
})

test('asks the node of the environment by TLS, with the pod`s own token', async () => {
  const account = mkdtempSync(join(tmpdir(), 'narthex-account-'))
  try {
    writeFileSync(join(account, 'token'), 't')
    writeFileSync(join(account, 'ca.crt'), '')
    bench.env['NODE_IP'] = '::1'
    bench.start({ role: 'kubelet' }, account)
    await bench.until('refused connection', () => bench.lines.length > 0)
    expect(bench.lines[0]).toContain('https://[::1]:10250/pods')
  } finally {
    rmSync(account, { recursive: true })
  }
})
