import { describeConfig } from '@narthex/config/describe-config'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { applyRelabel } from '@narthex/relabel/relabel'
import { Labels } from '@narthex/model/labels'
import { expect, test } from 'vitest'
import { packRemotes, unpackRemotes } from './packed-remotes.ts'

test('remotes come back as they were, with secrets that hide and rules that work', () => {
  const { remoteWrite } = parsePrometheusConfig(
    `remote_write:
- url: http://a/w
  name: first
  basic_auth: {username: u, password: hidden}
  tls_config: {ca_file: ca.pem, insecure_skip_verify: true}
  http_headers: {X-Scope: {values: [t], secrets: [other]}}
  queue_config: {max_shards: 3, sample_age_limit: 1h}
  write_relabel_configs:
  - {source_labels: [a], regex: 'x(.*)', target_label: b, replacement: 'y$1'}
- url: https://b/w
  sigv4: {region: eu, access_key: k, secret_key: s}
- url: http://c/w
  oauth2: {client_id: i, client_secret: s, token_url: http://t, scopes: [s]}
  protobuf_message: io.prometheus.write.v2.Request
`,
    { path: '/etc/prometheus.yml', mode: 'server' },
  )
  const unpacked = unpackRemotes(packRemotes(remoteWrite))
  expect(describeConfig(unpacked)).toBe(describeConfig(remoteWrite))
  expect(unpacked[0]!.http.basicAuth!.password!.reveal()).toBe('hidden')
  expect(JSON.stringify(unpacked)).not.toContain('hidden')
  expect(applyRelabel(unpacked[0]!.writeRelabelConfigs, Labels.fromPairs(['a', 'xz']))?.pairs).toEqual(['a', 'xz', 'b', 'yz'])
})
