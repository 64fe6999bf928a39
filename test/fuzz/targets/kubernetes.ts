import { ListReader } from '@narthex/agent/discovery/kubernetes/list-reader'
import { kinds, type KindName } from '@narthex/agent/discovery/kubernetes/kinds'
import { parseKubeconfig } from '@narthex/agent/discovery/kubernetes/kubeconfig'
import { readEndpointSlice, readPod } from '@narthex/agent/discovery/kubernetes/objects'
import { roles, type Role } from '@narthex/agent/discovery/kubernetes/roles'
import { podAddress, realEndpoints, realNode, realPod, realService } from '@narthex/agent/discovery/kubernetes/testkit/objects'
import { WatchReader } from '@narthex/agent/discovery/kubernetes/watch-reader'
import type { KubernetesAttachments, KubernetesRole } from '@narthex/config/discovery-config'
import { decode, encode, encodeJson, ensure, type FuzzTarget } from '../fuzz-target.ts'
import { ensureListedGroups, ensureNames } from '../target-groups.ts'

const attach: KubernetesAttachments = { node: true, namespace: true, deployment: true, job: true, cronjob: true }
const slice = {
  metadata: { name: 'web-x', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP', appProtocol: 'http' }],
  endpoints: [
    {
      addresses: ['10.1.0.5', '10.1.0.6'],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: 'node-a',
      zone: 'z',
      targetRef: { kind: 'Pod', namespace: 'shop', name: 'web-1' },
      deprecatedTopology: { 'kubernetes.io/hostname': 'node-a' },
    },
  ],
}
const ingress = {
  metadata: { name: 'i', namespace: 'shop' },
  spec: { ingressClassName: 'n', tls: [{ hosts: ['*.x'] }], rules: [{ host: 'a.x', http: { paths: [{ path: '/p' }] } }, {}] },
}

/** The groups of an object in one role, with the object itself as everything that it may be attached to. */
function buildAll(role: KubernetesRole, object: unknown): void {
  const { build } = roles[role] as unknown as Role
  const found = { find: (kind: KindName) => kinds[kind].read(object) as never, attach }
  const group = build(kinds[role].read(object), found)
  // An address may be empty, as the object has it.
  ensureListedGroups([group])
  for (const labels of [group.labels, ...group.targets]) ensureNames(labels)
}

const kubeconfig = `apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: 'https://h:6443', certificate-authority-data: QUJD, proxy-url: ''}}]
users: [{name: u, user: {client-certificate: a.pem, client-key: b.pem, token: hunter2}}]
`

export const kubernetesTargets: readonly FuzzTarget[] = [
  {
    name: 'kubernetes-list',
    seeds: [
      encode(
        '{"kind":"PodList","metadata":{"resourceVersion":"7","continue":"x"},"items":[{"metadata":{"name":"a"}},{"spec":{"containers":[]}}]}',
      ),
      encode('{"items":[],"metadata":{"a":["]\\"}"]}}'),
    ],
    refusals: ['ApiFormatError'],
    read: (bytes) => {
      const reader = new ListReader((item) => void [readPod(item), readEndpointSlice(item)])
      for (let at = 0; at < bytes.length; at += 7) reader.write(bytes.subarray(at, at + 7))
      reader.end()
    },
  },
  {
    name: 'kubernetes-watch',
    seeds: [
      encode('{"type":"ADDED","object":{"metadata":{"name":"a","labels":{"b":"c"}}}}\n{"type":"BOOKMARK","object":{}}\n'),
      encode('{"type":"MODIFIED","object":{"spec":{"containers":[{"ports":[{"containerPort":1}]}]}}}\n'),
    ],
    refusals: ['ApiFormatError', 'ApiStatusError'],
    read: (bytes) => {
      const reader = new WatchReader(({ object }) => void readPod(object))
      for (let at = 0; at < bytes.length; at += 7) reader.write(bytes.subarray(at, at + 7))
    },
  },
  {
    name: 'kubernetes-roles',
    seeds: [
      realPod('web-1'),
      realNode('node-a'),
      realService('web'),
      realEndpoints('web', [{ addresses: [podAddress('10.1.0.5', 'web-1')], ports: [{ name: 'http', port: 8080 }] }]),
      slice,
      ingress,
    ].map(encodeJson),
    refusals: ['SyntaxError'],
    isJson: true,
    share: 600,
    read(bytes) {
      const object: unknown = JSON.parse(decode(bytes))
      for (const role of Object.keys(roles) as KubernetesRole[]) buildAll(role, object)
    },
  },
  {
    name: 'kubeconfig',
    seeds: [encode(kubeconfig)],
    refusals: ['Error', 'ReferenceError'],
    share: 200,
    read(bytes) {
      try {
        ensure(parseKubeconfig(decode(bytes), '/home').server !== '', 'there is no server')
      } catch (error) {
        // Names that are not found are shown; the text that cannot be read is not.
        const isUnread = error instanceof Error && error.message.startsWith('not YAML')
        ensure(!isUnread || !error.message.includes('hunter2'), 'a secret stands in an error')
        throw error
      }
    },
  },
]
