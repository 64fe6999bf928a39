import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { defaultHttpClientConfig, type HttpClientConfig, type TlsConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { parseDocument } from 'yaml'
import { optionalBoolean, field, isRecord, listField, textField } from '../json-fields.ts'

export const kubeconfigBytesMax = 4 * 2 ** 20

export interface KubeconfigTarget {
  readonly server: string
  readonly http: HttpClientConfig
}

/**
 * Server and credentials of a kubeconfig's current context. Paths in it are relative to its directory, as for kubectl; inline data wins over
 * files. Throws with the reason in one line, in which no secret stands.
 */
export function readKubeconfig(path: string): KubeconfigTarget {
  try {
    const size = statSync(path).size
    if (size > kubeconfigBytesMax) throw new Error(`want at most ${kubeconfigBytesMax} bytes, got ${size}`)
    return parseKubeconfig(readFileSync(path, 'utf8'), dirname(path))
  } catch (error) {
    throw new Error(`cannot use kubeconfig ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

export function parseKubeconfig(text: string, directory: string): KubeconfigTarget {
  const document = parseDocument(text, { uniqueKeys: true, stringKeys: true })
  const problem = document.errors[0]
  // The parser's message shows the line, which may hold a key.
  if (problem !== undefined) throw new Error(`not YAML: ${problem.code} in line ${problem.linePos?.[0].line ?? 0}`)
  const config: unknown = document.toJS({ maxAliasCount: 100 })
  if (!isRecord(config)) throw new Error('want a mapping')
  const contextName = textField(config, 'current-context')
  if (contextName === '') throw new Error('current-context is not set')
  const context = find(config, 'contexts', contextName, 'context')
  const cluster = find(config, 'clusters', textField(context, 'cluster'), 'cluster')
  const userName = textField(context, 'user')
  const user = userName === '' ? {} : find(config, 'users', userName, 'user')
  const server = textField(cluster, 'server')
  if (server === '') throw new Error(`cluster ${JSON.stringify(textField(context, 'cluster'))} has no server`)
  refuseUnbuilt(user, userName)
  const proxyUrl = textField(cluster, 'proxy-url')
  return {
    server,
    http: {
      ...defaultHttpClientConfig,
      // kubectl takes the proxy of the environment when the file names none.
      proxyFromEnvironment: proxyUrl === '',
      ...(proxyUrl === '' ? {} : { proxyUrl }),
      tls: readTls(cluster, user, directory),
      ...readAuthentication(user, directory),
    },
  }
}

function find(config: unknown, list: string, name: string, key: string): unknown {
  const entry = listField(config, list).find((item) => textField(item, 'name') === name)
  if (entry === undefined) throw new Error(`${list} has no ${key} ${JSON.stringify(name)}`)
  const value = field(entry, key)
  if (!isRecord(value)) throw new Error(`${key} ${JSON.stringify(name)}: want a mapping`)
  return value
}

function refuseUnbuilt(user: unknown, name: string): void {
  for (const key of ['exec', 'auth-provider', 'as', 'as-uid', 'as-groups', 'as-user-extra']) {
    const value = field(user, key)
    if (value === undefined || value === null || value === '') continue
    throw new Error(`${key} of user ${JSON.stringify(name)} is not built yet; use a token, tokenFile or client certificate`)
  }
}

function readTls(cluster: unknown, user: unknown, directory: string): TlsConfig {
  const ca = readData(cluster, 'certificate-authority-data')
  const caFile = readPath(cluster, 'certificate-authority', directory)
  const cert = readData(user, 'client-certificate-data')
  const certFile = readPath(user, 'client-certificate', directory)
  const key = readData(user, 'client-key-data')
  const keyFile = readPath(user, 'client-key', directory)
  const serverName = textField(cluster, 'tls-server-name')
  if ((cert ?? certFile) !== undefined && (key ?? keyFile) === undefined)
    throw new Error('a client certificate needs client-key or client-key-data')
  return {
    ...(ca !== undefined ? { ca } : caFile !== undefined ? { caFile } : {}),
    ...(cert !== undefined ? { cert } : certFile !== undefined ? { certFile } : {}),
    ...(key !== undefined ? { key: new Secret(key) } : keyFile !== undefined ? { keyFile } : {}),
    ...(serverName === '' ? {} : { serverName }),
    insecureSkipVerify: optionalBoolean(cluster, 'insecure-skip-tls-verify') ?? false,
  }
}

function readAuthentication(user: unknown, directory: string): Partial<HttpClientConfig> {
  const tokenFile = readPath(user, 'tokenFile', directory)
  const token = textField(user, 'token')
  const username = textField(user, 'username')
  // The file is the fresher one.
  if (tokenFile !== undefined) return { authorization: { type: 'Bearer', credentialsFile: tokenFile } }
  if (token !== '') return { authorization: { type: 'Bearer', credentials: new Secret(token) } }
  if (username !== '') return { basicAuth: { username, password: new Secret(textField(user, 'password')) } }
  return {}
}

function readPath(holder: unknown, key: string, directory: string): string | undefined {
  const path = textField(holder, key)
  return path === '' ? undefined : resolve(directory, path)
}

function readData(holder: unknown, key: string): string | undefined {
  const data = textField(holder, key).replaceAll(/\s/g, '')
  if (data === '') return undefined
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(data)) throw new Error(`${key}: want base64`)
  return Buffer.from(data, 'base64').toString('utf8')
}
