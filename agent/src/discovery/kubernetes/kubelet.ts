import { networkInterfaces } from 'node:os'
import type { KubernetesDiscovery } from '@narthex/config/discovery-config'
import { createHttpClient } from '@narthex/http/client'
import type { DiscoveryContext } from '../mechanisms.ts'
import { RefreshDiscoverer } from '../refresh.ts'
import type { Discoverer, TargetGroup } from '../target-groups.ts'
import { streamApi } from './api-client.ts'
import { ApiFormatError } from './api-error.ts'
import type { Surroundings } from './attach.ts'
import { readOwnNamespace, serviceAccountDirectory, serviceAccountHttp } from './connection.ts'
import { joinHostPort } from '../host-port.ts'
import { ListReader } from './list-reader.ts'
import { readPod } from './objects.ts'
import { buildPodGroup } from './role-pod.ts'

const kubeletPort = 10250
const refreshIntervalMs = 10_000
const requestTimeoutMs = 10_000
/** Kubelets run some hundred pods. */
export const podsMax = 2_000

/**
 * Role kubelet: the pods of one node as its kubelet tells them, with the labels of role pod. It needs no API server, so it puts no load on
 * one and works while that is down.
 */
export function createKubeletDiscoverer(
  config: KubernetesDiscovery,
  context: DiscoveryContext,
  account = serviceAccountDirectory,
): Discoverer {
  const server = config.apiServer?.replace(/\/+$/, '') ?? `https://${joinHostPort(findNodeAddress(context.env), kubeletPort)}`
  const given = server.includes('://') ? server : `https://${server}`
  if (!URL.canParse(given)) throw new Error(`cannot use kubelet ${JSON.stringify(server)}: want a URL`)
  const url = `${given}/pods`
  const client = createHttpClient(given.startsWith('https:') ? serviceAccountHttp(config.http, account) : config.http, {
    userAgent: context.userAgent,
  })
  const namespaces = new Set([...config.namespaces, ...(config.ownNamespace ? [readOwnNamespace(account)] : [])])
  const surroundings: Surroundings = { attach: config.attach, find: () => undefined }

  async function refresh(signal: AbortSignal): Promise<TargetGroup[]> {
    const groups: TargetGroup[] = []
    const reader = new ListReader((item) => {
      const pod = readPod(item)
      const { name, namespace } = pod.meta
      if (name === '' || (namespaces.size > 0 && !namespaces.has(namespace))) return
      if (groups.length >= podsMax) throw new ApiFormatError(`cannot read list: want at most ${podsMax} pods`)
      groups.push(buildPodGroup(pod, surroundings))
    })
    await streamApi(client, {
      url,
      accept: 'application/json',
      timeoutMs: requestTimeoutMs,
      signal,
      onData: (chunk) => reader.write(chunk),
    })
    reader.end()
    return groups
  }

  return new RefreshDiscoverer({ mechanism: 'kubelet', intervalMs: refreshIntervalMs, refresh, close: () => client.close() }, context)
}

/** `NODE_IP`, else the machine's first address that others can reach: in a pod that is its node's with host networking only. */
function findNodeAddress(env: DiscoveryContext['env']): string {
  const given = env['NODE_IP'] ?? ''
  if (given !== '') return given
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const own = addresses.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
  return (own.find(({ family }) => family === 'IPv4') ?? own[0])?.address ?? '127.0.0.1'
}
