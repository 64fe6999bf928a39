import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { join } from 'node:path'
import type { LocalDiscovery } from '@narthex/config/local-discovery'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ServiceAddress } from '../../embedded/embedded-exporter.ts'
import { EmbeddedExporters } from '../../embedded/embedded-exporters.ts'
import { inProcessKey, InProcessTargets } from '../../scrape/in-process.ts'
import { FakeClock } from '../../scrape/testkit/fake-clock.ts'
import { createDiscoveryMetrics } from '../discovery-metrics.ts'
import type { TargetGroup } from '../target-groups.ts'
import { LocalDiscoverer } from './local.ts'
import { createLocalSurroundings } from './surroundings.ts'
import { FakeProc } from './testkit/fake-proc.ts'

let proc: FakeProc
let clock: FakeClock
let registry: Registry
let embedded: EmbeddedExporters
let inProcess: InProcessTargets
let lines: string[]
let groups: Map<string, TargetGroup>
let urls: string[]
let services: ServiceAddress[]
let opened: ServiceAddress[]
let discoverer: LocalDiscoverer
let servers: Server[]
let sockets: Set<Socket>

beforeEach(() => {
  proc = new FakeProc()
  clock = new FakeClock()
  registry = new Registry()
  inProcess = new InProcessTargets()
  lines = []
  groups = new Map()
  urls = []
  services = []
  opened = []
  servers = []
  sockets = new Set()
  const factory = ({ service }: { service: ServiceAddress }) => {
    opened.push(service)
    return {
      scrape: () => Promise.resolve({ status: 200, contentType: 'text/plain', body: Buffer.from('x_up 1\n') }),
      close: () => Promise.resolve(),
    }
  }
  const log = createLogger({ write: (line) => void lines.push(line) })
  const factories = { mysql: factory, redis: factory, nginx: factory }
  embedded = new EmbeddedExporters({ factories, inProcess, address: 'agent:9090', log, registry })
})

afterEach(() => {
  discoverer.stop()
  for (const socket of sockets) socket.destroy()
  for (const server of servers) server.close()
  proc.remove()
})

const defaults: LocalDiscovery = {
  mechanism: 'local',
  refreshIntervalMs: 10_000,
  services: [],
  exclude: [],
  readServiceConfigs: false,
  procfs: '',
  instanceHost: 'web1',
  exporterFlags: {},
}

function start(config: Partial<LocalDiscovery> = {}, withExporters = true): void {
  const log = createLogger({ write: (line) => void lines.push(line) })
  const surroundings = createLocalSurroundings(registry, {
    embedded: withExporters ? embedded : undefined,
    scrapeUrls: () => urls,
    configuredServices: () => services,
  })
  const metrics = createDiscoveryMetrics(registry, 'scrape', () => new Map())
  const context = { log, clock, registry, metrics, userAgent: 't', jobName: 'local', env: {} }
  discoverer = new LocalDiscoverer({ ...defaults, procfs: proc.path, ...config }, context, surroundings)
  discoverer.start((changed) => {
    for (const group of changed) {
      if (group.targets.length === 0) groups.delete(group.source)
      else groups.set(group.source, group)
    }
  })
}

interface Listening {
  readonly port: number
  connections: number
  server: Server
}

