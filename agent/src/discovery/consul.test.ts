import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ConsulDiscovery } from '@narthex/config/consul-discovery'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { toTarget } from './consul-targets.ts'
import { nodeChecksMax } from './consul-agent.ts'
import { consulInstancesMax, consulServicesMax } from './consul-bounds.ts'
import { createConsulDiscoverer } from './consul.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { instance, StubConsul } from './testkit/stub-consul.ts'
import { until } from './testkit/stub-server.ts'

let recorded: RecordedDiscovery
let consul: StubConsul

beforeEach(async () => {
  recorded = new RecordedDiscovery(new FakeClock(), { CONSUL_HTTP_TOKEN: 'of-environment' })
  consul = new StubConsul()
  await consul.listen()
})
afterEach(async () => {
  recorded.stop()
  await consul.close()
})

function start(changes: Partial<ConsulDiscovery> = {}): void {
  const config: ConsulDiscovery = {
    mechanism: 'consul',
    server: consul.address,
    pathPrefix: '',
    datacenter: '',
    namespace: '',
    partition: '',
    tagSeparator: ',',
    scheme: 'http',
    username: '',
    allowStale: true,
    refreshIntervalMs: 30_000,
    services: [],
    tags: [],
    nodeMeta: {},
    filter: '',
    healthFilter: '',
    agent: false,
    http: defaultHttpClientConfig,
    ...changes,
  }
  recorded.start(createConsulDiscoverer(config, recorded.context))
}

const failures = (): number => recorded.metric('prometheus_sd_consul_rpc_failures_total')
const listPath = '/v1/catalog/services'
const webPath = '/v1/health/service/web'
const asked = (path: string): number => consul.requests.filter((request) => request.path === path).length

/** Lets all watches, which have had an answer, ask again and wait for news; by default those of a catalog with the one service `web`. */
async function untilAllWait(paths: readonly string[] = [listPath, webPath]): Promise<void> {
  await until(() => recorded.clock.timerCount === paths.length)
  await recorded.clock.advance(30_000)
  await until(() => consul.waiting.join() === [...paths].sort().join())
}

