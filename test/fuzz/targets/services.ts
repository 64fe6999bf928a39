import { createConsulAgentDiscoverer } from '@narthex/agent/discovery/consul-agent'
import type { ConsulClient } from '@narthex/agent/discovery/consul-client'
import { readDatacenter, readHealthEntries, readServiceNames, toTarget } from '@narthex/agent/discovery/consul-targets'
import { readContainers, readNetworks } from '@narthex/agent/discovery/docker-targets'
import { isRecord, parseJson, textField } from '@narthex/agent/discovery/json-fields'
import type { ConsulDiscovery } from '@narthex/config/consul-discovery'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { encodeJson, ensure, type FuzzTarget } from '../fuzz-target.ts'
import { ensureGroups, ensureTarget, RefreshedDiscovery, refreshedIntervalMs } from '../target-groups.ts'

const node = {
  Node: 'n1',
  Address: '10.0.0.1',
  Datacenter: 'dc1',
  TaggedAddresses: { lan: '10.0.0.1', 'wan-ipv4': '1.2.3.4' },
  Meta: { 'consul-network-segment': '', rack: 'r 1' },
}
const service = { ID: 'web-1', Service: 'web', Tags: ['a', 'b,c'], Address: '::1', Port: 8080, Meta: { v: '1' }, Namespace: 'default' }
const checks = [
  { CheckID: 'serfHealth', Status: 'passing', ServiceID: '' },
  { CheckID: 'service:web-1', Status: 'warning', ServiceID: 'web-1' },
  { CheckID: '_service_maintenance:web-1', Status: 'critical', ServiceID: 'web-1' },
]
const consulConfig: ConsulDiscovery = {
  mechanism: 'consul',
  server: 'localhost:8500',
  pathPrefix: '',
  datacenter: '',
  namespace: '',
  partition: '',
  tagSeparator: ',',
  scheme: '',
  username: '',
  allowStale: true,
  refreshIntervalMs: refreshedIntervalMs,
  services: [],
  tags: [],
  nodeMeta: {},
  filter: '',
  healthFilter: '',
  agent: true,
  http: defaultHttpClientConfig,
}

/** What the agent answers to every call: the field of the call's name, if there is one. */
let agentAnswer: unknown
const agentClient: ConsulClient = {
  ask: ({ call }) => Promise.resolve({ content: isRecord(agentAnswer) ? agentAnswer[call] : agentAnswer, index: 0, bytes: 0 }),
  close: () => Promise.resolve(),
}
const consulAgent = new RefreshedDiscovery((context) => createConsulAgentDiscoverer(consulConfig, agentClient, context))

const networks = [
  { Id: 'n1', Name: 'bridge', Scope: 'local', Internal: false, Ingress: false, Labels: { 'com.docker/x': 'y' } },
  { Id: 'n2', Name: 'host' },
]
const containers = [
  {
    Id: 'c1',
    Names: ['/web'],
    Image: 'web:1',
    ImageID: 'sha256:0',
    Labels: { app: 'web', 'a.b': '' },
    HostConfig: { NetworkMode: 'bridge' },
    Ports: [
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { PrivatePort: 53, Type: 'udp' },
    ],
    NetworkSettings: { Networks: { bridge: { NetworkID: 'n1', IPAddress: '172.17.0.2' }, v6: { GlobalIPv6Address: 'fd00::2' } } },
  },
  { Id: 'c2', Names: ['/side'], HostConfig: { NetworkMode: 'container:c1' }, Ports: [], NetworkSettings: { Networks: {} } },
  { Id: 'c3', Names: ['/host'], HostConfig: { NetworkMode: 'host' }, NetworkSettings: { Networks: { host: { NetworkID: 'n2' } } } },
]

export const serviceTargets: readonly FuzzTarget[] = [
  {
    name: 'consul-health',
    seeds: [encodeJson([{ Node: node, Service: service, Checks: checks }]), encodeJson([])],
    refusals: ['Error'],
    isJson: true,
    read(bytes) {
      for (const instance of readHealthEntries(parseJson(bytes, 'answer'))) {
        const target = toTarget(instance, ',')
        ensureTarget(target)
        ensure(/^(0|[1-9]\d*)$/.test(target['__meta_consul_service_port']!), 'the port is no number')
        ensure(/^(|passing|warning|critical|maintenance)$/.test(target['__meta_consul_health'] ?? ''), 'no such health')
      }
    },
  },
  {
    name: 'consul-services',
    seeds: [encodeJson({ consul: [], web: ['a', 'b'], 'ü/x': ['c'] })],
    refusals: ['Error'],
    isJson: true,
    read(bytes) {
      for (const tags of readServiceNames(parseJson(bytes, 'answer')).values()) {
        ensure(
          tags.every((tag) => typeof tag === 'string'),
          'a tag is no text',
        )
      }
    },
  },
  {
    name: 'consul-agent',
    seeds: [
      encodeJson({
        self: { Config: { Datacenter: 'dc1', NodeName: 'n1' }, Member: { Addr: '10.0.0.1', Name: 'n1' }, Meta: { rack: '1' } },
        services: { 'web-1': service, other: { ID: 'o', Service: 'other', Tags: null, Port: 0 } },
        checks: Object.fromEntries(checks.map((check) => [check.CheckID, check])),
      }),
    ],
    refusals: ['Error'],
    isJson: true,
    async read(bytes) {
      agentAnswer = parseJson(bytes, 'answer')
      ensureGroups((await consulAgent.refresh()).filter(({ targets }) => targets.length > 0))
      ensure(isRecord(agentAnswer) && readDatacenter(agentAnswer['self']) !== '', 'no datacenter')
    },
    close: () => consulAgent.close(),
  },
  {
    name: 'docker',
    seeds: [encodeJson({ networks, containers })],
    refusals: ['Error'],
    isJson: true,
    read(bytes) {
      const answer = parseJson(bytes, 'answer')
      const settings = { port: 80, hostNetworkingHost: 'localhost', matchFirstNetwork: bytes.length % 2 === 0 }
      const known = readNetworks(isRecord(answer) ? answer['networks'] : undefined)
      for (const target of readContainers(isRecord(answer) ? answer['containers'] : undefined, known, settings)) ensureTarget(target)
      for (const [id, labels] of known) ensure(id === '' || labels['__meta_docker_network_id'] === id, `network ${textField({ id }, 'id')}`)
    },
  },
]
