import type { DockerDiscovery } from '@narthex/config/discovery-config'
import { joinHostPort } from './host-port.ts'
import { isRecord, listField, numberField, recordField, textField, textPairs, textsField, type JsonRecord } from './json-fields.ts'
import { sanitizeLabelName } from './label-name.ts'

type Labels = Readonly<Record<string, string>>
type Settings = Pick<DockerDiscovery, 'port' | 'hostNetworkingHost' | 'matchFirstNetwork'>

export const dockerTargetsMax = 100_000
const dockerLabelsMax = 4_000_000

/** A container's way to the network of another: `container:ID`. */
const sharedNetwork = /^container:(.+)$/

/** Network id → its labels, from an answer of `/networks`. */
export function readNetworks(content: unknown): Map<string, Labels> {
  const networks = readRecords(content, 'networks')
  return new Map(networks.map((network) => [textField(network, 'Id'), labelsOfNetwork(network)]))
}

/**
 * Targets of an answer of `/containers/json`: one per network and TCP port of each container, one per network without such a port. Throws when they
 * are too many: a short answer may stand for very many, as each port of a container is one in each of its networks.
 */
export function readContainers(
  content: unknown,
  networks: ReadonlyMap<string, Labels>,
  settings: Settings,
  labelsMax = dockerLabelsMax,
): Record<string, string>[] {
  const containers = readRecords(content, 'containers')
  const byId = new Map(containers.map((container) => [textField(container, 'Id'), container]))
  const found = new FoundTargets(labelsMax)
  for (const container of containers) {
    if (textsField(container, 'Names').length === 0) continue
    const common = labelsOfContainer(container)
    const { endpoints, isHost } = findEndpoints(container, byId, settings.matchFirstNetwork)
    for (const endpoint of endpoints) {
      const labels = { ...common, ...networks.get(textField(endpoint, 'NetworkID')) }
      const ip = textField(endpoint, 'IPAddress') || textField(endpoint, 'GlobalIPv6Address')
      if (ip !== '') addTargetsAt(found, ip, container, labels, settings.port)
      // No address of its own: it is the host's, or nobody can reach it.
      else if (isHost) found.add(labels, { __address__: settings.hostNetworkingHost })
    }
  }
  return found.targets
}

/** Targets until there are too many of them, or of their labels. */
class FoundTargets {
  readonly targets: Record<string, string>[] = []
  readonly #labelsMax: number
  #labels = 0

  constructor(labelsMax: number) {
    this.#labelsMax = labelsMax
  }

  add(labels: Labels, own: Labels): void {
    const target = { ...labels, ...own }
    this.targets.push(target)
    if (this.targets.length > dockerTargetsMax)
      throw new Error(`cannot read containers: want at most ${dockerTargetsMax} targets, got more`)
    for (const _name in target) this.#labels++
    if (this.#labels > this.#labelsMax) throw new Error(`cannot read containers: want at most ${this.#labelsMax} labels in all, got more`)
  }
}

function addTargetsAt(found: FoundTargets, ip: string, container: JsonRecord, labels: Labels, fallbackPort: number): void {
  const withIp = { ...labels, __meta_docker_network_ip: ip }
  let hasPort = false
  for (const port of listField(container, 'Ports')) {
    if (!isRecord(port) || port['Type'] !== 'tcp') continue
    hasPort = true
    const privatePort = numberField(port, 'PrivatePort')
    const publicPort = numberField(port, 'PublicPort')
    const own: Record<string, string> = {
      __address__: joinHostPort(ip, privatePort),
      __meta_docker_port_private: String(privatePort),
    }
    if (publicPort > 0) {
      own['__meta_docker_port_public'] = String(publicPort)
      own['__meta_docker_port_public_ip'] = textField(port, 'IP')
    }
    found.add(withIp, own)
  }
  if (!hasPort) found.add(withIp, { __address__: joinHostPort(ip, fallbackPort) })
}

interface Endpoints {
  readonly endpoints: readonly JsonRecord[]
  /** The network is the host's. */
  readonly isHost: boolean
}

/** A container's networks in order of their names, only the first of them if so wanted; those of the container whose network it shares. */
function findEndpoints(container: JsonRecord, byId: ReadonlyMap<string, JsonRecord>, onlyFirst: boolean): Endpoints {
  const seen = new Set<JsonRecord>()
  let owner: JsonRecord | undefined = container
  // Two containers may name each other.
  while (owner !== undefined && !seen.has(owner)) {
    seen.add(owner)
    const mode = networkMode(owner)
    const networks = recordField(recordField(owner, 'NetworkSettings'), 'Networks')
    const names = Object.keys(networks).sort()
    if (names.length > 0) {
      const endpoints = names.map((name) => networks[name]).filter(isRecord)
      return { endpoints: onlyFirst ? endpoints.slice(0, 1) : endpoints, isHost: mode === 'host' }
    }
    const shared = sharedNetwork.exec(mode)
    owner = shared === null ? undefined : byId.get(shared[1]!)
  }
  return { endpoints: [], isHost: false }
}

function networkMode(container: JsonRecord): string {
  return textField(recordField(container, 'HostConfig'), 'NetworkMode')
}

function labelsOfContainer(container: JsonRecord): Labels {
  return withoutEmpty('__meta_docker_container_', [
    ['id', textField(container, 'Id')],
    ['name', textsField(container, 'Names')[0] ?? ''],
    ['image', textField(container, 'Image')],
    ['image_id', textField(container, 'ImageID')],
    ['network_mode', networkMode(container)],
    ...prefixed(recordField(container, 'Labels')),
  ])
}

function labelsOfNetwork(network: JsonRecord): Labels {
  return withoutEmpty('__meta_docker_network_', [
    ['id', textField(network, 'Id')],
    ['name', textField(network, 'Name')],
    ['scope', textField(network, 'Scope')],
    ['internal', String(network['Internal'] === true)],
    ['ingress', String(network['Ingress'] === true)],
    ...prefixed(recordField(network, 'Labels')),
  ])
}

function prefixed(labels: JsonRecord): [string, string][] {
  return textPairs(labels).map(([name, value]) => [`label_${sanitizeLabelName(name)}`, value])
}

function withoutEmpty(prefix: string, labels: readonly (readonly [string, string])[]): Labels {
  return Object.fromEntries(labels.filter(([, value]) => value !== '').map(([name, value]) => [prefix + name, value]))
}

function readRecords(content: unknown, what: string): JsonRecord[] {
  if (!Array.isArray(content)) throw new Error(`cannot read ${what}: want a list, got ${content === null ? 'null' : typeof content}`)
  return content.filter(isRecord)
}
