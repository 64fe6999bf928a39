import type { HttpClientConfig, TlsConfig, TlsVersion } from '@narthex/config/http-client-config'
import type { Socket } from 'node:net'
import type { ConnectionOptions, SecureVersion } from 'node:tls'
import type { buildConnector, Dispatcher } from 'undici'
import type { HttpClientDefaults } from './client.ts'
import { lookupHost } from './host-lookup.ts'
import { findProxy } from './proxy-choice.ts'
import { loadUndici } from './undici-library.ts'
import { WatchedFile } from './watched-file.ts'

export interface DispatcherSource {
  /** The agent that carries requests to this URL; a new one after a certificate file changed. */
  find(url: URL, socketPath: string | undefined): Dispatcher | Promise<Dispatcher>
  close(): Promise<void>
}

/** Agents kept for unix sockets and proxies; the one used longest ago goes first. */
const agentsMax = 256
const connectTimeoutMs = 10_000

export function createDispatcherSource(config: HttpClientConfig, defaults: HttpClientDefaults): DispatcherSource {
  const agents = new Map<string, Dispatcher>()
  const tls = createTlsSource(config.tls)
  let tlsStamp = tls.stamp()

  function find(url: URL, socketPath: string | undefined): Dispatcher | Promise<Dispatcher> {
    const proxy = socketPath === undefined ? findProxy(config, url) : undefined
    const key = socketPath !== undefined ? `unix ${socketPath}` : (proxy ?? '')
    if (!tls.hasFiles || (url.protocol === 'http:' && proxy === undefined)) return findAgent(key, socketPath, proxy)
    return tls.refresh().then(() => {
      if (tls.stamp() !== tlsStamp) {
        tlsStamp = tls.stamp()
        for (const agent of agents.values()) retire(agent)
        agents.clear()
      }
      return findAgent(key, socketPath, proxy)
    })
  }

  function findAgent(key: string, socketPath: string | undefined, proxy: string | undefined): Dispatcher {
    const known = agents.get(key)
    if (known !== undefined) return known
    const agent = createAgent(socketPath, proxy)
    agents.set(key, agent)
    if (agents.size > agentsMax) {
      const [oldestKey, oldest] = agents.entries().next().value!
      agents.delete(oldestKey)
      retire(oldest)
    }
    return agent
  }

  function createAgent(socketPath: string | undefined, proxy: string | undefined): Dispatcher {
    const lookup = defaults.lookup ?? lookupHost
    const { Agent, ProxyAgent } = loadUndici()
    const connect = { ...tls.options(), timeout: connectTimeoutMs, lookup, ...(socketPath === undefined ? {} : { socketPath }) }
    const keepAliveMs = defaults.keepAliveMs ?? 300_000
    const common = {
      allowH2: config.enableHttp2,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: Math.max(keepAliveMs, 600_000),
      headersTimeout: 0,
      bodyTimeout: 0,
      connections: defaults.connectionsMax ?? null,
      // One client may talk to very many targets.
      maxOrigins: Infinity,
    }
    if (proxy === undefined) {
      const { preamble } = defaults
      return new Agent({ ...common, connect: preamble === undefined ? connect : createPreambleConnector(connect, preamble) })
    }
    const headers: Record<string, string> = {}
    for (const [name, secrets] of Object.entries(config.proxyConnectHeader)) {
      headers[name] = secrets.map((secret) => secret.reveal()).join(', ')
    }
    return new ProxyAgent({ ...common, uri: proxy, headers, requestTls: connect, proxyTls: { lookup }, connect })
  }

  async function close(): Promise<void> {
    const all = [...agents.values()]
    agents.clear()
    await Promise.all(all.map((agent) => agent.destroy()))
  }

  return { find, close }
}

/** Connects without TLS, writes what the connection begins with, and goes on with TLS where the URL wants it. */
function createPreambleConnector(options: buildConnector.BuildOptions, preamble: (socket: Socket) => Uint8Array): buildConnector.connector {
  const { buildConnector: build } = loadUndici()
  const connect = build({ ...options, allowH2: false })
  return (target, callback) => {
    const isSecure = target.protocol === 'https:'
    const port = target.port === '' ? (isSecure ? '443' : '80') : target.port
    connect({ ...target, protocol: 'http:', port }, (...result) => {
      const [error, socket] = result
      if (error !== null) return callback(error, null)
      socket.write(preamble(socket))
      if (isSecure) connect({ ...target, httpSocket: socket }, callback)
      else callback(null, socket)
    })
  }
}

// Running requests end in peace; a failure to close has nobody to tell.
function retire(agent: Dispatcher): void {
  agent.close().catch(() => undefined)
}

interface TlsSource {
  readonly hasFiles: boolean
  stamp(): string
  refresh(): Promise<void>
  options(): ConnectionOptions
}

const secureVersions: Readonly<Record<TlsVersion, SecureVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
}

function createTlsSource(config: TlsConfig | undefined): TlsSource {
  if (config === undefined) return { hasFiles: false, stamp: () => '', refresh: () => Promise.resolve(), options: () => ({}) }
  const fixed: ConnectionOptions = {
    rejectUnauthorized: !config.insecureSkipVerify,
    ...(config.serverName === undefined ? {} : { servername: config.serverName }),
    ...(config.minVersion === undefined ? {} : { minVersion: secureVersions[config.minVersion] }),
    ...(config.maxVersion === undefined ? {} : { maxVersion: secureVersions[config.maxVersion] }),
    // OpenSSL 3 speaks TLS 1.0 and 1.1 at security level 0 only.
    ...(config.minVersion === 'TLS10' || config.minVersion === 'TLS11' ? { ciphers: 'DEFAULT@SECLEVEL=0' } : {}),
  }
  const files = [config.caFile, config.certFile, config.keyFile].map((path) => (path === undefined ? undefined : new WatchedFile(path)))
  const content: (Buffer | undefined)[] = []
  return {
    hasFiles: files.some((file) => file !== undefined),
    stamp: () => files.map((file) => file?.stamp ?? '').join('|'),
    async refresh() {
      for (const [index, file] of files.entries()) content[index] = await file?.read()
    },
    options() {
      const ca = content[0] ?? config.ca
      const cert = content[1] ?? config.cert
      const key = content[2] ?? config.key?.reveal()
      return {
        ...fixed,
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      }
    },
  }
}