describe('the catalog', () => {
  beforeEach(() => {
    consul.contents[listPath] = { web: ['blue', 'v1'] }
    consul.contents[webPath] = [instance('web-1', '10.1.0.1', 80), instance('web-2', '', 81)]
  })

  test('finds every instance, at its own address or its node`s', async () => {
    start()
    await until(() => recorded.groups.size === 1)
    expect(recorded.groups.get('web')!.labels).toEqual({ __meta_consul_service: 'web', __meta_consul_dc: 'dc1' })
    expect(recorded.addresses()).toEqual(['10.0.0.1:81', '10.1.0.1:80'])
    expect(consul.requests.map(({ path }) => path)).toEqual(['/v1/agent/self', listPath, webPath])
  })

  test('waits with the index of the last answer, no sooner than the refresh interval, and follows changes', async () => {
    start()
    await until(() => recorded.groups.size === 1)
    await until(() => recorded.clock.timerCount === 2)
    await recorded.clock.advance(29_999)
    expect([asked(listPath), asked(webPath)]).toEqual([1, 1])
    await recorded.clock.advance(1)
    await until(() => consul.waiting.length === 2)
    const query = consul.requests.at(-1)!.query
    expect([query.get('index'), query.get('wait'), query.get('stale')]).toEqual(['1', '120000ms', 'true'])
    consul.change({ [webPath]: [instance('web-1', '10.1.0.9', 80)] })
    await until(() => recorded.addresses().join() === '10.1.0.9:80')
    const updates = recorded.updates
    await untilAllWait()
    // The wait ends without news.
    consul.release()
    await untilAllWait()
    expect(recorded.updates).toBe(updates)
    expect(failures()).toBe(0)
  })

  test('a service that comes is watched, one that goes ends', async () => {
    start()
    await until(() => recorded.groups.size === 1)
    await untilAllWait()
    consul.change({ [listPath]: { web: [], 'db main': [] }, '/v1/health/service/db%20main': [instance('db', '10.2.0.1', 3306)] })
    await until(() => recorded.groups.size === 2)
    await untilAllWait([listPath, webPath, '/v1/health/service/db%20main'])
    consul.change({ [listPath]: { 'db main': [] } })
    await until(() => recorded.groups.size === 1)
    expect(recorded.addresses()).toEqual(['10.2.0.1:3306'])
    const before = asked(webPath)
    await recorded.clock.advance(300_000)
    expect(asked(webPath)).toBe(before)
  })

  test('an index that goes back starts over without waiting', async () => {
    consul.index = 50
    start()
    await until(() => recorded.groups.size === 1)
    await untilAllWait()
    consul.change({ [webPath]: [instance('web-1', '10.1.0.7', 80)] }, 7)
    await until(() => recorded.addresses().join() === '10.1.0.7:80')
    const before = consul.requests.length
    await until(() => recorded.clock.timerCount === 2)
    await recorded.clock.advance(30_000)
    await until(() => consul.requests.length === before + 2)
    expect(consul.requests.slice(before).map(({ query }) => query.get('index'))).toEqual([null, null])
    await untilAllWait()
    expect(consul.requests.at(-1)!.query.get('index')).toBe('7')
  })

  test('a server without an index is asked once per interval', async () => {
    consul.hasIndex = false
    start()
    await until(() => recorded.updates === 1)
    consul.contents[webPath] = []
    await recorded.clock.advance(30_000)
    await until(() => recorded.groups.size === 0)
    expect(consul.requests.at(-1)!.query.get('index')).toBe(null)
  })

  test('keeps the targets through errors and cut connections, and tries again after 15 s', async () => {
    start()
    await until(() => recorded.groups.size === 1)
    await untilAllWait()
    consul.failure = 'rpc error: No cluster leader'
    consul.cut()
    await until(() => failures() === 2 && recorded.clock.timerCount === 2)
    await recorded.clock.advance(14_999)
    expect(failures()).toBe(2)
    await recorded.clock.advance(1)
    await until(() => failures() === 4)
    expect(recorded.lines.at(-1)).toContain('Unexpected response code: 500 (rpc error: No cluster leader)')
    expect(recorded.addresses()).toEqual(['10.0.0.1:81', '10.1.0.1:80'])
    consul.failure = undefined
    consul.contents[webPath] = [instance('web-1', '10.1.0.2', 80)]
    await recorded.clock.advance(15_000)
    await until(() => recorded.addresses().join() === '10.1.0.2:80')
  })

  test('an answer of another shape is a failure and changes nothing', async () => {
    start()
    await until(() => recorded.groups.size === 1)
    await untilAllWait()
    consul.change({ [webPath]: { not: 'a list' }, [listPath]: ['no map'] })
    await until(() => failures() === 2)
    expect(recorded.addresses()).toHaveLength(2)
  })

  test('more instances or services than it may hold are a failure and change nothing', async () => {
    start()
    await until(() => recorded.groups.size === 1)
    await untilAllWait()
    const crowd = Array.from({ length: consulInstancesMax + 1 }, () => ({}))
    const names = Object.fromEntries(Array.from({ length: consulServicesMax + 1 }, (_, i) => [`s${i}`, []]))
    consul.change({ [webPath]: crowd, [listPath]: names })
    await until(() => failures() === 2)
    expect(recorded.addresses()).toHaveLength(2)
    expect(recorded.lines.join('')).toContain('want at most 100000 of all services, got 100001')
    expect(recorded.lines.join('')).toContain('cannot watch services: want at most 10000, got 10001')
  })

  test('asks for the datacenter again until it is told', async () => {
    consul.failure = 'starting'
    start()
    await until(() => failures() === 1)
    expect(recorded.lines[0]).toContain('Error retrieving datacenter name')
    consul.failure = undefined
    await recorded.clock.advance(15_000)
    await until(() => recorded.groups.size === 1)
  })

  test('sends every setting', async () => {
    start({
      pathPrefix: '/consul/',
      token: new Secret('s3cret'),
      datacenter: 'dc9',
      namespace: 'ns1',
      partition: 'p1',
      allowStale: false,
      tags: ['blue', 'v1'],
      nodeMeta: { rack: '2' },
      filter: 'Service != "x"',
      healthFilter: 'Checks.Status == passing',
    })
    consul.contents[`/consul${listPath}`] = { web: ['v1', 'blue'], old: ['blue'] }
    await until(() => consul.requests.length === 2)
    const [list, health] = consul.requests
    const common = { dc: 'dc9', ns: 'ns1', partition: 'p1', 'node-meta': 'rack:2' }
    expect(list!.headers['x-consul-token']).toBe('s3cret')
    expect(Object.fromEntries(list!.query)).toEqual({ ...common, filter: 'Service != "x"' })
    expect(health!.path).toBe(`/consul${webPath}`)
    expect(health!.query.getAll('tag')).toEqual(['blue', 'v1'])
    expect(health!.query.get('filter')).toBe('Checks.Status == passing')
  })

  test('services that are all named need no list; the token may come from the environment', async () => {
    start({ services: ['web', 'db'], datacenter: 'x' })
    await until(() => recorded.updates === 2)
    expect(asked(listPath)).toBe(0)
    expect(consul.requests[0]!.headers['x-consul-token']).toBe('of-environment')
  })

  test('stopped, it asks no more', async () => {
    start()
    await until(() => recorded.groups.size === 1)
    await untilAllWait()
    recorded.stop()
    await until(() => consul.waiting.length === 0)
    expect([recorded.clock.timerCount, failures(), recorded.lines]).toEqual([0, 0, []])
  })
})

