import type { StaticDiscovery } from '@narthex/config/discovery-config'
import type { Discoverer, TargetGroup } from './target-groups.ts'

/** static_configs: the groups are what the configuration says, once. */
export function createStaticDiscoverer(config: StaticDiscovery): Discoverer {
  const groups: TargetGroup[] = config.groups.map(({ targets, labels }, index) => ({
    source: String(index),
    targets: targets.map((address) => ({ __address__: address })),
    labels,
  }))
  return { start: (update) => update(groups), stop: () => {} }
}
