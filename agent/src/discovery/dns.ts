import type { Resolver } from 'node:dns/promises'
import type { DnsDiscovery } from '@narthex/config/discovery-config'
import { openNameService, type NameService, type NameServiceOptions } from './dns-names.ts'
import { joinHostPort } from './host-port.ts'
import type { DiscoveryContext } from './mechanisms.ts'
import { RefreshDiscoverer } from './refresh.ts'
import type { TargetGroup } from './target-groups.ts'

type Target = Readonly<Record<string, string>>

/**
 * dns_sd_configs: one group per name with a target per record, asked anew every refresh interval. A name that does not exist has no
 * targets; a name that no server can tell about keeps those it had.
 */
export function createDnsDiscoverer(config: DnsDiscovery, context: DiscoveryContext, names: NameServiceOptions = {}): RefreshDiscoverer {
  const { log, metrics } = context
  const known = new Map<string, TargetGroup>()

  async function lookUp(service: NameService, name: string, signal: AbortSignal): Promise<void> {
    metrics.dnsLookups.inc()
    try {
      const targets = await findTargets(service, name, config)
      known.set(name, { source: name, targets, labels: { __meta_dns_name: name } })
    } catch (error) {
      if (signal.aborted) return
      metrics.dnsLookupFailures.inc()
      log.error('Error refreshing DNS targets', { err: error })
    }
  }

  async function refresh(signal: AbortSignal): Promise<readonly TargetGroup[]> {
    const service = await openNameService(names)
    const cancel = (): void => service.resolver.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      await Promise.all(config.names.map((name) => lookUp(service, name, signal)))
    } finally {
      signal.removeEventListener('abort', cancel)
    }
    return [...known.values()]
  }

  return new RefreshDiscoverer({ mechanism: 'dns', intervalMs: config.refreshIntervalMs, refresh }, context)
}

/** The first full name that exists decides. Throws unless every name was answered. */
async function findTargets(service: NameService, name: string, config: DnsDiscovery): Promise<readonly Target[]> {
  let failure: unknown
  for (const fullName of service.listNames(name)) {
    try {
      return await query(service.resolver, fullName, config)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      // The name is there, but has no record of this kind.
      if (code === 'ENODATA') return []
      if (code !== 'ENOTFOUND') failure = error
    }
  }
  if (failure === undefined) return []
  throw new Error(`could not resolve ${JSON.stringify(name)}: all servers responded with errors to at least one search domain`, {
    cause: failure,
  })
}

async function query(resolver: Resolver, fullName: string, { type, port }: DnsDiscovery): Promise<readonly Target[]> {
  switch (type) {
    case 'A':
      return (await resolver.resolve4(fullName)).map((address) => ({ __address__: joinHostPort(address, port) }))
    case 'AAAA':
      return (await resolver.resolve6(fullName)).map((address) => ({ __address__: joinHostPort(address, port) }))
    case 'MX':
      return hostTargets('mx', await resolver.resolveMx(fullName).then((records) => records.map(({ exchange }) => exchange)), port)
    case 'NS':
      return hostTargets('ns', await resolver.resolveNs(fullName), port)
    case 'SRV':
      return (await resolver.resolveSrv(fullName)).filter(isOffered).map((record) => ({
        __address__: joinHostPort(withoutDot(record.name), record.port),
        __meta_dns_srv_record_target: withDot(record.name),
        __meta_dns_srv_record_port: String(record.port),
      }))
  }
}

function hostTargets(kind: 'mx' | 'ns', hosts: readonly string[], port: number): Target[] {
  return hosts
    .filter((host) => withoutDot(host) !== '')
    .map((host) => ({ __address__: joinHostPort(withoutDot(host), port), [`__meta_dns_${kind}_record_target`]: withDot(host) }))
}

// RFC 2782: the target `.` says that the service is not there.
function isOffered({ name }: { readonly name: string }): boolean {
  return withoutDot(name) !== ''
}

function withoutDot(host: string): string {
  return host.replace(/\.+$/, '')
}

// Labels have names as the records do: rooted.
function withDot(host: string): string {
  return `${withoutDot(host)}.`
}
