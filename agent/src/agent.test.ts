import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { createAgent } from './agent.ts'
import type { Agent } from './agent.ts'
import { InProcessTargets } from './scrape/in-process.ts'
import { decodeRequest } from './send/testkit/fake-remote.ts'
import type { ReceivedSample } from './send/testkit/fake-remote.ts'

let directory: string
let servers: Server[]
let agents: Agent[]
let received: ReceivedSample[]
let remoteStatus: number

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-agent-'))
  servers = []
  agents = []
  received = []
  remoteStatus = 204
})

afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.stop(0)))
  for (const server of servers) server.closeAllConnections()
  for (const server of servers) server.close()
  rmSync(directory, { recursive: true })
})

async function serve(handler: RequestListener): Promise<string> {
  const server = createServer(handler)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

function serveRemote(): Promise<string> {
  return serve((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => void chunks.push(chunk))
    request.on('end', () => {
      const headers = { 'Content-Type': String(request.headers['content-type']) }
      const { samples } = decodeRequest(headers, Buffer.concat(chunks))
      if (remoteStatus < 300) received.push(...samples)
      response.writeHead(remoteStatus, { 'x-prometheus-remote-write-samples-written': String(samples.length) }).end()
    })
  })
}

function start(targets: readonly string[], remote: string, inProcessTargets = new InProcessTargets()): Agent {
  const text = `
global: {scrape_interval: 200ms, scrape_timeout: 200ms, external_labels: {region: r1}}
scrape_configs: [{job_name: j, static_configs: [{targets: [${targets.map((target) => `'${target}'`).join(',')}]}]}]
remote_write: [{url: 'http://${remote}/api/v1/write', queue_config: {batch_send_deadline: 50ms}}]
`
  const config = parsePrometheusConfig(text, { path: join(directory, 'p.yml'), mode: 'agent' })
  const agent = createAgent({ config, storagePath: directory, log: silentLogger, registry: new Registry(), inProcessTargets })
  agents.push(agent)
  agent.start()
  return agent
}

async function until(isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !isDone(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(isDone()).toBe(true)
}

const countOf = (part: string): number => received.filter(({ series }) => series.includes(part)).length

test('brings samples of HTTP targets and of exporters in process to the remote', async () => {
  const target = await serve((_request, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end('over_http 5\n'))
  const inProcess = new InProcessTargets()
  inProcess.register('here:9100', '/metrics', () => ({ status: 200, contentType: 'text/plain', body: Buffer.from('in_process 7\n') }))
  start([target, 'here:9100'], await serveRemote(), inProcess)
  await until(() => countOf('over_http') >= 2 && countOf('in_process') >= 2)
  const sample = received.find(({ series }) => series.includes('over_http'))!
  expect(sample.value).toBe(5)
  expect(sample.series).toBe(`__name__=over_http,instance=${target},job=j,region=r1`)
})

test('delivers after a restart what a refusing remote left behind', async () => {
  const inProcess = new InProcessTargets()
  let scrapes = 0
  inProcess.register('here:9100', '/metrics', () => ({
    status: 200,
    contentType: 'text/plain',
    body: Buffer.from(`counted ${++scrapes}\n`),
  }))
  const remote = await serveRemote()
  remoteStatus = 503
  const first = start(['here:9100'], remote, inProcess)
  await until(() => scrapes >= 3)
  await first.stop(0)
  agents = []
  expect(received).toEqual([])
  const kept = scrapes
  remoteStatus = 204
  start([], remote)
  await until(() => countOf('counted') >= kept)
  const values = received.filter(({ series }) => series.includes('counted')).map(({ value }) => value)
  expect(values).toEqual(Array.from({ length: kept }, (_, i) => i + 1))
})

test('shows targets and their metadata', async () => {
  const inProcess = new InProcessTargets()
  const body = Buffer.from('# HELP m Text.\n# TYPE m gauge\nm 1\n')
  inProcess.register('here:9100', '/metrics', () => ({ status: 200, contentType: 'text/plain', body }))
  const agent = start(['here:9100'], await serveRemote(), inProcess)
  await until(() => agent.status().targets.active[0]?.health === 'up')
  const metadata = [...agent.metadata()]
  expect(metadata[0]!.target.toRecord()).toEqual({ instance: 'here:9100', job: 'j' })
  expect(metadata[0]!.families).toEqual([{ name: 'm', type: 'gauge', help: 'Text.', unit: '' }])
})
