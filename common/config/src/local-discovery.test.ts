import { describe, expect, test } from 'vitest'
import type { LocalDiscovery } from './local-discovery.ts'
import { parseServiceCredentials } from './local-discovery.ts'
import { parsePrometheusConfig } from './prometheus-config.ts'

const parse = (text: string) => parsePrometheusConfig(text, { path: '/etc/p/p.yml', mode: 'agent' })
const job = (keys: string): string => `scrape_configs: [{job_name: a, local_sd_configs: [{${keys}}]}]`

describe('local_sd_configs', () => {
  test('needs no key', () => {
    expect(parse(job('')).scrapeConfigs[0]!.discovery).toEqual([
      {
        mechanism: 'local',
        refreshIntervalMs: 10_000,
        services: [],
        exclude: [],
        readServiceConfigs: false,
        procfs: '/proc',
        exporterFlags: {},
      },
    ])
  })

  test('takes every key, and what it prints loads to the same', () => {
    const keys = [
      'refresh_interval: 30s, services: [mysql], exclude: ["*test*"], credentials_dir: c, read_service_configs: true',
      'procfs: /host/proc, instance_host: web1, exporter_flags: {mysql: {collect.x: true, n: 3, list: [a, b], text: b}}',
    ]
    const config = parse(job(keys.join(', ')))
    const [local] = config.scrapeConfigs[0]!.discovery as [LocalDiscovery]
    expect(local).toMatchObject({
      credentialsDirectory: '/etc/p/c',
      exporterFlags: { mysql: { 'collect.x': true, n: 3, list: ['a', 'b'], text: 'b' } },
    })
    expect(parse(config.redactedYaml()).redactedYaml()).toBe(config.redactedYaml())
  })

  test.each([
    [job('refresh_interval: 0s'), /^\/etc\/p\/p.yml:1:\d+: refresh_interval must be greater than 0/],
    [job('service: [a]'), /field service not found in type local.plain/],
    [job('services: [""]'), /must not have empty entries/],
    [job('procfs: ""'), /procfs is empty/],
    [job('exporter_flags: {mysql: {--a: 1}}'), /want the name of a flag without its dashes, got "--a"/],
    [job('exporter_flags: {mysql: {a: {}}}'), /want text, a number, true, false or a list of texts/],
  ])('refuses %s', (text, message) => {
    expect(() => parse(text)).toThrow(message)
  })
})

describe('a file with credentials', () => {
  test('says who comes in how, and to whom it may be told', () => {
    const text = 'username: u\npassword_file: pw\nonly: {user: mysql, exe: /x, address: "a:1", container_id: ab}\n'
    expect(parseServiceCredentials(text, '/c/mysql.yml')).toEqual({
      username: 'u',
      passwordFile: '/c/pw',
      only: { user: 'mysql', exe: '/x', address: 'a:1', containerId: 'ab' },
    })
    expect(parseServiceCredentials('', '/c/mysql.yml')).toEqual({ username: '', only: {} })
    expect(parseServiceCredentials('password: hunter2', '/c/x.yml').password?.reveal()).toBe('hunter2')
  })

  test.each([
    ['password: a\npassword_file: b\n', /^\/c\/x.yml:2:1: at most one of password and password_file/],
    ['user: a\n', /^\/c\/x.yml:1:1: field user not found/],
    ['- a\n', /cannot unmarshal !!seq/],
  ])('refuses %j', (text, message) => {
    expect(() => parseServiceCredentials(text, '/c/x.yml')).toThrow(message)
  })
})
