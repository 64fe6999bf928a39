import { optionalBoolean, field, isRecord, listField, optionalNumber, optionalText, textField, textsField } from '../json-fields.ts'
import { Interner } from './interner.ts'

// What labels need of each kind of object, and nothing else: a pod of the API is some 10 KiB, most of it never looked at.

export interface ObjectMeta {
  /** Empty for objects of the cluster. */
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** Name, value, name, value …, in order of names. */
  readonly labels: readonly string[]
  readonly annotations: readonly string[]
  /** The owner that controls it; empty without one. */
  readonly controllerKind: string
  readonly controllerName: string
}

export interface ContainerPort {
  readonly name: string
  readonly port: number
  readonly protocol: string
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly id: string
  readonly isInit: boolean
  readonly ports: readonly ContainerPort[]
}

export interface Pod {
  readonly meta: ObjectMeta
  readonly nodeName: string
  readonly ip: string
  readonly hostIp: string
  readonly phase: string
  /** `true`, `false` or `unknown`. */
  readonly ready: string
  /** The init containers last. */
  readonly containers: readonly Container[]
}

export interface Node {
  readonly meta: ObjectMeta
  readonly providerId: string
  readonly kubeletPort: number
  readonly addresses: readonly { readonly type: string; readonly address: string }[]
  readonly conditions: readonly { readonly type: string; readonly status: string }[]
}

export interface Service {
  readonly meta: ObjectMeta
  readonly type: string
  readonly clusterIp: string
  readonly externalName: string
  readonly loadBalancerIp: string
  readonly ports: readonly ContainerPort[]
}

