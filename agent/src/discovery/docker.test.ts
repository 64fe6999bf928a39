import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DockerDiscovery } from '@narthex/config/discovery-config'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { dockerTargetsMax, readContainers } from './docker-targets.ts'
import { createDockerDiscoverer } from './docker.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { answerJson, startStubServer, until, type StubServer } from './testkit/stub-server.ts'

let recorded: RecordedDiscovery
let docker: StubServer
let directory: string
let containers: unknown
let networks: unknown
let failure: { status: number; body: string } | undefined

beforeEach(async () => {
  recorded = new RecordedDiscovery(new FakeClock())
  directory = mkdtempSync(join(tmpdir(), 'narthex-docker-'))
  failure = undefined
  networks = [
    { Id: 'net-a', Name: 'a', Scope: 'local', Internal: false, Ingress: false, Labels: { 'com.tier': 'front' } },
    { Id: 'net-b', Name: 'b', Scope: 'swarm', Internal: true, Ingress: true, Labels: null },
  ]
  docker = await startStubServer(
    ({ path }, response) => {
      if (failure !== undefined) response.writeHead(failure.status).end(failure.body)
      else answerJson(response, path === '/networks' ? networks : containers)
    },
    join(directory, 'd.sock'),
  )
})
afterEach(async () => {
  recorded.stop()
  await docker.close()
  rmSync(directory, { recursive: true })
})

async function start(changes: Partial<DockerDiscovery> = {}): Promise<void> {
  const config: DockerDiscovery = {
    mechanism: 'docker',
    host: `unix://${directory}/d.sock`,
    port: 80,
    filters: [],
    hostNetworkingHost: 'localhost',
    matchFirstNetwork: true,
    refreshIntervalMs: 60_000,
    http: defaultHttpClientConfig,
    ...changes,
  }
  recorded.start(createDockerDiscoverer(config, recorded.context))
  await until(() => recorded.updates + recorded.lines.length > 0)
}

const endpoint = (id: string, ip: string): unknown => ({ NetworkID: id, IPAddress: ip, GlobalIPv6Address: '' })
function container(name: string, mode: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const { Networks = {}, ...rest } = more
  return {
    Id: `id-${name}`,
    Names: [`/${name}`],
    Image: 'img:1',
    ImageID: 'sha256:1',
    Ports: [],
    Labels: {},
    HostConfig: { NetworkMode: mode },
    NetworkSettings: { Networks },
    ...rest,
  }
}

