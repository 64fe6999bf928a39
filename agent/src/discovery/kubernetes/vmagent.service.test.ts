import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KubernetesRole } from '@narthex/config/discovery-config'
import { waitFor } from '@narthex/test/kit/process'
import { startVmagent, type Service } from '@narthex/test/kit/services'
import { DiscoveryBench } from './testkit/discovery-bench.ts'
import { podAddress, realEndpoints, realNode, realPod, realService } from './testkit/objects.ts'
import { StubApiServer } from './testkit/stub-api-server.ts'

// vmagent made its Kubernetes discovery after Prometheus': the same objects must give the same targets.

const roles: readonly KubernetesRole[] = ['node', 'pod', 'service', 'endpoints', 'endpointslice', 'ingress']
const attaching: readonly KubernetesRole[] = ['pod', 'endpoints']

/** Labels that Prometheus has and vmagent 1.79 not yet. */
const newer = new RegExp(
  `^__meta_kubernetes_(${[
    'pod_container_(id|image|init)',
    'service_port_number',
    'node_condition_.*',
    'ingress_class_name',
    'endpointslice_(name|label.*|annotation.*)',
    'endpointslice_endpoint_(node_name|zone|conditions_serving|conditions_terminating)',
  ].join('|')})$`,
)
/** Labels that vmagent puts on endpoints and Prometheus not. */
const foreign = /^__meta_kubernetes_service_(cluster_ip|type)$/

const api = new StubApiServer()
const bench = new DiscoveryBench()
let apiServer: string
let vmagent: Service

beforeAll(async () => {
  apiServer = await api.listen()
  // It does not look for init containers behind endpoints.
  api.set('pods', realPod('migrating', { status: { podIP: '10.1.0.9' } }))
  api.set('pods', realPod('web-1', { spec: { initContainers: [] } }))
  api.set(
    'pods',
    realPod('web-2', { spec: { initContainers: [] }, status: { podIP: 'fd00::5', conditions: [] }, metadata: { ownerReferences: [] } }),
  )
  api.set('nodes', realNode('node-a'))
  api.set('services', realService('web'))
  api.set('services', realService('db', { type: 'ExternalName', externalName: 'db.example.com', clusterIP: '' }))
  const ports = [{ name: 'http', port: 8080, protocol: 'TCP' }]
  const addresses = [podAddress('10.1.0.5', 'web-1'), { ip: '10.9.9.9', hostname: 'db' }]
  api.set('endpoints', realEndpoints('web', [{ addresses, notReadyAddresses: [podAddress('10.1.0.6', 'web-2')], ports }]))
  api.set('endpointslices', {
    metadata: { name: 'web-abc', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports,
    endpoints: [
      {
        addresses: ['10.1.0.5'],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: 'Pod', namespace: 'shop', name: 'web-1' },
        hostname: 'web-1',
      },
    ],
  })
  const paths = [{ path: '/a' }, { path: '/b' }]
  api.set('ingresses', {
    metadata: { name: 'front', namespace: 'shop', labels: { a: 'b' } },
    spec: { tls: [{ hosts: ['*.example.com'] }], rules: [{ host: 'www.example.com', http: { paths } }, { host: 'other.org' }] },
  })
  const jobs = roles.map((role) => {
    const attach = attaching.includes(role) ? ', attach_metadata: {node: true}' : ''
    // Targets that are equal after relabeling would be one.
    const relabel = 'relabel_configs: [{action: labelmap, regex: __meta_kubernetes_(.+)}]'
    return `- {job_name: ${role}, kubernetes_sd_configs: [{role: ${role}, api_server: '${apiServer}'${attach}}], ${relabel}}\n`
  })
  vmagent = await startVmagent(`scrape_configs:\n${jobs.join('')}`, 'http://127.0.0.1:1/')
}, 30_000)

afterAll(async () => {
  bench.stop()
  await vmagent?.stop()
  await api.close()
})

async function readTheirs(role: KubernetesRole): Promise<Record<string, string>[]> {
  const response = await fetch(`${vmagent.url}/api/v1/targets`)
  const { data } = (await response.json()) as { data: { activeTargets: { discoveredLabels: Record<string, string> }[] } }
  return data.activeTargets.map(({ discoveredLabels }) => discoveredLabels).filter(({ job }) => job === role)
}

/** What the test is about, without what one of the two cannot know, in one order. */
function comparable(targets: readonly Readonly<Record<string, string>>[], role: KubernetesRole): string[] {
  return targets
    .map((target) =>
      JSON.stringify(
        Object.entries(target)
          .filter(([name, value]) => isCompared(name, value, target))
          .sort(),
      ),
    )
    .sort()

  function isCompared(name: string, value: string, target: Readonly<Record<string, string>>): boolean {
    if (value === '' || newer.test(name) || (role !== 'service' && foreign.test(name))) return false
    // It leaves the endpoints' own labels off the further ports of their pods.
    const isFurtherPort =
      target['__meta_kubernetes_endpoint_ready'] === undefined && target['__meta_kubernetes_endpointslice_port'] === undefined
    if (isFurtherPort && /^__meta_kubernetes_endpoint(s|slice)_/.test(name)) return false
    return name === '__address__' || name === 'instance' || name.startsWith('__meta_')
  }
}

test.each(roles)('role %s gives the targets that vmagent finds', async (role) => {
  const attach = { node: attaching.includes(role), namespace: false, deployment: false, job: false, cronjob: false }
  const run = bench.start({ apiServer, role, attach })
  await bench.until('targets', () => run.groups.size > 0)
  const ours = [...run.groups.values()].flatMap(({ labels, targets }) => targets.map((target) => ({ ...labels, ...target })))
  await waitFor('vmagent to find as many targets', async () => (await readTheirs(role)).length >= ours.length, { timeoutMs: 15_000 })
  expect(comparable(ours, role)).toEqual(comparable(await readTheirs(role), role))
})