test('all labels of an instance', () => {
  const full = {
    node: { Node: 'n1', Address: '10.0.0.1', Meta: { 'os-version': '12' }, TaggedAddresses: { lan: '10.0.0.1', 'wan-v4': '1.2.3.4' } },
    service: { ID: 'i', Tags: ['a', 'b'], Address: 'fd00::1', Port: 8080, Meta: { team: 'x' }, Namespace: 'ns', Partition: 'pt' },
    checks: [{ CheckID: 'serfHealth', Status: 'passing' }],
  }
  expect(toTarget(full, ';')).toEqual({
    __address__: '[fd00::1]:8080',
    __meta_consul_address: '10.0.0.1',
    __meta_consul_node: 'n1',
    __meta_consul_namespace: 'ns',
    __meta_consul_partition: 'pt',
    __meta_consul_tags: ';a;b;',
    __meta_consul_service_address: 'fd00::1',
    __meta_consul_service_port: '8080',
    __meta_consul_service_id: 'i',
    __meta_consul_health: 'passing',
    __meta_consul_metadata_os_version: '12',
    __meta_consul_service_metadata_team: 'x',
    __meta_consul_tagged_address_lan: '10.0.0.1',
    __meta_consul_tagged_address_wan_v4: '1.2.3.4',
  })
})

test.each([
  [[], 'passing'],
  [['passing', 'warning'], 'warning'],
  [['critical', 'warning'], 'critical'],
  [['unheard-of', 'passing'], undefined],
])('the health of checks %j is %s', (statuses, health) => {
  const checks = statuses.map((Status) => ({ CheckID: 'c', Status }))
  expect(toTarget({ node: {}, service: {}, checks }, ',')['__meta_consul_health']).toBe(health)
  const maintained = [
    { CheckID: '_service_maintenance:web', Status: 'critical' },
    { CheckID: 'c', Status: 'critical' },
  ]
  expect(toTarget({ node: {}, service: {}, checks: maintained }, ',')['__meta_consul_health']).toBe('maintenance')
})