/** A server that answers every message with this text. */
async function listen(answer: string, port = 0): Promise<Listening> {
  const server = createServer((socket) => {
    listening.connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', () => socket.write(answer))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const listening: Listening = { port: (server.address() as AddressInfo).port, connections: 0, server }
  return listening
}

let inodes = 100

/** Shows in the proc file system what runs: a process each, all on 127.0.0.1. */
function show(...processes: { pid: number; comm: string; port: number; environ?: Record<string, string>; startTicks?: number }[]): void {
  const tcp = processes.map(({ port }) => ({ host: '127.0.0.1', port, inode: ++inodes }))
  processes.forEach((process, index) => proc.addProcess({ ...process, sockets: [tcp[index]!.inode] }))
  proc.setSockets(1, tcp)
}

/** Lets the I/O of a scan and its probes happen until the claim holds. */
async function until(claim: () => boolean): Promise<void> {
  await expect.poll(claim, { interval: 2 }).toBe(true)
}

/** Moves to the next scan and waits until it is over. */
async function nextScan(ms = 10_000): Promise<void> {
  await clock.advance(ms)
  await until(() => clock.timerCount === 1)
}

const target = (source: string): Record<string, string> => ({ ...groups.get(source)?.targets[0] })
const scrape = async (source: string, parameters = ''): Promise<string> => {
  const { __address__: address, __metrics_path__: path } = target(source)
  const url = new URL(`http://${address}${path}${parameters}`)
  const answer = await inProcess.find(inProcessKey(url))!({ url, accept: '', timeoutMs: 1000 })
  return Buffer.from(answer.body).toString()
}

describe('a known service', () => {
  test('gets an exporter and a target with its labels', async () => {
    const redis = await listen('+PONG\r\n')
    show({ pid: 10, comm: 'redis-server', port: redis.port })
    start()
    await until(() => groups.size === 1)
    expect(target(`redis/web1:${redis.port}`)).toMatchObject({
      __address__: 'agent:9090',
      __metrics_path__: `/exporters/redis/local-web1:${redis.port}/metrics`,
      job: 'redis',
      instance: `web1:${redis.port}`,
      __meta_local_service: 'redis',
      __meta_local_state: 'attached',
      __meta_local_confidence: 'probe',
      __meta_local_pid: '10',
      __meta_local_comm: 'redis-server',
      __meta_local_address: '127.0.0.1',
      __meta_local_port: String(redis.port),
      __meta_local_proto: 'tcp',
      __meta_local_start_time: '1700000005',
    })
    expect(await scrape(`redis/web1:${redis.port}`)).toBe('x_up 1\n')
    expect(opened).toEqual([{ address: `127.0.0.1:${redis.port}` }])
  })

  test('is probed once per start of its process, and an unknown port never', async () => {
    const [redis, unknown] = [await listen('+PONG\r\n'), await listen('+PONG\r\n')]
    const app = { pid: 11, comm: 'app', port: unknown.port }
    show({ pid: 10, comm: 'redis-server', port: redis.port }, app)
    start()
    await until(() => groups.size === 1)
    for (let i = 0; i < 3; i++) await nextScan()
    expect([redis.connections, unknown.connections]).toEqual([1, 0])
    show({ pid: 12, comm: 'redis-server', port: redis.port }, app)
    proc.removeProcess(10)
    await nextScan()
    await nextScan()
    expect([redis.connections, unknown.connections]).toEqual([2, 0])
    expect([...groups.keys()]).toEqual([`redis/web1:${redis.port}`])
    expect(target(`redis/web1:${redis.port}`)['__meta_local_pid']).toBe('12')
  })

  test('that moves to another port is followed; the old place is kept for two scans', async () => {
    const [first, second] = [await listen('+PONG\r\n'), await listen('+PONG\r\n')]
    show({ pid: 10, comm: 'redis-server', port: first.port })
    start()
    await until(() => groups.size === 1)
    proc.removeProcess(10)
    show({ pid: 11, comm: 'redis-server', port: second.port })
    await nextScan()
    expect([...groups.keys()].sort()).toEqual([`redis/web1:${first.port}`, `redis/web1:${second.port}`].sort())
    await nextScan()
    expect(groups.size).toBe(2)
    await nextScan()
    expect([...groups.keys()]).toEqual([`redis/web1:${second.port}`])
    expect(embedded.list()).toHaveLength(1)
  })

  test('is found two seconds after its process starts, without waiting for the next scan', async () => {
    start()
    await until(() => clock.timerCount === 1)
    const redis = await listen('+PONG\r\n')
    show({ pid: 10, comm: 'redis-server', port: redis.port })
    await nextScan(2000)
    expect(groups.size).toBe(1)
  })

  test('that begins to listen later is found two seconds later', async () => {
    proc.addProcess({ pid: 10, comm: 'redis-server' })
    start()
    await until(() => clock.timerCount === 1)
    const redis = await listen('+PONG\r\n')
    show({ pid: 10, comm: 'redis-server', port: redis.port })
    await nextScan(2000)
    expect(groups.size).toBe(1)
  })

  test('that the configuration scrapes already is left alone, until it does not any more', async () => {
    const redis = await listen('+PONG\r\n')
    show({ pid: 10, comm: 'redis-server', port: redis.port })
    services = [{ address: `localhost:${redis.port}` }]
    start()
    await until(() => clock.timerCount === 1)
    expect([groups.size, redis.connections]).toEqual([0, 0])
    services = []
    urls = [`http://exporter:9121/scrape?target=redis%3A%2F%2Flocalhost%3A${redis.port}`]
    await nextScan()
    expect([groups.size, redis.connections]).toEqual([0, 0])
    urls = []
    await nextScan()
    expect([groups.size, redis.connections]).toEqual([1, 1])
    urls = [`http://localhost:${redis.port}/metrics`]
    await nextScan()
    expect([groups.size, embedded.list()]).toEqual([0, []])
  })

  test.each([
    ['a glob of its program', { exclude: ['*/redis-*'] }, {}],
    ['its address', { exclude: ['127.0.0.1:*'] }, {}],
    ['the list of services', { services: ['mysql'] }, {}],
    ['its own environment', {}, { NARTHEX_DISCOVERY: 'off' }],
  ])('is never spoken to when it is left out by %s', async (_name, config, environ) => {
    const redis = await listen('+PONG\r\n')
    show({ pid: 10, comm: 'redis-server', port: redis.port, environ: { A: 'b', ...environ } })
    start(config)
    await until(() => clock.timerCount === 1)
    expect([groups.size, redis.connections]).toEqual([0, 0])
    expect(lines.join('')).toContain('state=ignored')
  })

  test('that nobody answers for is shown, and tried again after a minute', async () => {
    const redis = await listen('+PONG\r\n')
    redis.server.close()
    show({ pid: 10, comm: 'redis-server', port: redis.port })
    start()
    await until(() => groups.size === 1)
    const source = `redis/web1:${redis.port}`
    await expect(scrape(source)).rejects.toThrow(`found, not reachable: 127.0.0.1:${redis.port}: ECONNREFUSED`)
    const again = await listen('+PONG\r\n', redis.port)
    for (let i = 0; i < 5; i++) await nextScan()
    expect(again.connections).toBe(0)
    await nextScan()
    expect(again.connections).toBe(1)
    expect(await scrape(source)).toBe('x_up 1\n')
  })

  test('out of reach in another network namespace is shown as such', async () => {
    proc.addProcess({ pid: 10, comm: 'redis-server', netns: 2, sockets: [99], cgroup: `0::/docker/${'ab'.repeat(32)}\n` })
    proc.setSockets(10, [{ host: '127.0.0.1', port: 6379, inode: 99 }])
    start()
    await until(() => groups.size === 1)
    await expect(scrape('redis/abababababab:6379')).rejects.toThrow('found, not reachable: it is in another network namespace')
  })

  test('is taken by the first of two jobs', async () => {
    const redis = await listen('+PONG\r\n')
    show({ pid: 10, comm: 'redis-server', port: redis.port })
    start()
    await until(() => groups.size === 1)
    const first = discoverer
    groups.clear()
    start()
    await until(() => lines.some((line) => line.includes('is attached already')))
    expect(groups.size).toBe(0)
    first.stop()
  })
})

describe('a service that wants credentials', () => {
  async function startLocked(): Promise<{ redis: Listening; source: string; directory: string }> {
    const redis = await listen('-NOAUTH Authentication required.\r\n')
    show({ pid: 10, comm: 'redis-server', port: redis.port })
    const directory = join(proc.path, 'credentials')
    mkdirSync(directory)
    start({ credentialsDirectory: directory })
    await until(() => groups.size === 1)
    return { redis, source: `redis/web1:${redis.port}`, directory }
  }

  test('is shown and not spoken to again', async () => {
    const { redis, source } = await startLocked()
    await expect(scrape(source)).rejects.toThrow('found, needs credentials: NOAUTH Authentication required.')
    await nextScan()
    expect(redis.connections).toBe(1)
    expect(target(source)['__meta_local_state']).toBe('needs_credentials')
    expect(opened).toEqual([])
  })

  test('is attached when they come, with no restart, and its password is in no label and no log', async () => {
    const { redis, source, directory } = await startLocked()
    redis.server.close()
    for (const socket of sockets) socket.destroy()
    await listen('+OK\r\n', redis.port)
    writeFileSync(join(directory, 'redis.yml'), 'password: hunter2\n')
    await nextScan()
    expect(await scrape(source)).toBe('x_up 1\n')
    expect(opened).toEqual([{ address: `127.0.0.1:${redis.port}`, username: '', password: 'hunter2' }])
    expect(JSON.stringify([...groups.values()]) + lines.join('')).not.toContain('hunter2')
  })

  test('takes the credentials that relabeling names', async () => {
    const { redis, source, directory } = await startLocked()
    writeFileSync(join(directory, 'shop.yml'), 'username: shop\npassword: hunter2\n')
    expect(await scrape(source, '?credentials=shop')).toBe('x_up 1\n')
    expect(opened).toEqual([{ address: `127.0.0.1:${redis.port}`, username: 'shop', password: 'hunter2' }])
    await expect(scrape(source, '?credentials=none')).rejects.toThrow('has no such file')
  })
})

describe('a known exporter', () => {
  const page = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na 1\n'

  test('is a target itself, also in a program without exporters', async () => {
    const [exporter, redis] = [await listen(page), await listen('+PONG\r\n')]
    show({ pid: 10, comm: 'node_exporter', port: exporter.port }, { pid: 11, comm: 'redis-server', port: redis.port })
    start({}, false)
    await until(() => clock.timerCount === 1)
    expect([...groups.keys()]).toEqual([`node/web1:${exporter.port}`])
    expect(target(`node/web1:${exporter.port}`)).toMatchObject({
      __address__: `127.0.0.1:${exporter.port}`,
      __metrics_path__: '/metrics',
      job: 'node',
      instance: `web1:${exporter.port}`,
    })
    expect(redis.connections).toBe(0)
  })

  test('of any name gives the job its name', async () => {
    const exporter = await listen(page)
    show({ pid: 10, comm: 'acme-exporter', port: exporter.port })
    start()
    await until(() => groups.size === 1)
    expect(target(`acme_exporter/web1:${exporter.port}`)['job']).toBe('acme_exporter')
  })

  test('that answers something else is no target', async () => {
    const other = await listen('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n')
    show({ pid: 10, comm: 'acme_exporter', port: other.port })
    start()
    await until(() => clock.timerCount === 1)
    await nextScan()
    expect([groups.size, other.connections]).toEqual([0, 1])
  })
})

test('counts services by state, and stops without a trace', async () => {
  const [redis, locked] = [await listen('+PONG\r\n'), await listen('-NOAUTH x\r\n')]
  show({ pid: 10, comm: 'redis-server', port: redis.port }, { pid: 11, comm: 'valkey-server', port: locked.port })
  start()
  await until(() => groups.size === 2)
  const states = discoverer.services.countStates().get('redis')
  expect(Object.fromEntries(states!)).toEqual({ attached: 1, needs_credentials: 1 })
  discoverer.stop()
  expect(embedded.list()).toEqual([])
  expect(clock.timerCount).toBe(0)
})

test('refuses to run where there is no proc file system', () => {
  start()
  discoverer.stop()
  expect(() => start({ procfs: '/nowhere' })).toThrow('needs the proc file system of Linux: cannot read /nowhere/self')
})

test('refuses a service that the rule table does not have', () => {
  start()
  discoverer.stop()
  expect(() => start({ services: ['reddis'] })).toThrow('local_sd_configs has no rule for a service named "reddis"')
})
