import { describe, expect, test } from 'vitest'
import type { KubernetesDiscovery } from './discovery-config.ts'
import { checkPrometheusConfig, parsePrometheusConfig } from './prometheus-config.ts'

const withEntry = (entry: string): string => `scrape_configs:\n- job_name: a\n  kubernetes_sd_configs:\n  - ${entry}\n`
const parse = (entry: string) => parsePrometheusConfig(withEntry(entry), { path: '/etc/p/prometheus.yml', mode: 'server', env: {} })
const read = (entry: string) => parse(entry).scrapeConfigs[0]!.discovery[0] as KubernetesDiscovery
const failure = (entry: string): string | undefined => checkPrometheusConfig(withEntry(entry), 'p.yml', 'server').error?.message

describe('kubernetes_sd_configs', () => {
  test('reads what is to be attached, and warns of none of it', () => {
    const attach = { node: true, namespace: true, deployment: true, job: true, cronjob: true }
    const entry = '{role: endpoints, attach_metadata: {node: true, namespace: true, deployment: true, job: true, cronjob: true}}'
    expect(read(entry).attach).toEqual(attach)
    expect(parse(entry).notYet).toEqual([])
  })

  test('leaves environment variables in selectors for the agent', () => {
    const selectors = [{ role: 'pod', label: '', field: 'spec.nodeName=$NODE_NAME' }]
    expect(read('{role: pod, selectors: [{role: pod, field: "spec.nodeName=$NODE_NAME"}]}').selectors).toEqual(selectors)
  })

  test('takes role kubelet, with a client configuration of its own and no URL', () => {
    expect(read('{role: kubelet, tls_config: {insecure_skip_verify: true}, namespaces: {own_namespace: true}}')).toMatchObject({
      role: 'kubelet',
      ownNamespace: true,
      http: { tls: { insecureSkipVerify: true } },
    })
    expect(read('{role: kubelet, api_server: "http://127.0.0.1:10255", attach_metadata: {job: true}}').apiServer).toBe(
      'http://127.0.0.1:10255',
    )
  })

  test.each([
    ['{role: kubelet, kubeconfig_file: k}', "p.yml:4:21: cannot use 'kubeconfig_file' with role kubelet"],
    [
      '{role: kubelet, attach_metadata: {node: true}}',
      'p.yml:4:21: attach_metadata.node needs the API server, which role kubelet does not ask',
    ],
    [
      '{role: kubelet, attach_metadata: {deployment: true}}',
      'p.yml:4:21: attach_metadata.deployment needs the API server, which role kubelet does not ask',
    ],
    ['{role: kubelet, selectors: [{role: pod, label: a=b}]}', 'p.yml:4:21: kubelet role supports no selectors'],
    ['{role: pod, selectors: [{role: kubelet}]}', /invalid role: "kubelet"/],
    ['{role: pods}', 'p.yml:4:12: unknown Kubernetes SD role "pods"'],
    ['{}', 'p.yml:4:5: role missing (one of: pod, service, endpoints, endpointslice, node, ingress, kubelet)'],
    ['{role: pod, tls_config: {insecure_skip_verify: true}}', /please provide the 'api_server' URL explicitly/],
  ])('%s fails', (entry, message) => {
    expect(failure(entry)).toMatch(message)
  })
})
