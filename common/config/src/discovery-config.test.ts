import { describe, expect, test } from 'vitest'
import type { ConsulDiscovery } from './consul-discovery.ts'
import type { EtcdDiscovery } from './etcd-discovery.ts'
import { checkPrometheusConfig, parsePrometheusConfig } from './prometheus-config.ts'

const withEntry = (key: string, entry: string): string => `scrape_configs:\n- job_name: a\n  ${key}:\n  - ${entry}\n`
const parse = (text: string) => parsePrometheusConfig(text, { path: '/etc/p/prometheus.yml', mode: 'server', env: {} })
const read = (key: string, entry: string): unknown => parse(withEntry(key, entry)).scrapeConfigs[0]!.discovery[0]
const failure = (key: string, entry: string): string | undefined =>
  checkPrometheusConfig(withEntry(key, entry), 'p.yml', 'server').error?.message

describe('consul_sd_configs', () => {
  test('has Prometheus` defaults', () => {
    const { http: _http, ...own } = read('consul_sd_configs', '{}') as ConsulDiscovery
    expect(own).toEqual({
      mechanism: 'consul',
      server: 'localhost:8500',
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
    })
  })

  test.each([
    ['{server: " "}', 'p.yml:4:6: consul SD configuration requires a server address'],
    ['{agent: true, health_filter: x}', 'p.yml:4:19: health_filter asks the catalog: it cannot be used together with agent'],
    ['{agent: true, datacenter: x}', 'p.yml:4:19: an agent knows its own datacenter only: datacenter cannot be used together with agent'],
    ['{scheme: ftp}', "p.yml:4:6: consul SD scheme must be 'http' or 'https'"],
    ['{refresh_interval: 0s}', 'p.yml:4:6: refresh_interval must be greater than 0'],
    ['{agnt: true}', 'p.yml:4:6: field agnt not found in type consul.plain'],
    [
      '{token: t, authorization: {credentials: c}}',
      'p.yml:4:6: at most one of consul SD token, authorization, or oauth2 can be configured',
    ],
  ])('%s fails with its place', (entry, message) => {
    expect(failure('consul_sd_configs', entry)).toBe(message)
  })
})

describe('etcd_sd_configs', () => {
  test('reads endpoints, prefix and credentials', () => {
    const entry = '{endpoints: ["http://a:2379"], prefix: /t/, username: u, password_file: pw, tls_config: {ca_file: ca}}'
    expect(read('etcd_sd_configs', entry) as EtcdDiscovery).toMatchObject({
      mechanism: 'etcd',
      endpoints: ['http://a:2379'],
      prefix: '/t/',
      username: 'u',
      passwordFile: '/etc/p/pw',
      refreshIntervalMs: 60_000,
      http: { tls: { caFile: '/etc/p/ca' } },
    })
  })

  test.each([
    ['{prefix: /t/}', 'p.yml:4:5: etcd SD configuration requires at least one endpoint'],
    ['{endpoints: ["http://a"]}', 'p.yml:4:5: etcd SD configuration requires a prefix'],
    ['{endpoints: ["a:2379"], prefix: p}', `p.yml:4:6: endpoint "a:2379": URL scheme must be 'http' or 'https'`],
    ['{endpoints: ["http://"], prefix: p}', 'p.yml:4:6: endpoint "http://": host is missing in URL'],
    ['{endpoints: ["http://a"], prefix: p, username: u}', 'p.yml:4:42: a username needs a password or password_file'],
    ['{endpoints: ["http://a"], prefix: p, password: u}', 'p.yml:4:42: a password needs a username'],
    [
      '{endpoints: ["http://a"], prefix: p, username: u, password: p, basic_auth: {username: a}}',
      'p.yml:4:42: at most one of username, basic_auth, authorization & oauth2 must be configured',
    ],
    ['{endpoints: ["http://a"], prefix: p, refresh_interval: 0s}', 'p.yml:4:42: refresh_interval must be greater than 0'],
  ])('%s fails with its place', (entry, message) => {
    expect(failure('etcd_sd_configs', entry)).toBe(message)
  })
})

test('what is printed loads again to the same, without passwords', () => {
  const etcd = '{endpoints: ["http://u:hidden@a:2379"], prefix: /t/, username: u, password: hidden, refresh_interval: 10s}'
  const consul = '{agent: true, tags: [b, a], node_meta: {k: v}, token: hidden, path_prefix: /c}'
  const printed = parse(`${withEntry('etcd_sd_configs', etcd)}  consul_sd_configs: [${consul}]\n`).redactedYaml()
  expect(printed).toContain('etcd_sd_configs')
  expect(printed).toContain('agent: true')
  expect(printed).not.toContain('hidden')
  expect(parse(printed).redactedYaml()).toBe(printed)
})

// As promtool answers.
test.each([
  ['hetzner_sd_configs', '{role: invalid}', 'p.yml:4:6: unknown role "invalid"'],
  ['hetzner_sd_configs', '{role: ""}', 'p.yml:4:6: unknown role ""'],
  ['hetzner_sd_configs', '{role: }', 'p.yml:4:5: role missing (one of: robot, hcloud)'],
  ['hetzner_sd_configs', '{port: 1}', 'p.yml:4:5: role missing (one of: robot, hcloud)'],
  ['scaleway_sd_configs', '{role: invalid}', 'p.yml:4:6: unknown role "invalid"'],
  ['scaleway_sd_configs', '{role: ""}', 'p.yml:4:6: unknown role ""'],
  ['scaleway_sd_configs', '{role: }', 'p.yml:4:5: role missing (one of: instance, baremetal)'],
  ['openstack_sd_configs', '{role: invalid}', 'p.yml:4:6: unknown OpenStack SD role "invalid"'],
  ['openstack_sd_configs', '{role: ""}', 'p.yml:4:6: unknown OpenStack SD role ""'],
  ['openstack_sd_configs', '{role: }', 'p.yml:4:5: role missing (one of: instance, hypervisor, loadbalancer)'],
  ['dockerswarm_sd_configs', '{host: x, role: invalid}', 'p.yml:4:15: invalid role invalid, expected tasks, services, or nodes'],
  ['dockerswarm_sd_configs', '{host: x, role: ""}', 'p.yml:4:5: role missing (one of: tasks, services, nodes)'],
])('the role of %s in %s is refused', (key, entry, text) => {
  expect(failure(key, entry)).toBe(text)
})
