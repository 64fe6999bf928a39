import { describe, expect, test } from 'vitest'
import type { KubernetesAttachments, KubernetesRole } from '@narthex/config/discovery-config'
import type { TargetGroup } from '../target-groups.ts'
import { kinds, type KindName } from './kinds.ts'
import { objectKey, type ObjectMeta } from './objects.ts'
import { matchesHost } from './role-ingress.ts'
import { listKinds, roles, type Role } from './roles.ts'
import { owned, podAddress, realEndpoints, realNamespace, realNode, realPod, realService } from './testkit/objects.ts'
import type { ApiObject } from './testkit/stub-api-server.ts'

const none: KubernetesAttachments = { node: false, namespace: false, deployment: false, job: false, cronjob: false }
const all: KubernetesAttachments = { node: true, namespace: true, deployment: true, job: true, cronjob: true }

/** The group of an object, with what else the API has of the kinds that the role looks at. */
function build(
  role: KubernetesRole,
  object: ApiObject,
  others: Partial<Record<KindName, readonly ApiObject[]>> = {},
  attach = none,
): TargetGroup {
  const watched = new Set(listKinds(role, attach))
  const found = new Map<string, { readonly meta: ObjectMeta }>()
  for (const [kind, objects] of Object.entries(others)) {
    if (!watched.has(kind as KindName)) continue
    for (const raw of objects) {
      const read = kinds[kind as KindName].read(raw)
      found.set(`${kind} ${objectKey(read.meta)}`, read)
    }
  }
  const { build: buildGroup } = roles[role] as unknown as Role
  const group = buildGroup(kinds[role].read(object), { attach, find: (kind, key) => found.get(`${kind} ${key}`) as never })
  return { source: group.source, labels: shorten(group.labels), targets: group.targets.map(shorten) }
}

/** Without the long prefix, for reading. */
function shorten(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name.replace('__meta_kubernetes_', ''), value]))
}

const podLabels = {
  pod_name: 'web-1',
  pod_ip: '10.1.0.5',
  pod_ready: 'true',
  pod_phase: 'Running',
  pod_node_name: 'node-a',
  pod_host_ip: '192.168.0.10',
  pod_uid: 'uid-web-1',
  pod_controller_kind: 'ReplicaSet',
  pod_controller_name: 'web-7d9c',
  pod_label_app: 'web',
  pod_labelpresent_app: 'true',
  pod_label_app_kubernetes_io_part_of: 'shop',
  pod_labelpresent_app_kubernetes_io_part_of: 'true',
  pod_annotation_prometheus_io_scrape: 'true',
  pod_annotationpresent_prometheus_io_scrape: 'true',
}
const nodeMetadata = {
  node_name: 'node-a',
  node_label_topology_kubernetes_io_zone: 'z1',
  node_labelpresent_topology_kubernetes_io_zone: 'true',
  node_label_node_role_kubernetes_io_worker: '',
  node_labelpresent_node_role_kubernetes_io_worker: 'true',
  node_annotation_node_alpha_kubernetes_io_ttl: '0',
  node_annotationpresent_node_alpha_kubernetes_io_ttl: 'true',
}
const namespaceMetadata = {
  namespace_label_team: 'red',
  namespace_labelpresent_team: 'true',
  namespace_label_kubernetes_io_metadata_name: 'shop',
  namespace_labelpresent_kubernetes_io_metadata_name: 'true',
  namespace_annotation_owner: 'ann',
  namespace_annotationpresent_owner: 'true',
}
const serviceLabels = {
  namespace: 'shop',
  service_name: 'web',
  service_label_app: 'web',
  service_labelpresent_app: 'true',
  service_annotation_prometheus_io_port: '9090',
  service_annotationpresent_prometheus_io_port: 'true',
}
const httpPort = { pod_container_port_name: 'http', pod_container_port_number: '8080', pod_container_port_protocol: 'TCP' }
const metricsPort = { pod_container_port_name: 'metrics', pod_container_port_number: '9090', pod_container_port_protocol: 'TCP' }
const initPort = { pod_container_port_name: '', pod_container_port_number: '7000', pod_container_port_protocol: 'TCP' }
const web = { pod_container_name: 'web', pod_container_image: 'shop/web:1.2', pod_container_init: 'false' }
const migrate = { pod_container_name: 'migrate', pod_container_image: 'shop/migrate:1', pod_container_init: 'true' }