describe('docker_sd_configs', () => {
  test('gives one target per TCP port with all labels', async () => {
    const ports = [
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { PrivatePort: 9100, Type: 'tcp' },
      { PrivatePort: 53, Type: 'udp' },
    ]
    containers = [container('web', 'a', { Ports: ports, Labels: { 'my-app': 'x' }, Networks: { a: endpoint('net-a', '10.0.0.2') } })]
    await start()
    const common = {
      __meta_docker_container_id: 'id-web',
      __meta_docker_container_name: '/web',
      __meta_docker_container_image: 'img:1',
      __meta_docker_container_image_id: 'sha256:1',
      __meta_docker_container_network_mode: 'a',
      __meta_docker_container_label_my_app: 'x',
      __meta_docker_network_id: 'net-a',
      __meta_docker_network_name: 'a',
      __meta_docker_network_scope: 'local',
      __meta_docker_network_internal: 'false',
      __meta_docker_network_ingress: 'false',
      __meta_docker_network_label_com_tier: 'front',
      __meta_docker_network_ip: '10.0.0.2',
    }
    expect(recorded.targets()).toEqual([
      {
        ...common,
        __address__: '10.0.0.2:80',
        __meta_docker_port_private: '80',
        __meta_docker_port_public: '8080',
        __meta_docker_port_public_ip: '0.0.0.0',
      },
      { ...common, __address__: '10.0.0.2:9100', __meta_docker_port_private: '9100' },
    ])
    expect([...recorded.groups.keys()]).toEqual(['Docker'])
  })

  test('takes the first network by name, or all of them', async () => {
    const Networks = { b: endpoint('net-b', '10.1.0.2'), a: endpoint('net-a', '10.0.0.2') }
    containers = [container('web', 'b', { Networks })]
    await start({ port: 8000 })
    expect(recorded.addresses()).toEqual(['10.0.0.2:8000'])
    recorded.stop()
    recorded = new RecordedDiscovery(new FakeClock())
    await start({ matchFirstNetwork: false })
    expect(recorded.addresses()).toEqual(['10.0.0.2:80', '10.1.0.2:80'])
    expect(recorded.targets()[1]).toMatchObject({ __meta_docker_network_internal: 'true', __meta_docker_network_ingress: 'true' })
  })

  test('follows a shared network to its owner, and ends where two share with each other', async () => {
    containers = [
      container('side', 'container:id-mid'),
      container('mid', 'container:id-web', { Ports: [{ PrivatePort: 7, Type: 'tcp' }] }),
      container('web', 'a', { Networks: { a: endpoint('net-a', '10.0.0.2') } }),
      container('lost', 'container:id-gone'),
      container('x', 'container:id-y'),
      container('y', 'container:id-x'),
    ]
    await start()
    const found = recorded.targets().map((target) => `${target['__meta_docker_container_name']} ${target['__address__']}`)
    expect(found.sort()).toEqual(['/mid 10.0.0.2:7', '/side 10.0.0.2:80', '/web 10.0.0.2:80'])
  })

  test('the host`s network is reached at the host, no network not at all', async () => {
    containers = [
      container('hosted', 'host', { Networks: { host: endpoint('net-h', '') } }),
      container('beside', 'container:id-hosted'),
      container('alone', 'none', { Networks: { none: endpoint('net-n', '') } }),
      { ...container('nameless', 'a', { Networks: { a: endpoint('net-a', '10.0.0.9') } }), Names: [] },
      container('six', 'c', { Networks: { c: { NetworkID: 'net-c', IPAddress: '', GlobalIPv6Address: 'fd00::2' } } }),
    ]
    await start({ hostNetworkingHost: 'node1' })
    expect(recorded.addresses()).toEqual(['[fd00::2]:80', 'node1', 'node1'])
  })

  test('sends its filters', async () => {
    containers = []
    await start({ filters: [{ name: 'status', values: ['running', 'paused'] }] })
    expect(docker.requests.map(({ path }) => path)).toEqual(['/containers/json', '/networks'])
    expect(JSON.parse(docker.requests[0]!.query.get('filters')!)).toEqual({ status: ['running', 'paused'] })
  })

  test.each([
    [
      { status: 400, body: '{"message":"invalid filter \'x\'"}' },
      "error while listing containers: Error response from daemon: 400 invalid filter 'x'",
    ],
    [{ status: 500, body: 'broken' }, 'Error response from daemon: 500 broken'],
    [{ status: 200, body: '{"Id": 1}' }, 'want a list, got object'],
    [{ status: 200, body: '[' }, 'want JSON'],
  ])('keeps its targets through %j', async (bad, text) => {
    containers = [container('web', 'a', { Networks: { a: endpoint('net-a', '10.0.0.2') } })]
    await start()
    failure = bad
    await recorded.clock.advance(60_000)
    await until(() => recorded.lines.length === 1)
    expect(recorded.lines[0]).toContain(text)
    expect(recorded.addresses()).toEqual(['10.0.0.2:80'])
    expect(recorded.metric('prometheus_sd_refresh_failures_total{mechanism="docker",config="j"}')).toBe(1)
    failure = undefined
    containers = []
    await recorded.clock.advance(60_000)
    await until(() => recorded.groups.size === 0)
  })

  test('reads entries of any shape without falling over', async () => {
    containers = [
      null,
      1,
      {},
      { Names: ['/a'] },
      { Names: ['/b'], HostConfig: 1, NetworkSettings: { Networks: { a: null, b: 3 } }, Ports: {} },
    ]
    networks = [null, {}]
    await start()
    expect([recorded.addresses(), recorded.lines]).toEqual([[], []])
  })

  test('takes as many targets as it may, and refuses one more', async () => {
    const web = container('web', 'a', {
      Networks: { a: endpoint('net-a', '10.0.0.2'), b: endpoint('net-b', '10.0.0.3') },
      Ports: Array.from({ length: dockerTargetsMax / 2 }, () => ({ Type: 'tcp', PrivatePort: 1 })),
    })
    containers = [web]
    await start({ matchFirstNetwork: false })
    expect(recorded.addresses()).toHaveLength(dockerTargetsMax)
    containers = [web, container('one', 'a', { Networks: { a: endpoint('net-a', '10.0.0.4') } })]
    await recorded.clock.advance(60_000)
    await until(() => recorded.lines.length > 0)
    expect(recorded.lines.join('')).toContain('cannot read containers: want at most 100000 targets, got more')
    expect(recorded.groups.get('Docker')!.targets).toHaveLength(dockerTargetsMax)
  })

  test('takes as many labels in all as it may, and refuses one more', () => {
    const settings = { port: 80, hostNetworkingHost: 'localhost', matchFirstNetwork: true }
    const crowd = ['web', 'db'].map((name) => container(name, 'a', { Networks: { a: endpoint('net-a', '10.0.0.2') } }))
    const read = (labelsMax: number) => readContainers(crowd, new Map(), settings, labelsMax)
    const labels = read(Infinity).reduce((sum, target) => sum + Object.keys(target).length, 0)
    expect(read(labels)).toHaveLength(2)
    expect(() => read(labels - 1)).toThrow(`cannot read containers: want at most ${labels - 1} labels in all, got more`)
  })

  test('speaks to a daemon over TCP', async () => {
    containers = [container('web', 'a', { Networks: { a: endpoint('net-a', '10.0.0.2') } })]
    const tcp = await startStubServer(({ path }, response) => answerJson(response, path === '/networks' ? networks : containers))
    try {
      await start({ host: `tcp://${tcp.address}` })
      expect(recorded.addresses()).toEqual(['10.0.0.2:80'])
    } finally {
      recorded.stop()
      await tcp.close()
    }
  })

  test('speaks TLS to a daemon over TCP if there is a tls_config', async () => {
    await start({ host: 'tcp://127.0.0.1:1/', http: { ...defaultHttpClientConfig, tls: { insecureSkipVerify: true } } })
    expect(recorded.lines[0]).toContain('https://127.0.0.1:1/containers/json')
  })

  test('refuses a host of another kind', async () => {
    await expect(start({ host: 'npipe:////./pipe/docker_engine' })).rejects.toThrow(
      'cannot use docker host "npipe:////./pipe/docker_engine"',
    )
  })
})
