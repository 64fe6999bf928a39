import { expect, test } from 'vitest'
import { parsePrometheusConfig } from './prometheus-config.ts'

const parse = (exporters: string) =>
  parsePrometheusConfig(`global: {scrape_interval: 30s, scrape_timeout: 20s, sample_limit: 7}\nexporters: ${exporters}\n`, {
    path: '/etc/p/p.yml',
    mode: 'agent',
  })

test('is empty without the section', () => {
  expect(parse('').exporters).toEqual([])
})

test('takes one entry or a list, with the defaults of the standalone exporters', () => {
  const { exporters } = parse('{node: {}, mysql: {}, redis: [{}, {address: "r:1"}], nginx: {}}')
  expect(exporters.map(({ kind, name, address, uri, labels }) => [kind, name, address ?? uri, labels['job']])).toEqual([
    ['node', 'local', undefined, 'node'],
    ['mysql', 'localhost:3306', 'localhost:3306', 'mysql'],
    ['redis', 'localhost:6379', 'localhost:6379', 'redis'],
    ['redis', 'r:1', 'r:1', 'redis'],
    ['nginx', '127.0.0.1:8080-stub_status', 'http://127.0.0.1:8080/stub_status', 'nginx'],
  ])
  expect(exporters[1]!.scrape).toMatchObject({
    jobName: 'exporters/mysql/localhost:3306',
    scrapeIntervalMs: 30_000,
    scrapeTimeoutMs: 20_000,
    sampleLimit: 7,
    discovery: [],
  })
})

test('takes every key; what is not enabled is left out', () => {
  const keys =
    'name: main, socket: m.sock, username: u, password: hunter2, flags: {collect.x: false}, job_name: db, scrape_interval: 10s, labels: {a: b}'
  const relabel = 'relabel_configs: [{target_label: x, replacement: y}], metric_relabel_configs: [{regex: a, action: labeldrop}]'
  const config = parse(`{mysql: [{${keys}, ${relabel}}, {enabled: false}], node: {enabled: false}}`)
  expect(config.exporters).toHaveLength(1)
  const [main] = config.exporters
  expect(main).toMatchObject({
    kind: 'mysql',
    name: 'main',
    socketPath: '/etc/p/m.sock',
    username: 'u',
    flags: { 'collect.x': false },
    labels: { job: 'db', a: 'b' },
    scrape: { jobName: 'exporters/mysql/main', scrapeIntervalMs: 10_000, scrapeTimeoutMs: 10_000 },
  })
  expect([main!.scrape.relabelConfigs.length, main!.scrape.metricRelabelConfigs.length]).toEqual([1, 1])
  const printed = config.redactedYaml()
  expect(printed).not.toContain('hunter2')
  expect(printed).toContain('enabled: false')
  expect(parse('').redactedYaml()).not.toContain('exporters')
})

test.each([
  ['{mysql: {uri: x}}', /^\/etc\/p\/p.yml:2:\d+: the mysql exporter has no uri/],
  ['{node: {address: "a:1"}}', /the node exporter has no address/],
  ['{nginx: {password: a}}', /the nginx exporter has no password/],
  ['{nginx: {uri: "ftp://x"}}', /uri must begin with/],
  ['{redis: {address: "redis://a:1"}}', /address must be host:port, got "redis:\/\/a:1"/],
  ['{redis: {address: "a:1", socket: /x}}', /at most one of address and socket/],
  ['{redis: {password: a, password_file: b}}', /at most one of password and password_file/],
  ['{redis: {name: "a/b"}}', /name must be of letters/],
  ['{redis: [{}, {}]}', /found two exporters of kind redis with name "localhost:6379"/],
  ['{redis: [null]}', /empty or null entry of exporters.redis/],
  ['{redis: 1}', /cannot unmarshal !!int `1`/],
  ['{mongodb: {}}', /field mongodb not found in type exporters/],
  ['{redis: {scrape_timeout: 1m}}', /scrape timeout greater than scrape interval/],
  ['{redis: {}}\nscrape_configs: [{job_name: "exporters/redis/localhost:6379"}]', /found multiple scrape configs with job name/],
])('refuses %s', (text, message) => {
  expect(() => parse(text)).toThrow(message)
})
