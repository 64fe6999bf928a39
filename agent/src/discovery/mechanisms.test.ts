import { expect, test } from 'vitest'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { builtDiscovery } from '@narthex/config/unsupported'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { createDiscoverer } from './mechanisms.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'

function create(key: string, entry: string): string {
  const text = `scrape_configs: [{job_name: j, ${key}: [${entry}]}]`
  const config = parsePrometheusConfig(text, { path: '/p.yml', mode: 'agent', env: {} }).scrapeConfigs[0]!.discovery[0]!
  createDiscoverer(config, new RecordedDiscovery(new FakeClock()).context).stop()
  return config.mechanism
}

test.each([
  ['http_sd_configs', '{url: "http://a/"}'],
  ['dns_sd_configs', '{names: [a]}'],
  ['consul_sd_configs', '{}'],
  ['consul_sd_configs', '{agent: true}'],
  ['etcd_sd_configs', '{endpoints: ["http://a:2379"], prefix: /t/}'],
  ['docker_sd_configs', '{host: "unix:///var/run/docker.sock"}'],
])('%s: %s can be used and is said to be built', (key, entry) => {
  expect(builtDiscovery).toContain(create(key, entry))
})

test.each([
  ['consul_sd_configs', '{server: "ftp://a"}', 'unknown protocol scheme: ftp'],
  ['docker_sd_configs', '{host: "ssh://a"}', 'cannot use docker host "ssh://a"'],
  ['dockerswarm_sd_configs', '{host: "unix:///a", role: nodes}', 'dockerswarm_sd_configs is not built yet'],
])('%s: %s is refused in one line', (key, entry, text) => {
  expect(() => create(key, entry)).toThrow(text)
})
