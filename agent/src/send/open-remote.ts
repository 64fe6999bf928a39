import type { RemoteWriteConfig } from '@narthex/config/remote-config'
import { createCloudAuthorizer } from '@narthex/http/cloud-authorizer'
import { createRandomLookup } from '@narthex/http/random-lookup'
import { createClients } from '../http/clients.ts'
import type { RemotePoster } from './delivery.ts'
import { createPoster } from './http-poster.ts'

/** A poster with connections of its own, as a `remote_write` of the configuration wants it. Throws for TLS files that cannot be read. */
export function openRemote({ http, url, remoteTimeoutMs, roundRobinDns, cloudAuth }: RemoteWriteConfig, userAgent: string): RemotePoster {
  const lookup = roundRobinDns ? { lookup: createRandomLookup() } : {}
  const clients = createClients(http, { userAgent, timeoutMs: remoteTimeoutMs, ...lookup })
  const authorizer = cloudAuth === undefined ? undefined : createCloudAuthorizer(cloudAuth, { http, userAgent })
  return createPoster(clients, url, remoteTimeoutMs, authorizer)
}
