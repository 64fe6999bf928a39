import type { ProxyConfig } from '@narthex/config/http-client-config'
import { BlockList, isIP } from 'node:net'

/** The proxy for a URL, undefined for a direct connection. `env` is asked only with `proxy_from_environment`. */
export function findProxy(config: ProxyConfig, url: URL, env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (config.proxyUrl !== undefined) return isExempt(config.noProxy ?? '', url) ? undefined : config.proxyUrl
  if (!config.proxyFromEnvironment) return undefined
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const proxy = env[name] ?? env[name.toLowerCase()]
  if (proxy === undefined || proxy === '') return undefined
  // Go's rule: the environment never sends local traffic through a proxy.
  if (isLocal(url.hostname) || isExempt(env['NO_PROXY'] ?? env['no_proxy'] ?? '', url)) return undefined
  return proxy.includes('://') ? proxy : `http://${proxy}`
}

function isLocal(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/** `no_proxy` as Go reads it: hosts (with their subdomains), `.domain` (subdomains only), addresses, CIDR ranges, `*`, each with an optional port. */
function isExempt(list: string, url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
  return list
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== '' && matchesEntry(entry, host, port))
}

function matchesEntry(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true
  if (entry.includes('/')) return isInRange(entry, host)
  let name = entry
  const withPort = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry)
  if (withPort !== null) {
    if (withPort[2] !== port) return false
    name = withPort[1]!
  }
  name = name.replace(/^\[|\]$/g, '')
  if (isIP(name) !== 0) return name === host
  if (name.startsWith('*.')) name = name.slice(1)
  return name.startsWith('.') ? host.endsWith(name) : host === name || host.endsWith(`.${name}`)
}

function isInRange(range: string, host: string): boolean {
  const family = isIP(host)
  const [network, bits] = range.split('/')
  if (family === 0 || network === undefined || isIP(network) !== family) return false
  const prefix = Number(bits)
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > (family === 4 ? 32 : 128)) return false
  const list = new BlockList()
  const type = family === 4 ? 'ipv4' : 'ipv6'
  list.addSubnet(network, prefix, type)
  return list.check(host, type)
}