export interface TargetRef {
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

export interface EndpointAddress {
  readonly ip: string
  readonly hostname: string
  readonly nodeName: string | undefined
  readonly target: TargetRef | undefined
}

export interface Endpoints {
  readonly meta: ObjectMeta
  readonly subsets: readonly {
    readonly ready: readonly EndpointAddress[]
    readonly notReady: readonly EndpointAddress[]
    readonly ports: readonly ContainerPort[]
  }[]
}

export interface SlicePort {
  readonly name: string | undefined
  readonly protocol: string | undefined
  readonly port: number | undefined
  readonly appProtocol: string | undefined
}

export interface SliceEndpoint {
  readonly addresses: readonly string[]
  readonly ready: boolean | undefined
  readonly serving: boolean | undefined
  readonly terminating: boolean | undefined
  readonly hostname: string | undefined
  readonly nodeName: string | undefined
  readonly zone: string | undefined
  readonly target: TargetRef | undefined
  /** Name, value, … */
  readonly topology: readonly string[]
}

export interface EndpointSlice {
  readonly meta: ObjectMeta
  readonly addressType: string
  readonly ports: readonly SlicePort[]
  readonly endpoints: readonly SliceEndpoint[]
}

export interface Ingress {
  readonly meta: ObjectMeta
  readonly className: string | undefined
  readonly tlsHosts: readonly string[]
  /** `paths` is undefined where a rule has no `http` part. */
  readonly rules: readonly { readonly host: string; readonly paths: readonly string[] | undefined }[]
}

/** An object of which only its labels or its owner matter. */
export interface Bare {
  readonly meta: ObjectMeta
}

// Names of labels, images and nodes repeat from object to object.
const interner = new Interner()
const share = (text: string): string => interner.share(text)

/** `namespace/name`, or the name alone for objects of the cluster. */
export function objectKey({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return namespace === '' ? name : `${namespace}/${name}`
}

export function readMeta(object: unknown): ObjectMeta {
  const metadata = field(object, 'metadata')
  const controller = listField(metadata, 'ownerReferences').find((owner) => field(owner, 'controller') === true)
  return {
    namespace: share(textField(metadata, 'namespace')),
    name: textField(metadata, 'name'),
    uid: textField(metadata, 'uid'),
    labels: readPairs(field(metadata, 'labels')),
    annotations: readPairs(field(metadata, 'annotations')),
    controllerKind: share(textField(controller, 'kind')),
    controllerName: share(textField(controller, 'name')),
  }
}

function readPairs(map: unknown): string[] {
  if (!isRecord(map)) return []
  const pairs: string[] = []
  for (const name of Object.keys(map).sort()) {
    const value = map[name]
    if (typeof value === 'string') pairs.push(share(name), share(value))
  }
  return pairs
}

function readPort(port: unknown, numberName: string): ContainerPort {
  return {
    name: share(textField(port, 'name')),
    port: optionalNumber(port, numberName) ?? 0,
    protocol: share(textField(port, 'protocol')),
  }
}

export function readBare(object: unknown): Bare {
  return { meta: readMeta(object) }
}

/** A ReplicaSet or Job: only who controls it. */
export function readOwner(object: unknown): Bare {
  return { meta: { ...readMeta(object), uid: '', labels: [], annotations: [] } }
}

export function readPod(object: unknown): Pod {
  const spec = field(object, 'spec')
  const status = field(object, 'status')
  const ready = listField(status, 'conditions').find((condition) => field(condition, 'type') === 'Ready')
  return {
    meta: readMeta(object),
    nodeName: share(textField(spec, 'nodeName')),
    ip: textField(status, 'podIP'),
    hostIp: share(textField(status, 'hostIP')),
    phase: share(textField(status, 'phase')),
    ready: ready === undefined ? 'unknown' : share(textField(ready, 'status').toLowerCase()),
    containers: [
      ...readContainers(listField(spec, 'containers'), listField(status, 'containerStatuses'), false),
      ...readContainers(listField(spec, 'initContainers'), listField(status, 'initContainerStatuses'), true),
    ],
  }
}

function readContainers(containers: readonly unknown[], statuses: readonly unknown[], isInit: boolean): Container[] {
  return containers.map((container) => {
    const name = textField(container, 'name')
    return {
      name: share(name),
      image: share(textField(container, 'image')),
      id: textField(
        statuses.find((status) => field(status, 'name') === name),
        'containerID',
      ),
      isInit,
      ports: listField(container, 'ports').map((port) => readPort(port, 'containerPort')),
    }
  })
}

export function readNode(object: unknown): Node {
  const status = field(object, 'status')
  return {
    meta: readMeta(object),
    providerId: textField(field(object, 'spec'), 'providerID'),
    kubeletPort: optionalNumber(field(field(status, 'daemonEndpoints'), 'kubeletEndpoint'), 'Port') ?? 0,
    addresses: listField(status, 'addresses').map((address) => ({
      type: share(textField(address, 'type')),
      address: textField(address, 'address'),
    })),
    conditions: listField(status, 'conditions').map((condition) => ({
      type: share(textField(condition, 'type')),
      status: share(textField(condition, 'status')),
    })),
  }
}

export function readService(object: unknown): Service {
  const spec = field(object, 'spec')
  return {
    meta: readMeta(object),
    type: share(textField(spec, 'type')),
    clusterIp: textField(spec, 'clusterIP'),
    externalName: textField(spec, 'externalName'),
    loadBalancerIp: textField(spec, 'loadBalancerIP'),
    ports: listField(spec, 'ports').map((port) => readPort(port, 'port')),
  }
}

function readTargetRef(holder: unknown): TargetRef | undefined {
  const target = field(holder, 'targetRef')
  if (!isRecord(target)) return undefined
  return {
    kind: share(textField(target, 'kind')),
    namespace: share(textField(target, 'namespace')),
    name: textField(target, 'name'),
  }
}

function shareOptional(text: string | undefined): string | undefined {
  return text === undefined ? undefined : share(text)
}

function readAddress(address: unknown): EndpointAddress {
  return {
    ip: textField(address, 'ip'),
    hostname: textField(address, 'hostname'),
    nodeName: shareOptional(optionalText(address, 'nodeName')),
    target: readTargetRef(address),
  }
}

export function readEndpoints(object: unknown): Endpoints {
  return {
    meta: readMeta(object),
    subsets: listField(object, 'subsets').map((subset) => ({
      ready: listField(subset, 'addresses').map(readAddress),
      notReady: listField(subset, 'notReadyAddresses').map(readAddress),
      ports: listField(subset, 'ports').map((port) => readPort(port, 'port')),
    })),
  }
}

export function readEndpointSlice(object: unknown): EndpointSlice {
  return {
    meta: readMeta(object),
    addressType: share(textField(object, 'addressType')),
    ports: listField(object, 'ports').map((port) => ({
      name: shareOptional(optionalText(port, 'name')),
      protocol: shareOptional(optionalText(port, 'protocol')),
      port: optionalNumber(port, 'port'),
      appProtocol: shareOptional(optionalText(port, 'appProtocol')),
    })),
    endpoints: listField(object, 'endpoints').map(readSliceEndpoint),
  }
}

function readSliceEndpoint(endpoint: unknown): SliceEndpoint {
  const conditions = field(endpoint, 'conditions')
  return {
    addresses: textsField(endpoint, 'addresses'),
    ready: optionalBoolean(conditions, 'ready'),
    serving: optionalBoolean(conditions, 'serving'),
    terminating: optionalBoolean(conditions, 'terminating'),
    hostname: optionalText(endpoint, 'hostname'),
    nodeName: shareOptional(optionalText(endpoint, 'nodeName')),
    zone: shareOptional(optionalText(endpoint, 'zone')),
    target: readTargetRef(endpoint),
    topology: readPairs(field(endpoint, 'deprecatedTopology')),
  }
}

export function readIngress(object: unknown): Ingress {
  const spec = field(object, 'spec')
  return {
    meta: readMeta(object),
    className: optionalText(spec, 'ingressClassName'),
    tlsHosts: listField(spec, 'tls').flatMap((tls) => textsField(tls, 'hosts')),
    rules: listField(spec, 'rules').map((rule) => {
      const http = field(rule, 'http')
      return {
        host: textField(rule, 'host'),
        paths: isRecord(http) ? listField(http, 'paths').map((path) => textField(path, 'path')) : undefined,
      }
    }),
  }
}