describe('role pod', () => {
  test('gives a target per container port, and one for a container without ports', () => {
    expect(build('pod', realPod('web-1'))).toEqual({
      source: 'pod/shop/web-1',
      labels: { namespace: 'shop', ...podLabels },
      targets: [
        { __address__: '10.1.0.5:8080', ...web, ...httpPort, pod_container_id: 'containerd://web1' },
        { __address__: '10.1.0.5:9090', ...web, ...metricsPort, pod_container_id: 'containerd://web1' },
        {
          __address__: '10.1.0.5',
          pod_container_name: 'sidecar',
          pod_container_image: 'shop/sidecar:3',
          pod_container_init: 'false',
          pod_container_id: 'containerd://side1',
        },
        { __address__: '10.1.0.5:7000', ...migrate, ...initPort, pod_container_id: 'containerd://mig1' },
      ],
    })
  })

  test('has no target before it has an address', () => {
    expect(build('pod', realPod('web-1', { status: { podIP: '' } }))).toEqual({ source: 'pod/shop/web-1', labels: {}, targets: [] })
  })

  test('puts brackets round an IPv6 address only where a port follows', () => {
    const { targets } = build('pod', realPod('web-1', { status: { podIP: 'fd00::5' } }))
    expect(targets.map((target) => target['__address__'])).toEqual(['[fd00::5]:8080', '[fd00::5]:9090', 'fd00::5', '[fd00::5]:7000'])
  })

  test('takes the host`s address with host networking, as the API tells it', () => {
    const { targets } = build('pod', realPod('web-1', { spec: { hostNetwork: true }, status: { podIP: '192.168.0.10' } }))
    expect(targets[0]).toMatchObject({ __address__: '192.168.0.10:8080' })
  })

  test.each([
    [[{ type: 'Ready', status: 'False' }], 'false'],
    [[{ type: 'Ready', status: 'Unknown' }], 'unknown'],
    [[{ type: 'Initialized', status: 'True' }], 'unknown'],
  ])('conditions %j are ready=%s', (conditions, ready) => {
    expect(build('pod', realPod('web-1', { status: { conditions } })).labels).toMatchObject({ pod_ready: ready })
  })

  test('has no controller labels without a controller', () => {
    const ownerReferences = [{ kind: 'Thing', name: 'x' }]
    const { labels } = build('pod', realPod('web-1', { metadata: { ownerReferences } }))
    expect(Object.keys(labels).filter((name) => name.includes('controller'))).toEqual([])
  })

  test('attaches node, namespace and deployment', () => {
    const others = { node: [realNode('node-a')], namespace: [realNamespace('shop')], replicaset: [owned('web-7d9c', 'Deployment', 'web')] }
    expect(build('pod', realPod('web-1'), others, all).labels).toEqual({
      namespace: 'shop',
      ...podLabels,
      ...nodeMetadata,
      ...namespaceMetadata,
      pod_deployment_name: 'web',
    })
  })

  test('attaches nothing of a node or ReplicaSet that is not known, or has another owner', () => {
    expect(build('pod', realPod('web-1'), { replicaset: [owned('web-7d9c', 'Rollout', 'web')] }, all).labels).toEqual({
      namespace: 'shop',
      ...podLabels,
    })
  })

  test('attaches job and cron job', () => {
    const ownerReferences = [{ kind: 'Job', name: 'clean-1', controller: true }]
    const pod = realPod('web-1', { metadata: { ownerReferences } })
    const names = (attach: KubernetesAttachments, job: readonly ApiObject[]): unknown[] => {
      const { labels } = build('pod', pod, { job }, attach)
      return [labels['pod_job_name'], labels['pod_cronjob_name']]
    }
    const job = [owned('clean-1', 'CronJob', 'clean')]
    expect(names(all, job)).toEqual(['clean-1', 'clean'])
    expect(names({ ...none, job: true }, job)).toEqual(['clean-1', undefined])
    expect(names({ ...none, cronjob: true }, job)).toEqual([undefined, 'clean'])
    expect(names(all, [{ metadata: { name: 'clean-1', namespace: 'shop' } }])).toEqual(['clean-1', undefined])
  })
})

