import type { ApiObject } from './stub-api-server.ts'

// Objects as an API server gives them, with the fields that discovery must leave out.

export function realPod(
  name: string,
  changes: { readonly metadata?: object; readonly spec?: object; readonly status?: object } = {},
): ApiObject {
  return {
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      generateName: 'web-7d9c-',
      creationTimestamp: '2026-08-01T10:00:00Z',
      labels: { app: 'web', 'app.kubernetes.io/part-of': 'shop' },
      annotations: { 'prometheus.io/scrape': 'true' },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-7d9c', uid: 'u1', controller: true, blockOwnerDeletion: true },
      ],
      managedFields: [{ manager: 'kubelet', operation: 'Update', apiVersion: 'v1', fieldsV1: { 'f:status': { 'f:podIP': {} } } }],
      ...changes.metadata,
    },
    spec: {
      nodeName: 'node-a',
      serviceAccountName: 'web',
      containers: [
        {
          name: 'web',
          image: 'shop/web:1.2',
          ports: [
            { name: 'http', containerPort: 8080, protocol: 'TCP' },
            { name: 'metrics', containerPort: 9090, protocol: 'TCP' },
          ],
          resources: { requests: { cpu: '100m' } },
        },
        { name: 'sidecar', image: 'shop/sidecar:3' },
      ],
      initContainers: [{ name: 'migrate', image: 'shop/migrate:1', ports: [{ containerPort: 7000, protocol: 'TCP' }] }],
      ...changes.spec,
    },
    status: {
      phase: 'Running',
      podIP: '10.1.0.5',
      podIPs: [{ ip: '10.1.0.5' }],
      hostIP: '192.168.0.10',
      conditions: [
        { type: 'Initialized', status: 'True' },
        { type: 'Ready', status: 'True', lastTransitionTime: '2026-08-01T10:00:05Z' },
      ],
      containerStatuses: [
        { name: 'web', containerID: 'containerd://web1', ready: true, restartCount: 0 },
        { name: 'sidecar', containerID: 'containerd://side1', ready: true },
      ],
      initContainerStatuses: [{ name: 'migrate', containerID: 'containerd://mig1', ready: true }],
      ...changes.status,
    },
  }
}

export function realNode(name: string, addresses?: readonly { readonly type: string; readonly address: string }[]): ApiObject {
  return {
    metadata: {
      name,
      uid: `uid-${name}`,
      labels: { 'topology.kubernetes.io/zone': 'z1', 'node-role.kubernetes.io/worker': '' },
      annotations: { 'node.alpha.kubernetes.io/ttl': '0' },
    },
    spec: { providerID: `cloud:///z1/${name}`, podCIDR: '10.1.0.0/24' },
    status: {
      addresses: addresses ?? [
        { type: 'Hostname', address: name },
        { type: 'InternalIP', address: '192.168.0.10' },
        { type: 'InternalIP', address: 'fd00::10' },
        { type: 'ExternalIP', address: '203.0.113.7' },
      ],
      conditions: [
        { type: 'MemoryPressure', status: 'False', lastHeartbeatTime: '2026-08-01T10:00:00Z' },
        { type: 'Ready', status: 'True', lastHeartbeatTime: '2026-08-01T10:00:00Z' },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      images: [{ names: ['shop/web:1.2'], sizeBytes: 1 }],
    },
  }
}

export function realService(name: string, spec: object = {}): ApiObject {
  return {
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, labels: { app: 'web' }, annotations: { 'prometheus.io/port': '9090' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.96.0.20',
      ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }],
      selector: { app: 'web' },
      ...spec,
    },
    status: { loadBalancer: {} },
  }
}

export function realEndpoints(name: string, subsets: readonly object[]): ApiObject {
  return {
    metadata: { name, namespace: 'shop', labels: { 'endpoints.kubernetes.io/managed-by': 'x' }, annotations: { note: 'n' } },
    subsets,
  }
}

export function podAddress(ip: string, pod: string): object {
  return { ip, nodeName: 'node-a', targetRef: { kind: 'Pod', namespace: 'shop', name: pod, uid: `uid-${pod}` } }
}

export function realNamespace(name: string): ApiObject {
  return { metadata: { name, labels: { team: 'red', 'kubernetes.io/metadata.name': name }, annotations: { owner: 'ann' } } }
}

export function owned(name: string, kind: string, owner: string): ApiObject {
  return { metadata: { name, namespace: 'shop', ownerReferences: [{ kind, name: owner, controller: true }] }, spec: { template: {} } }
}
