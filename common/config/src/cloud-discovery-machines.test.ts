import { describe, expect, it } from 'vitest'
import type { DiscoveryConfig } from './discovery-config.ts'
import { checkPrometheusConfig, parsePrometheusConfig, type PrometheusConfig } from './prometheus-config.ts'

const textOf = (entry: string): string => `scrape_configs:\n- job_name: a\n  ${entry}\n`
const parse = (text: string): PrometheusConfig => parsePrometheusConfig(text, { path: '/etc/p/p.yml', mode: 'agent' })
const discoveryOf = (entry: string): DiscoveryConfig => parse(textOf(entry)).scrapeConfigs[0]!.discovery[0]!
const failure = (entry: string): string | undefined => checkPrometheusConfig(textOf(entry), 'p.yml', 'agent').error?.message

describe('machines of clouds', () => {
  it('have Prometheus` defaults', () => {
    expect(discoveryOf('ec2_sd_configs: [{region: r}]')).toMatchObject({
      mechanism: 'ec2',
      port: 80,
      refreshIntervalMs: 60_000,
      filters: [],
    })
    expect(discoveryOf('gce_sd_configs: [{project: p, zone: z}]')).toEqual({
      mechanism: 'gce',
      project: 'p',
      zone: 'z',
      port: 80,
      tagSeparator: ',',
      refreshIntervalMs: 60_000,
    })
    expect(discoveryOf('azure_sd_configs: [{subscription_id: s, authentication_method: SDK}]')).toMatchObject({
      environment: 'AzurePublicCloud',
      port: 80,
      refreshIntervalMs: 300_000,
      authenticationMethod: 'SDK',
    })
  })

  it.each([
    'ec2_sd_configs: [{region: r, access_key: a, secret_key: hunter2, filters: [{name: n, values: [v, w]}], endpoint: "http://e"}]',
    'gce_sd_configs: [{project: p, zone: z, filter: f, tag_separator: ";", port: 1, refresh_interval: 2m}]',
    'azure_sd_configs: [{subscription_id: s, tenant_id: t, client_id: c, client_secret: hunter2, resource_group: g, basic_auth: {username: u}}]',
  ])('print %s so that it loads again to the same, without its secret', (entry) => {
    const printed = parse(textOf(entry)).redactedYaml()
    expect(printed).not.toContain('hunter2')
    expect(parse(printed).redactedYaml()).toBe(printed)
    expect(Object.keys(discoveryOf(entry)).sort()).toEqual(Object.keys(parse(printed).scrapeConfigs[0]!.discovery[0]!).sort())
  })

  it.each([
    ['ec2_sd_configs: [{filters: [{name: n, values: []}]}]', '3:21: EC2 SD configuration filter values cannot be empty'],
    ['ec2_sd_configs: [{access_key: a}]', 'EC2 SD configuration requires both access_key and secret_key'],
    ['ec2_sd_configs: [{regio: a}]', '3:21: field regio not found in type aws.plain'],
    ['gce_sd_configs: [{zone: z}]', 'GCE SD configuration requires a project'],
    ['gce_sd_configs: [{project: p}]', 'GCE SD configuration requires a zone'],
    ['gce_sd_configs: [{project: p, zone: z, basic_auth: {username: u}}]', 'field basic_auth not found in type gce.plain'],
    ['gce_sd_configs: [{project: p, zone: z, refresh_interval: 0}]', 'refresh_interval must be greater than 0'],
    ['azure_sd_configs: [{authentication_method: SDK}]', 'azure SD configuration requires a subscription_id'],
    ['azure_sd_configs: [{subscription_id: s}]', 'azure SD configuration requires a tenant_id'],
    ['azure_sd_configs: [{subscription_id: s, tenant_id: t, client_id: c}]', 'azure SD configuration requires a client_secret'],
    ['azure_sd_configs: [{subscription_id: s, authentication_method: invalid}]', 'unknown authentication_type "invalid"'],
  ])('refuse %s', (entry, text) => {
    expect(failure(entry)).toContain(text)
  })
})