describe('role node', () => {
  test('gives the kubelet', () => {
    const { node_name: _name, ...metadata } = nodeMetadata
    expect(build('node', realNode('node-a'))).toEqual({
      source: 'node/node-a',
      labels: {
        node_name: 'node-a',
        node_provider_id: 'cloud:///z1/node-a',
        node_condition_Ready: 'true',
        node_condition_MemoryPressure: 'false',
        ...metadata,
      },
      targets: [
        {
          __address__: '192.168.0.10:10250',
          instance: 'node-a',
          node_address_Hostname: 'node-a',
          node_address_InternalIP: '192.168.0.10',
          node_address_ExternalIP: '203.0.113.7',
        },
      ],
    })
  })

  test.each([
    [['Hostname', 'ExternalIP', 'InternalIP'], 'InternalIP'],
    [['Hostname', 'ExternalIP', 'InternalDNS'], 'InternalDNS'],
    [['Hostname', 'LegacyHostIP', 'ExternalDNS', 'ExternalIP'], 'ExternalIP'],
    [['Hostname', 'LegacyHostIP', 'ExternalDNS'], 'ExternalDNS'],
    [['Hostname', 'LegacyHostIP'], 'LegacyHostIP'],
    [['Hostname'], 'Hostname'],
  ])('of addresses %j takes %s', (types, wanted) => {
    const addresses = types.map((type) => ({ type, address: type }))
    expect(build('node', realNode('node-a', addresses)).targets[0]).toMatchObject({ __address__: `${wanted}:10250` })
  })

  test('gives no target without an address', () => {
    expect(build('node', realNode('node-a', [])).targets).toEqual([])
  })

  test('puts brackets round an IPv6 address', () => {
    const { targets } = build('node', realNode('node-a', [{ type: 'InternalIP', address: 'fd00::10' }]))
    expect(targets[0]).toMatchObject({ __address__: '[fd00::10]:10250' })
  })
})

describe('role service', () => {
  test('gives a target per port', () => {
    const ports = [
      { name: 'http', port: 80, protocol: 'TCP' },
      { port: 53, protocol: 'UDP' },
    ]
    const common = { service_type: 'ClusterIP', service_cluster_ip: '10.96.0.20' }
    expect(build('service', realService('web', { ports }))).toEqual({
      source: 'svc/shop/web',
      labels: serviceLabels,
      targets: [
        { __address__: 'web.shop.svc:80', service_port_name: 'http', service_port_number: '80', service_port_protocol: 'TCP', ...common },
        { __address__: 'web.shop.svc:53', service_port_name: '', service_port_number: '53', service_port_protocol: 'UDP', ...common },
      ],
    })
  })

  test('tells the external name instead of an address, and a load balancer`s address beside it', () => {
    const external = build('service', realService('web', { type: 'ExternalName', externalName: 'db.example.com', clusterIP: '' }))
      .targets[0]
    expect(external).toMatchObject({ service_type: 'ExternalName', service_external_name: 'db.example.com' })
    expect(external).not.toHaveProperty('service_cluster_ip')
    const balanced = build('service', realService('web', { type: 'LoadBalancer', loadBalancerIP: '203.0.113.9' })).targets[0]
    expect(balanced).toMatchObject({ service_cluster_ip: '10.96.0.20', service_loadbalancer_ip: '203.0.113.9' })
  })

  test('attaches its namespace, and no node', () => {
    const others = { namespace: [realNamespace('shop')], node: [realNode('node-a')] }
    expect(build('service', realService('web'), others, all).labels).toEqual({ ...serviceLabels, ...namespaceMetadata })
  })
})

