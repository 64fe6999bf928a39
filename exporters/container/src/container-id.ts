export type EngineName = 'docker' | 'podman' | 'containerd' | 'crio'

/** What the path of a cgroup tells of the container in it. */
export interface ContainerId {
  /** 64 hexadecimal digits. */
  readonly id: string
  /** The engine that names cgroups like this one; undefined: any of them. */
  readonly engine: EngineName | undefined
  /** Below the cgroup of a pod. */
  readonly isInPod: boolean
}

const idSyntax = /(?:^|[^a-z0-9])([0-9a-f]{64})(?:$|[^a-z0-9])/
/** What stands before the id, with the systemd driver and with paths meant for it that the other driver took. */
const engineByWord: ReadonlyMap<string, EngineName> = new Map([
  ['docker', 'docker'],
  ['libpod', 'podman'],
  ['cri-containerd', 'containerd'],
  ['nerdctl', 'containerd'],
  ['crio', 'crio'],
])
const wordSyntax = /(?:^|[:.])([a-z-]+)[-:][0-9a-f]{64}/
/** Cgroups of the processes that watch a container, which bear its id. */
const monitorPrefixes = ['crio-conmon-', 'libpod-conmon-']

/**
 * The container whose cgroup has this path, by the names that the engines give with either cgroup driver: `/docker/ID`,
 * `/system.slice/docker-ID.scope`, `/machine.slice/libpod-ID.scope`, `/kubepods/burstable/podUID/ID`,
 * `/kubepods.slice/…/cri-containerd-ID.scope`, `/k8s.io/ID`, `/default/ID`, any path that ends with an id.
 */
export function parseContainerId(path: string): ContainerId | undefined {
  const slash = path.lastIndexOf('/')
  const base = path.slice(slash + 1)
  if (base.length < 64 || base.endsWith('.mount') || monitorPrefixes.some((prefix) => base.startsWith(prefix))) return undefined
  const id = idSyntax.exec(base)?.[1]
  if (id === undefined) return undefined
  const word = wordSyntax.exec(base)?.[1]
  const named = word === undefined ? undefined : engineByWord.get(word)
  return { id, engine: named ?? engineOfParent(path.slice(0, slash)), isInPod: path.includes('/kubepods') }
}

function engineOfParent(parent: string): EngineName | undefined {
  if (parent.endsWith('/docker')) return 'docker'
  if (parent.endsWith('/libpod_parent') || parent.includes('/libpod_parent/')) return 'podman'
  return undefined
}

const podSyntax = /(?:^|[-/])pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?:$|\/)/

/**
 * The uid of the pod whose cgroup has this path or is above it: `/kubepods/burstable/podUID`, `…-podUID_WITH_UNDERSCORES.slice`, and the
 * 32 digits of a pod from a file. Undefined for any other.
 */
export function parsePodUid(path: string): string | undefined {
  return path.includes('/kubepods') ? podSyntax.exec(path)?.[1]?.replaceAll('_', '-') : undefined
}
