import type { DiscoveryConfig } from '@narthex/config/discovery-config'
import { discoveryKey } from '@narthex/config/discovery-config'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import type { Clock } from '../clock.ts'
import type { DiscoveryMetrics } from './discovery-metrics.ts'
import { createAzureDiscoverer } from './azure.ts'
import { createConsulDiscoverer } from './consul.ts'
import { createDnsDiscoverer } from './dns.ts'
import { createDockerDiscoverer } from './docker.ts'
import { createEc2Discoverer } from './ec2.ts'
import { createEtcdDiscoverer } from './etcd.ts'
import { FileDiscoverer } from './file.ts'
import { createGceDiscoverer } from './gce.ts'
import { createHttpDiscoverer } from './http.ts'
import { createKubernetesDiscoverer } from './kubernetes/kubernetes.ts'
import { createLocalDiscoverer } from './local/local.ts'
import type { LocalSurroundings } from './local/surroundings.ts'
import { createStaticDiscoverer } from './static.ts'
import type { Discoverer } from './target-groups.ts'

/** What a mechanism may use of its surroundings. */
export interface DiscoveryContext {
  /** Says which job and mechanism speaks. */
  readonly log: Logger
  readonly clock: Clock
  readonly registry: Registry
  readonly metrics: DiscoveryMetrics
  readonly userAgent: string
  readonly jobName: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** What local discovery knows of the agent around it; undefined where there is none (targets of alerts). */
  readonly local?: LocalSurroundings
}

type Mechanism = Exclude<DiscoveryConfig['mechanism'], 'other'>
type Factory<Name extends Mechanism> = (config: Extract<DiscoveryConfig, { mechanism: Name }>, context: DiscoveryContext) => Discoverer

/** One line per mechanism. A factory throws, with the reason in one line, when its configuration cannot be used here. */
const factories: { readonly [Name in Mechanism]?: Factory<Name> } = {
  static: createStaticDiscoverer,
  file: (config, { log, clock, metrics }) =>
    new FileDiscoverer(config, log, clock, {
      onReadError: () => metrics.fileReadErrors.inc(),
      onWatchError: () => metrics.fileWatchErrors.inc(),
      onScan: (seconds) => metrics.fileScan.observe(seconds),
    }),
  http: createHttpDiscoverer,
  dns: createDnsDiscoverer,
  consul: createConsulDiscoverer,
  docker: createDockerDiscoverer,
  local: createLocalDiscoverer,
  etcd: createEtcdDiscoverer,
  azure: (config, context) => createAzureDiscoverer(config, context),
  ec2: createEc2Discoverer,
  gce: (config, context) => createGceDiscoverer(config, context),
  kubernetes: (config, context) => createKubernetesDiscoverer(config, context),
}

/** Those that are built, by their names in a configuration. */
export const discoveryMechanisms: readonly string[] = Object.keys(factories)

/** The mechanism of one configuration entry; throws when it is not built yet or cannot be used. */
export function createDiscoverer(config: DiscoveryConfig, context: DiscoveryContext): Discoverer {
  const factory = config.mechanism === 'other' ? undefined : (factories[config.mechanism] as Factory<Mechanism> | undefined)
  if (factory === undefined) throw new Error(`${discoveryKey(config)} is not built yet, its targets are not scraped`)
  return factory(config as never, context)
}