const subsets = [
  {
    addresses: [podAddress('10.1.0.5', 'web-1'), { ip: '10.9.9.9', hostname: 'db', targetRef: { kind: 'Node', name: 'node-a' } }],
    notReadyAddresses: [{ ip: 'fd00::7' }],
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  },
]
const endpointPort = { endpoint_port_name: 'http', endpoint_port_protocol: 'TCP' }
const podTarget = {
  endpoint_address_target_kind: 'Pod',
  endpoint_address_target_name: 'web-1',
  endpoint_node_name: 'node-a',
}
const others = { pod: [realPod('web-1')], service: [realService('web')], node: [realNode('node-a')], namespace: [realNamespace('shop')] }

describe('role endpoints', () => {
  const own = {
    namespace: 'shop',
    endpoints_name: 'web',
    endpoints_label_endpoints_kubernetes_io_managed_by: 'x',
    endpoints_labelpresent_endpoints_kubernetes_io_managed_by: 'true',
    endpoints_annotation_note: 'n',
    endpoints_annotationpresent_note: 'true',
  }

  test('gives a target per address and port, and one per other port of a pod behind it', () => {
    expect(build('endpoints', realEndpoints('web', subsets), others)).toEqual({
      source: 'endpoints/shop/web',
      labels: { ...own, ...serviceLabels },
      targets: [
        { __address__: '10.1.0.5:8080', ...endpointPort, endpoint_ready: 'true', ...podTarget, ...podLabels, ...web, ...httpPort },
        {
          __address__: '10.9.9.9:8080',
          ...endpointPort,
          endpoint_ready: 'true',
          endpoint_hostname: 'db',
          endpoint_address_target_kind: 'Node',
          endpoint_address_target_name: 'node-a',
        },
        { __address__: '[fd00::7]:8080', ...endpointPort, endpoint_ready: 'false' },
        { __address__: '10.1.0.5:9090', ...podLabels, ...web, ...metricsPort },
        { __address__: '10.1.0.5:7000', ...podLabels, ...migrate, ...initPort },
      ],
    })
  })

  test('knows neither service nor pod when there is none', () => {
    expect(build('endpoints', realEndpoints('web', subsets))).toMatchObject({
      labels: own,
      targets: [{ __address__: '10.1.0.5:8080' }, { __address__: '10.9.9.9:8080' }, { __address__: '[fd00::7]:8080' }],
    })
  })

  test('attaches the node by name or by reference, and to a pod`s other ports', () => {
    const { labels, targets } = build('endpoints', realEndpoints('web', subsets), others, all)
    expect(labels).toEqual({ ...own, ...serviceLabels, ...namespaceMetadata })
    expect(targets.map((target) => target['node_name'])).toEqual(['node-a', 'node-a', undefined, 'node-a', 'node-a'])
    expect(targets[0]).toMatchObject(nodeMetadata)
  })
})

