import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeConfig } from '@narthex/config/describe-config'
import type { KubernetesDiscovery } from '@narthex/config/discovery-config'
import { defaultHttpClientConfig, type HttpClientConfig } from '@narthex/config/http-client-config'
import { createHttpClient } from '@narthex/http/client'
import { joinHostPort } from '../host-port.ts'
import { readKubeconfig } from './kubeconfig.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** How to reach an API server. */
export interface ApiConnection {
  /** Without a slash at its end; may have a path. */
  readonly server: string
  readonly http: HttpClientConfig
  /** Equal for connections that may be shared. Has secrets: never to be shown. */
  readonly key: string
}

/** Where Kubernetes puts a pod's token, CA and namespace. */
export const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Throws, with the reason in one line, when the configuration does not lead to a server. */
export function findConnection(config: KubernetesDiscovery, env: Environment, account = serviceAccountDirectory): ApiConnection {
  if (config.kubeconfigFile !== undefined) {
    const { server, http } = readKubeconfig(config.kubeconfigFile)
    return connectionOf(server, http)
  }
  if (config.apiServer !== undefined) return connectionOf(config.apiServer, config.http)
  const host = env['KUBERNETES_SERVICE_HOST'] ?? ''
  const port = env['KUBERNETES_SERVICE_PORT'] ?? ''
  if (host === '' || port === '') {
    throw new Error('unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined')
  }
  return connectionOf(`https://${joinHostPort(host, port)}`, serviceAccountHttp(config.http, account))
}

function connectionOf(given: string, http: HttpClientConfig): ApiConnection {
  const server = (given.includes('://') ? given : `http://${given}`).replace(/\/+$/, '')
  if (!URL.canParse(server)) throw new Error(`cannot use API server ${JSON.stringify(given)}: want a URL`)
  // A watch holds its connection for minutes: with one connection each, the trouble of one is not that of all.
  const settings = { ...http, enableHttp2: false }
  // Nothing connects yet: settings that cannot be used are told here, not when watching begins.
  createHttpClient(settings)
  return { server, http: settings, key: `${server} ${describeConfig(settings)}` }
}

/** A pod's own credentials; both files are read again when they change. What `http` has of its own stays. */
export function serviceAccountHttp(http: HttpClientConfig = defaultHttpClientConfig, account = serviceAccountDirectory): HttpClientConfig {
  const { authorization, basicAuth, oauth2, tls } = http
  const hasCertificate = tls?.cert !== undefined || tls?.certFile !== undefined
  const isAuthorized = hasCertificate || [authorization, basicAuth, oauth2].some((way) => way !== undefined)
  return {
    ...http,
    ...(isAuthorized ? {} : { authorization: { type: 'Bearer', credentialsFile: join(account, 'token') } }),
    ...(tls === undefined ? { tls: { caFile: join(account, 'ca.crt'), insecureSkipVerify: false } } : {}),
  }
}

/** The namespace of the pod that this process runs in. */
export function readOwnNamespace(account = serviceAccountDirectory): string {
  try {
    return readFileSync(join(account, 'namespace'), 'utf8').trim()
  } catch (error) {
    throw new Error(`could not determine the pod's namespace: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
