import {
  readBare,
  readEndpoints,
  readEndpointSlice,
  readIngress,
  readNode,
  readOwner,
  readPod,
  readService,
  type Bare,
  type Endpoints,
  type EndpointSlice,
  type Ingress,
  type Node,
  type Pod,
  type Service,
} from './objects.ts'

/** Every kind of object that is watched, by the name that stands in Prometheus' metrics as role. */
export interface KindObjects {
  readonly pod: Pod
  readonly node: Node
  readonly service: Service
  readonly endpoints: Endpoints
  readonly endpointslice: EndpointSlice
  readonly ingress: Ingress
  readonly namespace: Bare
  readonly replicaset: Bare
  readonly job: Bare
}

export type KindName = keyof KindObjects

export interface Kind<Value> {
  /** Path of the API group, such as `/api/v1`. */
  readonly group: string
  readonly plural: string
  readonly isNamespaced: boolean
  /** Asked for without spec and status. */
  readonly isMetadataOnly: boolean
  /** Keeps what is needed of an object as the API gives it. */
  read(object: unknown): Value
}

export const kinds: { readonly [Name in KindName]: Kind<KindObjects[Name]> } = {
  pod: { group: '/api/v1', plural: 'pods', isNamespaced: true, isMetadataOnly: false, read: readPod },
  node: { group: '/api/v1', plural: 'nodes', isNamespaced: false, isMetadataOnly: false, read: readNode },
  service: { group: '/api/v1', plural: 'services', isNamespaced: true, isMetadataOnly: false, read: readService },
  endpoints: { group: '/api/v1', plural: 'endpoints', isNamespaced: true, isMetadataOnly: false, read: readEndpoints },
  endpointslice: {
    group: '/apis/discovery.k8s.io/v1',
    plural: 'endpointslices',
    isNamespaced: true,
    isMetadataOnly: false,
    read: readEndpointSlice,
  },
  ingress: { group: '/apis/networking.k8s.io/v1', plural: 'ingresses', isNamespaced: true, isMetadataOnly: false, read: readIngress },
  namespace: { group: '/api/v1', plural: 'namespaces', isNamespaced: false, isMetadataOnly: true, read: readBare },
  replicaset: { group: '/apis/apps/v1', plural: 'replicasets', isNamespaced: true, isMetadataOnly: true, read: readOwner },
  job: { group: '/apis/batch/v1', plural: 'jobs', isNamespaced: true, isMetadataOnly: true, read: readOwner },
}

/** Path of all objects of a kind; `namespace` is empty for all namespaces. */
export function kindPath(name: KindName, namespace: string): string {
  const { group, plural, isNamespaced } = kinds[name]
  return isNamespaced && namespace !== '' ? `${group}/namespaces/${encodeURIComponent(namespace)}/${plural}` : `${group}/${plural}`
}