describe('a local agent', () => {
  beforeEach(() => {
    consul.contents = {
      '/v1/agent/self': {
        Config: { Datacenter: 'dc1', NodeName: 'n7' },
        Member: { Addr: '10.0.0.7' },
        Meta: { rack: '2' },
        DebugConfig: { TaggedAddresses: { wan: '1.2.3.4' } },
      },
      '/v1/agent/services': {
        w1: { ID: 'w1', Service: 'web', Tags: ['blue'], Address: '', Port: 80, Meta: { v: '1' } },
        w2: { ID: 'w2', Service: 'web', Tags: ['green'], Address: '10.9.0.1', Port: 81 },
        d1: { ID: 'd1', Service: 'db', Tags: ['blue'], Address: '', Port: 3306 },
      },
      '/v1/agent/checks': {
        c1: { CheckID: 'c1', ServiceID: 'w1', Status: 'critical' },
        c2: { CheckID: 'c2', ServiceID: '', Status: 'warning' },
      },
    }
  })

  test('gives its services with health and the node`s labels', async () => {
    start({ agent: true, services: ['web'], filter: 'Port < 90' })
    await until(() => recorded.updates === 1)
    expect(recorded.targets()).toEqual([
      {
        __address__: '10.0.0.7:80',
        __meta_consul_service: 'web',
        __meta_consul_dc: 'dc1',
        __meta_consul_address: '10.0.0.7',
        __meta_consul_node: 'n7',
        __meta_consul_tags: ',blue,',
        __meta_consul_service_port: '80',
        __meta_consul_service_id: 'w1',
        __meta_consul_service_metadata_v: '1',
        __meta_consul_metadata_rack: '2',
        __meta_consul_tagged_address_wan: '1.2.3.4',
        __meta_consul_health: 'critical',
      },
      expect.objectContaining({ __address__: '10.9.0.1:81', __meta_consul_service_id: 'w2', __meta_consul_health: 'warning' }),
    ])
    expect(consul.requests.find(({ path }) => path === '/v1/agent/services')!.query.get('filter')).toBe('Port < 90')
    expect(consul.requests.every(({ path }) => path.startsWith('/v1/agent/'))).toBe(true)
  })

  test('follows what is registered, and keeps it while the agent fails', async () => {
    start({ agent: true, tags: ['blue'] })
    await until(() => recorded.updates === 1)
    expect(recorded.addresses()).toEqual(['10.0.0.7:3306', '10.0.0.7:80'])
    consul.failure = 'gone'
    await recorded.clock.advance(30_000)
    await until(() => failures() === 1)
    expect(recorded.addresses()).toHaveLength(2)
    consul.failure = undefined
    consul.contents['/v1/agent/services'] = { d1: { ID: 'd1', Service: 'db', Tags: ['blue'], Address: '', Port: 3307 } }
    await recorded.clock.advance(30_000)
    await until(() => recorded.updates === 2)
    expect(recorded.addresses()).toEqual(['10.0.0.7:3307'])
  })

  test('refuses more services or checks of the node than it may hold', async () => {
    const some = (count: number, what: object): object => Object.fromEntries(Array.from({ length: count }, (_, i) => [`x${i}`, what]))
    consul.contents['/v1/agent/services'] = some(consulInstancesMax, {})
    consul.contents['/v1/agent/checks'] = some(nodeChecksMax, { CheckID: 'c', ServiceID: '', Status: 'passing' })
    start({ agent: true, services: ['web'] })
    await until(() => recorded.updates === 1)
    consul.contents['/v1/agent/services'] = some(consulInstancesMax + 1, {})
    await recorded.clock.advance(30_000)
    await until(() => failures() === 1)
    expect(recorded.lines.join('')).toContain('cannot read services: want at most 100000, got 100001')
    consul.contents['/v1/agent/services'] = {}
    consul.contents['/v1/agent/checks'] = some(nodeChecksMax + 1, { CheckID: 'c', ServiceID: '', Status: 'passing' })
    await recorded.clock.advance(30_000)
    await until(() => failures() === 2)
    expect(recorded.lines.join('')).toContain('cannot read checks: want at most 1000 of the node, got 1001')
  })

  test('another node`s metadata is no match', async () => {
    start({ agent: true, nodeMeta: { rack: '3' } })
    await until(() => recorded.updates === 1)
    expect(recorded.addresses()).toEqual([])
  })
})

describe('the server', () => {
  test('may be a unix socket', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'narthex-consul-'))
    const local = new StubConsul()
    try {
      await local.listen(join(directory, 'c.sock'))
      local.contents[webPath] = [instance('web-1', '10.1.0.1', 80)]
      start({ server: `unix://${directory}/c.sock`, services: ['web'] })
      await until(() => recorded.addresses().length === 1)
    } finally {
      recorded.stop()
      await local.close()
      rmSync(directory, { recursive: true })
    }
  })

  test('is refused with a protocol that Consul does not have', () => {
    expect(() => start({ server: 'ftp://a:1' })).toThrow('cannot use consul server "ftp://a:1": unknown protocol scheme: ftp')
  })
})