describe('role endpointslice', () => {
  const slice = (changes: object = {}): ApiObject => ({
    metadata: { name: 'web-abc', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP', appProtocol: 'http' }],
    endpoints: [
      {
        addresses: ['10.1.0.5'],
        conditions: { ready: true, serving: true, terminating: false },
        hostname: 'web-1',
        nodeName: 'node-a',
        zone: 'z1',
        targetRef: { kind: 'Pod', namespace: 'shop', name: 'web-1' },
        deprecatedTopology: { 'kubernetes.io/hostname': 'node-a' },
      },
    ],
    ...changes,
  })

  test('gives a target per endpoint, address and port, and one per other port of a pod behind it', () => {
    expect(build('endpointslice', slice(), others)).toEqual({
      source: 'endpointslice/shop/web-abc',
      labels: {
        endpointslice_name: 'web-abc',
        endpointslice_address_type: 'IPv4',
        endpointslice_label_kubernetes_io_service_name: 'web',
        endpointslice_labelpresent_kubernetes_io_service_name: 'true',
        ...serviceLabels,
      },
      targets: [
        {
          __address__: '10.1.0.5:8080',
          endpointslice_port_name: 'http',
          endpointslice_port: '8080',
          endpointslice_port_protocol: 'TCP',
          endpointslice_port_app_protocol: 'http',
          endpointslice_endpoint_conditions_ready: 'true',
          endpointslice_endpoint_conditions_serving: 'true',
          endpointslice_endpoint_conditions_terminating: 'false',
          endpointslice_endpoint_hostname: 'web-1',
          endpointslice_endpoint_node_name: 'node-a',
          endpointslice_endpoint_zone: 'z1',
          endpointslice_endpoint_topology_kubernetes_io_hostname: 'node-a',
          endpointslice_endpoint_topology_present_kubernetes_io_hostname: 'true',
          endpointslice_address_target_kind: 'Pod',
          endpointslice_address_target_name: 'web-1',
          ...podLabels,
          ...web,
          ...httpPort,
        },
        { __address__: '10.1.0.5:9090', ...podLabels, ...web, ...metricsPort },
        { __address__: '10.1.0.5:7000', ...podLabels, ...migrate, ...initPort },
      ],
    })
  })

  test('leaves out what an endpoint does not say', () => {
    const bare = slice({ addressType: 'FQDN', ports: [{}], endpoints: [{ addresses: ['db.example.com'] }] })
    expect(build('endpointslice', bare, others).targets).toEqual([{ __address__: 'db.example.com' }])
  })

  test('attaches the node', () => {
    const { targets } = build('endpointslice', slice(), others, all)
    for (const target of targets) expect(target).toMatchObject(nodeMetadata)
  })
})

describe('role ingress', () => {
  test('gives a target per path of each rule', () => {
    const ingress: ApiObject = {
      metadata: { name: 'front', namespace: 'shop', labels: { 'a.b/c': 'd' } },
      spec: {
        ingressClassName: 'nginx',
        tls: [{ hosts: ['*.example.com'], secretName: 's' }],
        rules: [
          { host: 'www.example.com', http: { paths: [{ path: '/a' }, { path: '' }] } },
          { host: 'other.org' },
          { host: 'empty.org', http: { paths: [] } },
        ],
      },
    }
    expect(build('ingress', ingress, { namespace: [realNamespace('shop')] }, all)).toEqual({
      source: 'ingress/shop/front',
      labels: {
        namespace: 'shop',
        ingress_name: 'front',
        ingress_class_name: 'nginx',
        ingress_label_a_b_c: 'd',
        ingress_labelpresent_a_b_c: 'true',
        ...namespaceMetadata,
      },
      targets: [
        { __address__: 'www.example.com', ingress_scheme: 'https', ingress_host: 'www.example.com', ingress_path: '/a' },
        { __address__: 'www.example.com', ingress_scheme: 'https', ingress_host: 'www.example.com', ingress_path: '/' },
        { __address__: 'other.org', ingress_scheme: 'http', ingress_host: 'other.org', ingress_path: '/' },
      ],
    })
  })

  test.each([
    ['a.example.com', 'a.example.com', true],
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'a.b.example.com', false],
    ['*.example.com', 'example.com', false],
    ['a.example.com', 'b.example.com', false],
    ['', '', true],
  ])('pattern %s for host %s: %s', (pattern, host, matches) => {
    expect(matchesHost(pattern, host)).toBe(matches)
  })
})

test('makes something of any JSON in place of an object', () => {
  for (const junk of [null, 1, 'x', [], {}, { metadata: [], spec: 'x', status: 1 }, { spec: { containers: [1, null, { ports: [3] }] } }]) {
    for (const kind of Object.values(kinds)) expect(kind.read(junk)).toMatchObject({ meta: { name: '' } })
  }
})
